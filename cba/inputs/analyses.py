"""Load the specification of an analysis: one TOML file, checked against the published tables and options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cba.errors import InputError, Rule, refuse_broken
from cba.inputs.data_sources import Data
from cba.inputs.files import (
    analysis_file,
    analysis_names,
    fingerprint,
    nearest,
    read_toml,
    reading_from,
    same_name,
)
from cba.inputs.options import Option, load_options, named_options, refuse_unknown_areas
from cba.inputs.releases.snapshots import NEWEST, chosen_folder, newest_release, snapshot_asked, years_held
from cba.inputs.written_records import Day, Number, Switch, Text, Whole, WrittenRecord, checked_record

# --- The weights of a mixture of stances, as written in an analysis or handed to an appraisal ---


MIXED = ("evidence", "sceptical")
"""Stances that may be mixed: full joint beliefs, each with priors of its own."""


_TOLERANCE = 1e-9


_FIELD = "mixture"


Weight = Annotated[Number, Field(ge=0.0, le=1.0)]


class Mixture(WrittenRecord):
    """How much each stance is believed; the weights sum to 1 and are never rescaled."""

    # evidence and sceptical: probability that the world is as the stance holds.
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
            ).advice(
                "one weight changed without the other, or per cent for a proportion",
                remedy="state both again; they are never rescaled",
            )
        return self


def refused_review(use: str) -> InputError:
    """Return the error for a use of the `review` stance that it does not have.

    `use`: what was asked, such as ``"mixed with other stances"``.
    """
    return InputError(
        f"`review` cannot be {use}", field="review", found="review", allowed=", ".join(MIXED)
    ).advice(
        "review is the evidence conditioned on its own claims: it says what one would need to believe, "
        "and is nobody's probability",
        remedy="use evidence, sceptical or a mixture of the two; read review beside them",
    )


def refuse_review(stance: str, *, use: str) -> None:
    """Refuse `review` where a probability is needed, such as for the value of information.

    `use`: what they were to be used for, after "cannot be".
    """
    if stance == "review":
        raise refused_review(use)


def stance_weights(written: Mixture | Mapping[str, float] | None) -> Mixture:
    """Return checked weights from an analysis or from a call.

    `written`, mapping of stance to weight, or None: none where neither the analysis nor the call has any.
    """
    if isinstance(written, Mixture):
        return written
    if written is None:
        raise InputError(
            "a mixture has no weights",
            field=_FIELD,
            allowed="[mixture] evidence = 0.7, sceptical = 0.3, or any two weights that sum to 1",
        ).advice(
            "the stance named without its table",
            remedy="write [mixture] in the analysis, or give `weights`; there is no default",
        )
    return checked_record(Mixture, dict(written), file="weights of the mixture", field=_FIELD)


# --- The record of an analysis: every setting a run depends on beside its inputs ---


Stance = Literal["evidence", "sceptical", "mixture", "review"]


Schedule = Literal[
    "green_book_2026", "green_book_2026_health", "green_book_2026_reduced", "review_2026_flat_3"
]


Frame = Literal["review_2022", "latest"]


Count = Annotated[Whole, Field(ge=1)]


Year = Annotated[Whole, Field(ge=2000, le=2100)]


STORE_NAMES = ("failed", "published")
"""Entries that the store makes in the folder of an analysis: no analysis may bear their names."""


MOST_MEMORY_GB = 64
"""Memory a run may need: the draws asked for must fit a large machine."""


BYTES_A_CELL = 2_500
"""Memory of a run by draw, option and year of the long horizon: 800 as measured for each of three stances."""


class Gates(WrittenRecord):
    """Limits the draws of a fit must meet before anything is computed from them; looser ones are said aloud."""

    rhat: Annotated[Number, Field(gt=1.0, le=1.1)] = 1.01
    ess: Annotated[Number, Field(ge=100, le=1_000_000)] = 400
    bfmi: Annotated[Number, Field(ge=0.1, le=1.0)] = 0.3
    divergences: Annotated[Whole, Field(ge=0, le=100)] = 0

    def loosened(self) -> tuple[str, ...]:
        """Say which gates let through more than they do where an analysis does not set them."""
        return tuple(
            f"gates.{name} is {value:g}, looser than the usual {usual:g}"
            for name, field in Gates.model_fields.items()
            if (value := getattr(self, name)) != (usual := field.default)
            and (value > usual) == (name in ("rhat", "divergences"))
        )


class Precision(WrittenRecord):
    """Monte Carlo error a run is asked to stay below; it adds draws until it does or says that it did not."""

    # Of the mean net present value of every option, GBP of the price base.
    npv: Annotated[Number, Field(gt=0.0, le=1e10)]
    probability: Annotated[Number, Field(gt=0.0, lt=0.5)]
    most_draws: Count  # draws beyond which none are added


class Scenarios(WrittenRecord):
    """Switches that change an input for the whole run; None leaves it as published."""

    # Price year given to the review's figures, whose own price base is not stated.
    review_price_year: Annotated[Whole, Field(ge=2015, le=2030)] | None = None
    # First of the four years after service in which deferred starts happen; None: after the follow-up of the studies.
    returns_after: Annotated[Whole, Field(ge=1, le=10)] | None = None
    # What overruns: no money, what fixed money buys, or all money; None is demand-led money alone.
    overrun: Literal["none", "delivery", "money"] | None = None


class Analysis(WrittenRecord):
    """A checked specification; see `load_analysis`."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    # name and title: name of the file and of the folder of runs; heading of the report.
    name: Annotated[Text, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
    title: Annotated[Text, Field(max_length=300)]
    frame: Frame | None = None  # taken from the name where that is a frame
    # release and evidence_until: children-looked-after release (``newest`` in a file stands for the newest held, from
    # which start_year and price_base then follow where they are left out) and last year of evidence admitted.
    release: Year
    evidence_until: Year
    # Beliefs to appraise under; the first is the headline.
    stances: Annotated[tuple[Stance, ...], Field(min_length=1)] = ("evidence", "sceptical", "review")
    # The first is ``bau``, to which the others are compared.
    options: Annotated[tuple[Text, ...], Field(min_length=2, max_length=60)]
    # The option a report follows; where left out, the first but ``bau`` (see `lead_among`).
    lead: Text | None = None
    # start_year, horizon, long_horizon: first year (ending 31 March) and numbers of years; the long one is
    # the sensitivity.
    start_year: Year
    horizon: Annotated[Whole, Field(ge=1, le=60)] = 10
    long_horizon: Annotated[Whole, Field(ge=1, le=60)] = 30
    target_year: Year  # year ending 31 March of the claim on children in care
    price_base: Year  # year ending 31 March in whose prices money is reported
    schedule: Schedule = "green_book_2026"
    # Whether flows are discounted to the middle of their year; year 0 undiscounted otherwise.
    mid_year: Switch = False
    level: Annotated[Number, Field(gt=0.5, lt=0.999)] = 0.9  # probability of the equal-tailed intervals
    # draws, tune, chains, seed: draws in all, warm-up draws per chain, chains, seed.
    draws: Count
    tune: Annotated[Whole, Field(ge=1, le=50_000)]
    chains: Annotated[Whole, Field(ge=2, le=16)]
    seed: Annotated[Whole, Field(ge=0, lt=2**32)]
    gates: Gates = Gates()
    data: Data = Data()
    scenarios: Scenarios = Scenarios()
    mixture: Mixture | None = None  # weights of the stance ``mixture``
    # Options of the user's own files, which the specification names by path.
    own_options: tuple[Option, ...] = ()
    # Tolerated shift by headline quantity beyond which a run waits for a person: widths of its interval,
    # or probability.
    hold: dict[Text, Annotated[Number, Field(gt=0.0, le=1.0)]] = {}
    precision: Precision | None = None  # Monte Carlo error asked for; None takes the draws as they are
    # commissioner, analyst, assurer, approver: who asked for, made, checked and released the analysis;
    # printed in the report.
    commissioner: Text | None = None
    analyst: Text | None = None
    assurer: Text | None = None
    approver: Text | None = None
    review_by: Day | None = None  # day after which the analysis is not to be used unreviewed

    @model_validator(mode="after")
    def _holds_together(self) -> Analysis:
        refuse_broken(_RULES, self)
        return self

    @property
    def lead_option(self) -> str:
        """Return the option the report follows."""
        return lead_among(self.options, lead=self.lead)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the specification: same settings, same fingerprint, whatever the layout."""
        return fingerprint(self.model_dump(mode="json"))


def lead_among(options: Iterable[str], *, lead: str | None) -> str:
    """Return the option a report follows: `lead` where it is among the options, else the first but ``bau``."""
    others = [option for option in options if option != "bau"]
    return lead if lead in others else others[0]


def _last_year(analysis: Analysis) -> int:
    return analysis.start_year + analysis.long_horizon - 1


def memory_needed(analysis: Analysis, draws: int) -> float:
    """Return the memory that a run with so many draws needs, GB."""
    return draws * len(analysis.options) * analysis.long_horizon * BYTES_A_CELL / 1e9


def _drawn(field: str, number: Callable[[Analysis], int]) -> Rule:
    """A number of draws whose run must fit into memory."""

    def most(analysis: Analysis) -> str:
        fit = int(MOST_MEMORY_GB / memory_needed(analysis, 1))
        return f"up to {fit:,} with {len(analysis.options)} options over {analysis.long_horizon} years"

    return (
        Rule(
            field,
            lambda a: memory_needed(a, number(a)) > MOST_MEMORY_GB,
            lambda a: f"{number(a):,} draws, about {memory_needed(a, number(a)):,.0f} GB of memory",
        )
        .wrong(f"a run would need more than {MOST_MEMORY_GB} GB of memory", allowed=most)
        .advice("zeros too many", remedy="ask for fewer draws, options or years; 4,000 draws are usual")
    )


def _other_person(field: str) -> Rule:
    """Who checks or releases an analysis is not who made it."""
    return (
        Rule(field, lambda a: same_name(a.analyst, getattr(a, field)))
        .wrong(
            f"the {field} is the analyst",
            allowed=lambda a: f"somebody other than {a.analyst}, in the same alphabet",
        )
        .advice(
            "one name in both fields, or letters of another alphabet that look the same",
            remedy=f"name who did check it, or leave {field} out: nobody has yet",
        )
    )


def _repeated(field: str) -> Rule:
    """A list that must not name anything twice."""
    return (
        Rule(
            field,
            lambda analysis: len(set(getattr(analysis, field))) != len(getattr(analysis, field)),
            lambda analysis: list(getattr(analysis, field)),
        )
        .wrong("a name is listed twice", allowed="each once")
        .advice("a copied line", remedy="remove one")
    )


_RULES = (
    Rule("stances", lambda a: a.stances[0] == "review", lambda a: list(a.stances))
    .wrong("`review` cannot be the headline stance", allowed="evidence or sceptical first")
    .advice(
        "review is the evidence conditioned on the claims, not a belief of its own",
        remedy="put evidence first",
    ),
    Rule(
        "stances", lambda a: "review" in a.stances and "evidence" not in a.stances, lambda a: list(a.stances)
    )
    .wrong("`review` is asked for without `evidence`", allowed="evidence beside review")
    .advice("review conditions the draws of evidence", remedy="add evidence"),
    Rule(
        "mixture",
        lambda a: ("mixture" in a.stances) != (a.mixture is not None),
        lambda a: "weights without the stance" if a.mixture else "a stance without weights",
    )
    .wrong(
        "the stance `mixture` and its weights do not come together",
        allowed='both: "mixture" among the stances, and [mixture] with a weight for each stance mixed',
    )
    .advice(
        "one of the two left out",
        remedy=lambda a: (
            'add "mixture" to the stances, or remove the weights'
            if a.mixture
            else "write [mixture] evidence = 0.7, sceptical = 0.3"
        ),
    ),
    _repeated("stances"),
    _repeated("options"),
    Rule("options", lambda a: a.options[0] != "bau", lambda a: a.options[0])
    .wrong("the first option is not business as usual", allowed="bau first")
    .advice("options sorted by name", remedy="put bau first: the others are compared with it"),
    Rule("lead", lambda a: a.lead is not None and a.lead not in a.options[1:])
    .wrong("the lead option is not among the options", allowed=lambda a: ", ".join(a.options[1:]))
    .advice(
        "an option renamed or removed, or bau named",
        remedy="name an option of the analysis, or leave lead out: the first but bau then leads",
    ),
    Rule("start_year", lambda a: a.start_year <= a.release)
    .wrong(
        "the analysis starts in a year that is already observed",
        allowed=lambda a: f"after {a.release}, the last year of release {a.release}",
    )
    .advice("first calendar year written for the year ending 31 March", remedy="2022-23 is 2023"),
    Rule("target_year", lambda a: not a.start_year <= a.target_year <= _last_year(a))
    .wrong(
        "the target year lies outside the projection", allowed=lambda a: f"{a.start_year} to {_last_year(a)}"
    )
    .advice("a start or horizon changed without the target", remedy="correct one of the three"),
    Rule("long_horizon", lambda a: a.long_horizon < a.horizon)
    .wrong("the long horizon is shorter than the horizon", allowed=lambda a: f"{a.horizon} or more")
    .advice("the two swapped", remedy="correct one"),
    Rule("evidence_until", lambda a: a.evidence_until > a.start_year)
    .wrong(
        "evidence is admitted from after the start of the programme",
        allowed=lambda a: f"up to {a.start_year}",
    )
    .advice("a frame moved back without its evidence", remedy="correct evidence_until or start_year"),
    Rule("draws", lambda a: a.draws % a.chains, lambda a: f"{a.draws} draws, {a.chains} chains")
    .wrong("draws are not a multiple of chains", allowed="a multiple of chains")
    .advice("draws are counted over all chains", remedy="change one of the two"),
    _drawn("draws", lambda a: a.draws),
    _drawn("precision.most_draws", lambda a: a.precision.most_draws if a.precision else 0),
    Rule(
        "precision.most_draws",
        lambda a: a.precision is not None and a.precision.most_draws < a.draws,
        lambda a: a.precision.most_draws,
    )
    .wrong("the most draws are fewer than the draws", allowed=lambda a: f"{a.draws} or more")
    .advice("a zero left out, or draws raised without it", remedy="correct one of the two"),
    Rule("name", lambda a: a.name in STORE_NAMES)
    .wrong("an analysis has a name that the store of runs uses itself", allowed="another name")
    .advice("a file named after what became of a run", remedy="rename the file and its name"),
    _other_person("assurer"),
    _other_person("approver"),
    Rule("review_by", lambda a: a.review_by is not None and a.review_by.year < a.release)
    .wrong(
        "the analysis is to be reviewed before its data were published",
        allowed=lambda a: f"a day of {a.release} or later",
    )
    .advice("a day copied from an older analysis", remedy="give the day after which it is not to be used"),
)


def stored_analysis(settings: Any, *, file: str | Path, field: str = "") -> Analysis:
    """Return the specification that a file of a stored run holds."""
    if (
        isinstance(settings, Mapping) and settings.get("long", 0) is None
    ):  # a field of runs before, never read
        settings = {name: value for name, value in settings.items() if name != "long"}
    try:
        return checked_record(Analysis, settings, file=file, field=field)
    except InputError as error:
        raise error.changed(
            f"the settings of a stored run do not fit this version: {error.problem}",
            cause="stored by another version",
            remedy="compare runs of this version, or run the analysis again",
        ) from None


# --- Reading: the file of an analysis, the folder of published tables it asks for, its options ---


@contextmanager
def tables_of(analysis: Analysis, *, store: Path | None = None) -> Iterator[Path]:
    """Let every reader of published tables take those that an analysis asks for.

    Yields the folder in force while the block runs; one put in force before is left as it is. `store`: folder
    of snapshots, in place of the analysis's own.
    """
    folder = chosen_folder(analysis.data, store=store)
    with reading_from(published=folder):
        yield folder


def load_analysis(path_or_name: str | Path, *, options_path: str | Path | None = None) -> Analysis:
    """Load and check the specification of an analysis.

    Parameters
    ----------
    path_or_name : str or Path
        A ``.toml`` file, or the name of one: ``reports/<name>.toml`` in the current folder first, then the
        shipped analyses.
    options_path : str or Path, optional
        Folder of option files; the shipped ones by default.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        No such analysis (lists the known ones); an unknown field, option, stance, schedule or release; years
        that do not fit together; a price base the deflator does not reach; draws not a multiple of chains.

    Examples
    --------
    >>> analysis = load_analysis("latest")
    >>> analysis.options[0], analysis.level
    ('bau', 0.9)
    """
    file = _file_of(path_or_name)
    written = _with_newest(read_toml(file), file=file)
    written = _with_own_options(written, file=file, options_path=options_path)
    analysis = checked_record(Analysis, _with_frame(written), file=file)
    if analysis.name != file.stem:
        raise InputError(
            "the name of an analysis is not the name of its file",
            file=file,
            field="name",
            found=analysis.name,
            allowed=file.stem,
        ).advice("a file copied and not renamed", remedy="make name and file name the same")
    _check_published(analysis, file=file)
    _check_options(analysis, file=file, options_path=options_path)
    return analysis


def load_data(path_or_name: str | Path) -> Data:
    """Load the ``[data]`` table of an analysis alone: its release may still have to arrive."""
    file = _file_of(path_or_name)
    return checked_record(Data, read_toml(file).get("data", {}), file=file, field="data")


def _file_of(path_or_name: str | Path) -> Path:
    """Return the file a path or a name stands for."""
    text = str(path_or_name)
    if text.endswith(".toml") or "/" in text or "\\" in text:
        return Path(path_or_name)
    file = analysis_file(text)
    if file is None:
        names = analysis_names()
        raise InputError(
            "an unknown analysis",
            file=f"reports/{text}.toml",
            found=text,
            allowed=", ".join(names) or "none shipped",
        ).advice(
            "a misspelt name, or another working folder",
            remedy="use a known name or give the path of a .toml file" + nearest(text, names),
        )
    return file


def _with_frame(written: dict[str, Any]) -> dict[str, Any]:
    """Fill in the frame where the name of the analysis is one."""
    name = written.get("name")
    return (
        written if "frame" in written or name not in ("review_2022", "latest") else {**written, "frame": name}
    )


def _with_newest(written: dict[str, Any], *, file: Path) -> dict[str, Any]:
    """Put the newest release held in the place of its word, and what follows from it where that is left out.

    Programmes begin in the financial year after the release came out, which is the second after its data end.
    """
    if written.get("release") != NEWEST:
        return written
    data = written.get("data", {}) | {"snapshot": snapshot_asked(written)}
    release = newest_release(chosen_folder(checked_record(Data, data, file=file, field="data")))
    follows = {"start_year": release + 2, "price_base": release}
    return follows | written | {"release": release, "data": data}


def _with_own_options(
    written: dict[str, Any], *, file: Path, options_path: str | Path | None
) -> dict[str, Any]:
    """Replace the paths of option files by their ids and keep the options they hold in the record."""
    if "own_options" in written:
        raise InputError(
            "an unknown field", file=file, field="own_options", allowed="paths of option files in `options`"
        ).advice(
            "the settings of a stored run copied", remedy="write each option into a file and name its path"
        )
    names = written.get("options")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return written
    ids, own = named_options(names, beside=file.parent, path=options_path)
    return written | {"options": list(ids), "own_options": own}


def _check_published(analysis: Analysis, *, file: Path) -> None:
    """Refuse a release that the tables do not hold and a price base beyond the deflator."""
    folder = chosen_folder(analysis.data)
    releases = years_held(folder / "england_children.csv", "release")
    if analysis.release not in releases:
        raise InputError(
            "an unknown release",
            file=file,
            field="release",
            found=analysis.release,
            allowed=", ".join(map(str, releases)),
        ).advice(
            "release 2020 was not published in this form, or the release is not loaded yet",
            remedy="use a listed release, or load the new one with `cba update`",
        )
    deflator = years_held(folder / "gdp_deflator.csv", "year")
    if not deflator[0] <= analysis.price_base <= deflator[-1]:
        raise InputError(
            "the deflator does not reach the price base",
            file=file,
            field="price_base",
            found=analysis.price_base,
            allowed=f"{deflator[0]} to {deflator[-1]} (years ending 31 March)",
        ).advice("a year beyond the official forecast", remedy="choose a year the deflator covers")


def _check_options(analysis: Analysis, *, file: Path, options_path: str | Path | None) -> None:
    """Refuse unknown options and options that do not belong to the frame."""
    try:
        options = load_options(analysis.options, options_path, own=analysis.own_options)
    except InputError as error:
        if error.details["field"] != "options":
            raise  # a mistake inside an option file, which the message names
        raise error.changed(file=file, field="options") from None
    with reading_from(published=chosen_folder(analysis.data)):
        for option in options:
            refuse_unknown_areas(option, file=file, year=analysis.release)
    frame = analysis.frame
    for option in [one for one in options if frame and frame not in one.frames]:
        raise InputError(
            "an option does not belong to the frame of the analysis",
            file=file,
            field="options",
            found=f"{option.id} in frame {frame}",
            allowed=", ".join(option.frames),
        ).advice(
            "money already spent in this frame, or not yet announced",
            remedy="remove the option, or add the frame to its file",
        )
