"""The weights of a mixture of stances, as written in an analysis or handed to an appraisal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cba.errors import InputError
from cba.inputs.toml_reading import Number, checked_record

MIXED = ("evidence", "sceptical")
"""Stances that may be mixed: full joint beliefs, each with priors of its own."""

_TOLERANCE = 1e-9
_FIELD = "mixture"

Weight = Annotated[Number, Field(ge=0.0, le=1.0)]


class Mixture(BaseModel):
    """How much each stance is believed; the weights sum to 1 and are never rescaled.

    Parameters
    ----------
    evidence, sceptical : float, 0 to 1
        Probability that the world is as the stance holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    evidence: Weight
    sceptical: Weight

    @model_validator(mode="before")
    @classmethod
    def _is_no_review(cls, written: Any) -> Any:
        if isinstance(written, Mapping) and "review" in written:
            raise refused_review("mixed with other stances")
        return written

    @model_validator(mode="after")
    def _sums_to_one(self) -> Mixture:
        total = self.evidence + self.sceptical
        if abs(total - 1.0) > _TOLERANCE:
            raise InputError(
                "the weights of the stances do not sum to 1",
                found=f"evidence {self.evidence:g}, sceptical {self.sceptical:g}: {total:g} in all",
                allowed="weights from 0 to 1 that sum to 1",
                cause="one weight changed without the other, or per cent for a proportion",
                remedy="state both again; they are never rescaled",
            )
        return self


def refused_review(use: str) -> InputError:
    """Return the error for a use of the `review` stance that it does not have.

    Parameters
    ----------
    use : str
        What was asked, such as ``"mixed with other stances"``.

    Returns
    -------
    InputError

    Examples
    --------
    >>> refused_review("mixed with other stances").problem
    '`review` cannot be mixed with other stances'
    """
    return InputError(
        f"`review` cannot be {use}",
        field="review",
        found="review",
        allowed=", ".join(MIXED),
        cause="review is the evidence conditioned on its own claims: it says what one would need to believe, "
        "and is nobody's probability",
        remedy="use evidence, sceptical or a mixture of the two; read review beside them",
    )


def refuse_review(stance: str, *, use: str) -> None:
    """Refuse `review` where a probability is needed, such as for the value of information.

    Parameters
    ----------
    stance : str
        Of the draws in hand.
    use : str
        What they were to be used for, after "cannot be".

    Raises
    ------
    InputError
        If the stance is ``review``.

    Examples
    --------
    >>> refuse_review("evidence", use="used for the value of information")
    """
    if stance == "review":
        raise refused_review(use)


def stance_weights(written: Mixture | Mapping[str, float] | None) -> Mixture:
    """Return checked weights from an analysis or from a call.

    Parameters
    ----------
    written : Mixture, mapping of stance to weight, or None
        None where neither the analysis nor the call has any.

    Returns
    -------
    Mixture

    Raises
    ------
    InputError
        If there are none, `review` is among them, a stance is unknown or missing, or they do not sum to 1.

    Examples
    --------
    >>> stance_weights({"evidence": 0.7, "sceptical": 0.3}).sceptical
    0.3
    """
    if isinstance(written, Mixture):
        return written
    if written is None:
        raise InputError(
            "a mixture has no weights",
            field=_FIELD,
            allowed="[mixture] evidence = 0.7, sceptical = 0.3, or any two weights that sum to 1",
            cause="the stance named without its table",
            remedy="write [mixture] in the analysis, or give `weights`; there is no default",
        )
    return checked_record(Mixture, dict(written), file="weights of the mixture", field=_FIELD)
