"""The names of all uncertain inputs that this version draws, and the refusal of draws that lack some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cba.errors import InputError

LEVEL = "baseline.level_"
"""Beginning of the names of the last fitted levels of rates."""

_FITTED = ("baseline.", "effects.")
"""Groups of the registry that are priors of the fitted models."""


class DrawsOfAnotherVersion(InputError):
    """Stored draws lack an uncertain input that this version of the package draws."""


def drawn_inputs(registry: Iterable[str]) -> frozenset[str]:
    """Return the name of every uncertain input that a joint draw of this version holds.

    Parameters
    ----------
    registry : iterable of str
        Names of the entries of the prior registry.

    Returns
    -------
    frozenset of str
        What :func:`cba.models.parameters.joint_parameters` draws: entries of the registry but for those that
        enter through the fits, and what the fits, the totals and the unit costs add.

    Examples
    --------
    >>> found = drawn_inputs(["effects.transport", "foster.attrition"])
    >>> "foster.attrition" in found, "effects.transport" in found, "baseline.level_log_closure_rate" in found
    (True, False, True)
    """
    from cba.models.baseline import TOTALS  # loads the sampler: only where draws are looked through
    from cba.models.flow_rates import SERIES
    from cba.models.parameters import ROLL_OUT, STRAIGHT
    from cba.models.unit_costs import NAMES, SETS

    return frozenset(
        (
            *(name for name in registry if name in STRAIGHT or not name.startswith(_FITTED)),
            *ROLL_OUT.values(),
            *(f"{cost}_{part}" for cost in NAMES.values() for part in ("growth", "level", "surprise")),
            *(f"{costs}.{share}" for costs in SETS for share in ("lasting_share", "error_share")),
            *(f"baseline.{name}" for name in TOTALS),
            *(f"{LEVEL}{series}" for series in SERIES),
        )
    )


def refuse_draws_of_another_version(drawn: Collection[str], *, registry: Iterable[str]) -> None:
    """Refuse draws that lack an input of this version.

    Parameters
    ----------
    drawn : collection of str
        Names of what was drawn.
    registry : iterable of str
        Names of the entries of the prior registry.

    Raises
    ------
    DrawsOfAnotherVersion
        Names every input that is not there.

    Examples
    --------
    >>> refuse_draws_of_another_version(drawn_inputs(["foster.attrition"]), registry=["foster.attrition"])
    """
    missing = sorted(drawn_inputs(registry) - set(drawn))
    if missing:
        raise DrawsOfAnotherVersion(
            "the draws lack uncertain inputs of this version",
            field="parameters",
            found=f"no draws of {', '.join(missing)}",
            allowed="draws of every uncertain input",
            cause="a run stored by another version of the package",
            remedy="run the analysis again",
        )
