"""The record of an analysis: every setting a run depends on beside its inputs, and how they must agree."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cba.errors import InputError
from cba.inputs.data_records import Data
from cba.inputs.option_records import Option
from cba.inputs.stance_weights import Mixture
from cba.inputs.toml_reading import Number, Switch, Text, Whole, fingerprint

Stance = Literal["evidence", "sceptical", "mixture", "review"]
Schedule = Literal[
    "green_book_2026", "green_book_2026_health", "green_book_2026_reduced", "review_2026_flat_3"
]
Frame = Literal["review_2022", "latest"]
Count = Annotated[Whole, Field(ge=1)]
Year = Annotated[Whole, Field(ge=2000, le=2100)]


class Gates(BaseModel):
    """Limits the draws of a fit must meet before anything is computed from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rhat: Annotated[Number, Field(gt=1.0, le=1.1)] = 1.01
    ess: Annotated[Number, Field(ge=1)] = 400
    bfmi: Annotated[Number, Field(ge=0.0, le=1.0)] = 0.3
    divergences: Annotated[Whole, Field(ge=0)] = 0


class Precision(BaseModel):
    """Monte Carlo error a run is asked to stay below; it adds draws until it does or says that it did not.

    Parameters
    ----------
    npv : float
        Of the mean net present value of every option, GBP of the price base.
    probability : float
        Of every headline probability, 0 to 0.5.
    most_draws : int
        Draws beyond which none are added.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    npv: Annotated[Number, Field(gt=0.0)]
    probability: Annotated[Number, Field(gt=0.0, lt=0.5)]
    most_draws: Count


class Scenarios(BaseModel):
    """Switches that change an input for the whole run; None leaves it as published.

    Parameters
    ----------
    review_price_year : int or None
        Price year given to the review's figures, whose own price base is not stated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    review_price_year: Annotated[Whole, Field(ge=2015, le=2030)] | None = None


class Analysis(BaseModel):
    """A checked specification; see :func:`load_analysis`.

    Parameters
    ----------
    name, title : str
        Name of the file and of the folder of runs; heading of the report.
    frame : {"review_2022", "latest"} or None
        As it would have looked when; taken from the name where that is a frame.
    release, evidence_until : int
        Children-looked-after release and last year of evidence admitted.
    stances : tuple of str
        Beliefs to appraise under; the first is the headline.
    options : tuple of str
        The first is ``bau``, to which the others are compared.
    start_year, horizon, long_horizon : int
        First year (ending 31 March) and numbers of years; the long one is the sensitivity.
    target_year : int
        Year ending 31 March of the claim on children in care.
    price_base : int
        Year ending 31 March in whose prices money is reported.
    schedule : str
        Discount schedule.
    mid_year : bool
        Whether flows are discounted to the middle of their year; year 0 undiscounted otherwise.
    level : float
        Probability of the equal-tailed intervals.
    draws, tune, chains, seed : int
        Draws in all, warm-up draws per chain, chains, seed.
    long : str or None
        Path of a long-run series of children in care held by the user, relative to the file.
    mixture : Mixture or None
        Weights of the stance ``mixture``.
    hold : dict of str to float
        Tolerated shift by headline quantity beyond which a run waits for a person.
    precision : Precision or None
        Monte Carlo error asked for; None takes the draws as they are.
    commissioner, analyst, assurer, approver : str or None
        Who asked for, made, checked and released the analysis; printed in the report.
    review_by : date or None
        Day after which the analysis is not to be used unreviewed.
    own_options : tuple of Option
        Options of the user's own files, which the specification names by path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    name: Annotated[Text, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    frame: Frame | None = None
    release: Year
    evidence_until: Year
    stances: Annotated[tuple[Stance, ...], Field(min_length=1)] = ("evidence", "sceptical", "review")
    options: Annotated[tuple[Text, ...], Field(min_length=2)]
    start_year: Year
    horizon: Annotated[Whole, Field(ge=1, le=60)] = 10
    long_horizon: Annotated[Whole, Field(ge=1, le=60)] = 30
    target_year: Year
    price_base: Year
    schedule: Schedule = "green_book_2026"
    mid_year: Switch = False
    level: Annotated[Number, Field(gt=0.5, lt=0.999)] = 0.9
    draws: Count
    tune: Count
    chains: Annotated[Whole, Field(ge=2, le=16)]
    seed: Annotated[Whole, Field(ge=0)]
    long: Text | None = None
    gates: Gates = Gates()
    data: Data = Data()
    scenarios: Scenarios = Scenarios()
    mixture: Mixture | None = None
    own_options: tuple[Option, ...] = ()
    hold: dict[Text, Number] = {}
    precision: Precision | None = None
    commissioner: Text | None = None
    analyst: Text | None = None
    assurer: Text | None = None
    approver: Text | None = None
    review_by: date | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Analysis:
        _check_stances(self)
        _check_lists(self)
        _check_years(self)
        _check_draws(self)
        return self

    def fingerprint(self) -> str:
        """Return the SHA-256 of the specification: same settings, same fingerprint, whatever the layout."""
        return fingerprint(self.model_dump(mode="json"))


def _check_stances(analysis: Analysis) -> None:
    if "review" in analysis.stances and analysis.stances.index("review") == 0:
        raise InputError(
            "`review` cannot be the headline stance",
            field="stances",
            found=list(analysis.stances),
            allowed="evidence or sceptical first",
            cause="review is the evidence conditioned on the claims, not a belief of its own",
            remedy="put evidence first",
        )
    if "review" in analysis.stances and "evidence" not in analysis.stances:
        raise InputError(
            "`review` is asked for without `evidence`",
            field="stances",
            found=list(analysis.stances),
            allowed="evidence beside review",
            cause="review conditions the draws of evidence",
            remedy="add evidence",
        )
    if ("mixture" in analysis.stances) != (analysis.mixture is not None):
        asked = "mixture" in analysis.stances
        raise InputError(
            "the stance `mixture` and its weights do not come together",
            field="mixture",
            found="a stance without weights" if asked else "weights without the stance",
            allowed='both: "mixture" among the stances, and [mixture] with a weight for each stance mixed',
            cause="one of the two left out",
            remedy="write [mixture] evidence = 0.7, sceptical = 0.3"
            if asked
            else 'add "mixture" to the stances, or remove the weights',
        )


def _check_lists(analysis: Analysis) -> None:
    for field in ("stances", "options"):
        values = getattr(analysis, field)
        if len(set(values)) != len(values):
            raise InputError(
                "a name is listed twice",
                field=field,
                found=list(values),
                allowed="each once",
                cause="a copied line",
                remedy="remove one",
            )
    if analysis.options[0] != "bau":
        raise InputError(
            "the first option is not business as usual",
            field="options",
            found=analysis.options[0],
            allowed="bau first",
            cause="options sorted by name",
            remedy="put bau first: the others are compared with it",
        )


def _check_years(analysis: Analysis) -> None:
    last = analysis.start_year + analysis.long_horizon - 1
    if analysis.start_year <= analysis.release:
        raise InputError(
            "the analysis starts in a year that is already observed",
            field="start_year",
            found=analysis.start_year,
            allowed=f"after {analysis.release}, the last year of release {analysis.release}",
            cause="first calendar year written for the year ending 31 March",
            remedy="2022-23 is 2023",
        )
    if not analysis.start_year <= analysis.target_year <= last:
        raise InputError(
            "the target year lies outside the projection",
            field="target_year",
            found=analysis.target_year,
            allowed=f"{analysis.start_year} to {last}",
            cause="a start or horizon changed without the target",
            remedy="correct one of the three",
        )
    if analysis.long_horizon < analysis.horizon:
        raise InputError(
            "the long horizon is shorter than the horizon",
            field="long_horizon",
            found=analysis.long_horizon,
            allowed=f"{analysis.horizon} or more",
            cause="the two swapped",
            remedy="correct one",
        )
    if analysis.evidence_until >= analysis.start_year + 1:
        raise InputError(
            "evidence is admitted from after the start of the programme",
            field="evidence_until",
            found=analysis.evidence_until,
            allowed=f"up to {analysis.start_year}",
            cause="a frame moved back without its evidence",
            remedy="correct evidence_until or start_year",
        )


def _check_draws(analysis: Analysis) -> None:
    if analysis.draws % analysis.chains:
        raise InputError(
            "draws are not a multiple of chains",
            field="draws",
            found=f"{analysis.draws} draws, {analysis.chains} chains",
            allowed="a multiple of chains",
            cause="draws are counted over all chains",
            remedy="change one of the two",
        )
