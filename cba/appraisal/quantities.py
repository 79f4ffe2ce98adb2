"""The headline quantities: one entry says how each is drawn, named, printed, held, spoken of and compared.

Before the entries stand the summaries they are told in, and what they are drawn from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cba.costs.account import total_cost, total_saving
from cba.decisions.draws import mcse_mean, mcse_probability
from cba.decisions.ratios import payback_year
from cba.discounting import discount_factors
from cba.inputs.analyses import lead_among
from cba.inputs.evidence import load_claims
from cba.inputs.options import DO_MINIMUM

if TYPE_CHECKING:
    from cba.appraisal.workings import Workings

# --- Which of many findings stand clear of Monte Carlo error: at three errors, or more where very many are tried ---

ERRORS = 3.0
"""Errors a finding must be from nought, however few are tried."""


BY_CHANCE = 0.05
"""Chance that one or more of all that are tried is let in by error alone."""


def errors_asked(tried: int) -> float:
    """How many errors a finding must be from nought, given how many are tried.

    ``max(3, z)``, z the normal quantile at ``1 - 0.05 / (2 tried)``. `tried`: findings looked at, 1 or more.
    """
    # Bonferroni's bound: of ``tried`` findings that are nought, each is beyond z errors with probability
    # ``0.05 / tried``, so that any is with 0.05 at most.
    return max(ERRORS, NormalDist().inv_cdf(1.0 - BY_CHANCE / (2.0 * tried)))


def clear_of_chance(found: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Say which findings are not nought and further from it than error explains.

    Shape (finding,). A finding of exactly nought is never clear, even without an error. `found` (finding,).
    """
    size = np.abs(np.asarray(found, dtype=float))
    limit = errors_asked(max(size.size, 1)) * np.asarray(errors, dtype=float)
    return (size > 0.0) & (size >= limit)


# --- Summaries of draws: mean, median, equal-tailed interval and Monte Carlo standard error ---


Summary = dict[str, Any]
"""Label, unit, mean, median, lower, upper, level and mcse; None where undefined."""


def interval(draws: np.ndarray, *, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Equal-tailed interval that holds `level` of the draws along their first axis.

    Returns `lower`, `upper`: quantiles ``(1 - level) / 2`` and ``(1 + level) / 2``. `level`, in (0, 1).
    """
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return lower, upper


def spread_at(level: float, draws: np.ndarray, of: str = "", *, median: bool = False) -> dict[str, Any]:
    """Mean and limits of draws over their first axis, `of` before each name; with the median if asked."""
    lower, upper = interval(draws, level=level)
    middle = {f"{of}median": np.median(draws, axis=0)} if median else {}
    return {f"{of}mean": draws.mean(axis=0), **middle, f"{of}lower": lower, f"{of}upper": upper}


def quantity(draws: np.ndarray, *, label: str, unit: str, level: float, chains: int | None) -> Summary:
    """Headline entry of a quantity.

    Label, unit, mean, median, lower, upper, level and the Monte Carlo standard error of the mean.
    """
    found = {name: float(value) for name, value in spread_at(level, draws, median=True).items()}
    return {"label": label, "unit": unit, **found, "level": level, "mcse": mcse_mean(draws, chains=chains)}


def probability(event: np.ndarray, *, label: str, chains: int | None) -> Summary:
    """Headline entry of a probability: mean and standard error only.

    An event that happened in no draw, or in all, still has an error: half an event in the draws made.
    """
    found = {"mean": float(event.mean()), "mcse": mcse_probability(event, chains=chains)}
    return undefined(label=label, unit="probability") | found


def undefined(*, label: str, unit: str) -> Summary:
    """Headline entry of a quantity that is not defined. Every number is None."""
    numbers = dict.fromkeys(("mean", "median", "lower", "upper", "level", "mcse"))
    return {"label": label, "unit": unit, **numbers}


def payback(draws: np.ndarray, *, label: str, level: float) -> Summary:
    """Headline entry of a payback year, where NaN means never within the horizon.

    Never counts as later than any year, so a quantile that falls on it is undefined, as is the mean as soon
    as one draw never pays back. `draws`: years ending 31 March, NaN for never.
    """
    late = np.sort(np.where(np.isnan(draws), np.inf, draws))
    tail = (1.0 - level) / 2.0

    def at(share: float) -> float | None:
        value = late[min(int(np.ceil(share * late.size)) - 1, late.size - 1)]
        return float(value) if np.isfinite(value) else None

    mean = None if np.isnan(draws).any() else float(draws.mean())
    found = {"mean": mean, "median": at(0.5), "lower": at(tail), "upper": at(1.0 - tail), "level": level}
    return undefined(label=label, unit="year ending 31 March") | found


# --- What the quantities are drawn from: payback, present values, and the pound of the review's figures ---


def discounted(workings: Workings, amounts: np.ndarray, *, schedule: str | None = None) -> np.ndarray:
    """Present value over the headline horizon of amounts (sample, year), by the analysis's schedule or another."""
    analysis = workings.inputs.analysis
    offsets = np.array(workings.years) - analysis.start_year
    within = (offsets >= 0) & (offsets < analysis.horizon)
    factors = discount_factors(offsets[within], schedule or analysis.schedule, mid_year=analysis.mid_year)
    return amounts[:, within] @ factors


def review_prices(workings: Workings) -> float:
    """Money of the price base that buys what one pound of the review's figures bought.

    Whether the review's thresholds are met must not depend on the price base of the run.
    """
    return workings.pound_of(workings.inputs.claims.price_year)


def payback_draws(workings: Workings, option: str) -> np.ndarray:
    """Year of payback in every draw. NaN for never within the horizon."""
    analysis = workings.inputs.analysis
    flow = workings.arrays.flows_long.sel(option=option, year=workings.horizon)
    return payback_year(flow, schedule=analysis.schedule, base_year=analysis.start_year).values


def lead_option(workings: Workings) -> str:
    """The option that the report follows, among those worked out."""
    return lead_among(workings.accounts, lead=workings.inputs.analysis.lead)


def of_headline_stance(workings: Workings) -> bool:
    """Whether these are all the draws of the analysis's first stance: only then is learning valued.

    False for other stances, and for draws conditioned on the review's claims.
    """
    analysis = workings.inputs.analysis
    every = workings.arrays.npv.sizes["sample"] == analysis.draws
    return every and workings.inputs.stance == analysis.stances[0]


def children_in_care(workings: Workings, option: str) -> np.ndarray:
    """Children looked after in the target year, (sample,)."""
    total = workings.arrays.children.sel(year=workings.inputs.analysis.target_year, option=option)
    return total.values.sum(axis=-1)


def fewer_children(workings: Workings, option: str) -> np.ndarray:
    """Children fewer in care in the target year than under business as usual, (sample,)."""
    return children_in_care(workings, "bau") - children_in_care(workings, option)


def _npv(workings: Workings, option: str) -> np.ndarray:
    return workings.arrays.npv.sel(option=option).values


def _saved(workings: Workings, option: str) -> np.ndarray:
    return discounted(workings, total_saving(workings.accounts[option]))


def _saved_in_target_year(workings: Workings, option: str) -> np.ndarray:
    return total_saving(workings.accounts[option])[:, workings.target]


def _saved_and_spent(workings: Workings, option: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Both sides of the ratio; None where spending is not above 0 in every draw."""
    spent = discounted(workings, total_cost(workings.accounts[option]))
    if option == "bau" or spent.mean() <= 0 or (spent <= 0).any():
        return None
    return _saved(workings, option), spent


def _system(workings: Workings, option: str, *, cash: bool) -> np.ndarray:
    year = workings.inputs.analysis.target_year
    real = workings.arrays.system_cost.sel(option=option, year=year, drop=True)
    if not cash:
        return (real / review_prices(workings)).values
    return (real * workings.to_cash([year]).isel(year=0, drop=True)).values


def _unless_usual(
    event: Callable[[Workings, str], np.ndarray],
) -> Callable[[Workings, str], np.ndarray | None]:
    """Business as usual neither saves nor pays back: what compares an option with it is undefined."""
    return lambda workings, option: None if option == "bau" else event(workings, option)


# --- The headline: one entry per quantity, which everything that lists, prints, holds or compares reads ---


Style = Literal[
    "count", "fewer", "money", "price", "net", "probability", "share", "ratio", "year", "number", "plain"
]
"""How a number is printed: the styles of `cba.reporting.numbers`."""

SCHEMA_YEAR = 2032
"""Year in the keys of headline.json, schema 1, whatever the target year of the analysis."""

SHIFT, CHANCE = 0.25, 0.1
"""Largest shift that is published without being asked: a share of the interval readers see, and of probability."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One headline quantity; `words`, `label` and `settled` may hold the fields of `Quantity.filled`."""

    name: str  # what code and tables call it
    key: str  # in headline.json; {year} for a quantity of the target year
    label: str
    words: str  # its short name for readers
    unit: str
    # Draws of one option: amounts, events (bool), saved and spent for a ratio, years (NaN for never); None
    # where the quantity is not defined.
    draws: Callable[[Workings, str], Any]
    kind: Literal["amount", "probability", "ratio", "year"] = "amount"
    style: Style  # how it is printed
    claim: str = ""  # the claim it is held against
    held: tuple[str, float] | None = None  # name in [hold] and tolerance; without one it never holds a run
    spoken: int = 0  # its place in the sentences of a comparison; 0 is not told
    usual: bool = False  # whether it is said of business as usual, not of each option
    settled: str = ""  # its label among what is decided on, whose draws are checked for convergence
    on_card: bool = False  # whether the card gives it a column of its own, after those it always has

    @property
    def stem(self) -> str:
        """Return its key without an option."""
        return self.key.format(year=SCHEMA_YEAR)

    def filled(self, text: str, workings: Workings | None = None) -> str:
        """Fill in the claim and, with workings, the settings of the analysis."""
        claims = load_claims() if workings is None else workings.inputs.claims
        fields: dict[str, Any] = {"claim": claims.each.get(self.claim, ""), "prices": claims.prices}
        if workings is not None:
            analysis = workings.inputs.analysis
            fields |= {"year": analysis.target_year, "base": analysis.price_base, "horizon": analysis.horizon}
        return text.format(**fields)

    def summary(self, workings: Workings, option: str) -> Summary:
        """Return its headline entry for one option; every number is None where it is not defined."""
        about = {"label": self.filled(self.label, workings), "unit": self.unit}
        level, chains = workings.inputs.analysis.level, workings.chains
        drawn = self.draws(workings, option)
        if drawn is None:
            return undefined(**about)
        if self.kind == "probability":
            return probability(drawn, label=about["label"], chains=chains)
        if self.kind == "year":
            return payback(drawn, label=about["label"], level=level)
        if self.kind == "ratio":
            saved, spent = drawn
            rows = _rows_of_ratio(saved, spent)
            entry = quantity(saved / spent, **about, level=level, chains=chains)
            return entry | {
                "mean": float(saved.mean() / spent.mean()),
                "mcse": mcse_mean(rows, chains=chains),
            }
        return quantity(drawn, **about, level=level, chains=chains)

    def mean_draws(self, workings: Workings, option: str) -> np.ndarray | None:
        """Draws whose mean is that of the headline, for paired differences; None for a year that need not come."""
        drawn = None if self.kind == "year" else self.draws(workings, option)
        if drawn is None or self.kind != "ratio":
            return None if drawn is None else np.asarray(drawn, dtype=float)
        return _rows_of_ratio(*drawn)


def _rows_of_ratio(saved: np.ndarray, spent: np.ndarray) -> np.ndarray:
    """Draws whose mean is the ratio of means R = E[s] / E[c], and their error that of R by the delta method."""
    ratio = saved.mean() / spent.mean()
    return np.asarray(ratio + (saved - ratio * spent) / spent.mean())


def _chance(**of: Any) -> Quantity:
    """An entry of a probability: all of them are printed and held alike."""
    return Quantity(kind="probability", unit="probability", style="probability", held=("prob", CHANCE), **of)


_ENTRIES = (
    Quantity(
        name="children_in_care",
        key="children_in_care_{year}",
        label="Children looked after at 31 March {year}",
        words="Children in care",
        unit="children",
        draws=children_in_care,
        style="count",
        held=("children_in_care", SHIFT),
        spoken=6,
        usual=True,
        settled="Children looked after in {year}",
    ),
    Quantity(
        name="fewer_children",
        key="fewer_children_{year}",
        label="Fewer children looked after at 31 March {year} than under business as usual",
        words="Fewer children",
        unit="children",
        draws=fewer_children,
        style="fewer",
        held=("fewer_children", SHIFT),
        spoken=3,
        settled="Fewer children in {year}",
    ),
    _chance(
        name="prob_fewer_30000",
        key="prob_fewer_30000_{year}",
        label="Probability of at least {claim} fewer children in {year}",
        words="Chance of {claim} fewer children",
        draws=lambda w, o: fewer_children(w, o) >= w.inputs.claims.fewer_children.value,
        claim="fewer_children",
        spoken=4,
        settled="At least {claim} fewer in {year}",
    ),
    _chance(
        name="prob_more_children",
        key="prob_more_children_{year}",
        label="Probability of more children looked after at 31 March {year} than under business as usual",
        words="Chance of more children",
        draws=_unless_usual(lambda w, o: fewer_children(w, o) < 0),
    ),
    Quantity(
        name="npv",
        key="npv_fiscal",
        label="Fiscal net present value, all public payers",
        words="Net present value",
        unit="GBP",
        draws=_npv,
        style="net",
        held=("npv_fiscal", SHIFT),
        spoken=1,
        settled="Net present value",
    ),
    Quantity(
        name="gross_saving",
        key="gross_saving_total",
        label="Cashable saving before programme cost, present value",
        words="Cashable saving",
        unit="GBP",
        draws=_saved,
        style="money",
        held=("gross_saving_total", SHIFT),
    ),
    Quantity(
        name="annual_saving",
        key="annual_saving_{year}",
        label="Cashable saving in {year}, real, prices of {base}",
        words="Cashable saving a year",
        unit="GBP per year",
        draws=_saved_in_target_year,
        style="money",
        held=("annual_saving", SHIFT),
        spoken=5,
    ),
    _chance(
        name="prob_annual_saving",
        key="prob_annual_saving_1bn_{year}",
        label="Probability of a cashable saving of at least {claim} in {year}, {prices} prices",
        words="Chance of saving {claim} a year",
        draws=lambda w, o: (
            _saved_in_target_year(w, o) >= w.inputs.claims.annual_saving.value * review_prices(w)
        ),
        claim="annual_saving",
    ),
    _chance(
        name="prob_npv_positive",
        key="prob_npv_positive",
        label="Probability of a net saving",
        words="Chance of a net saving",
        draws=_unless_usual(lambda w, o: _npv(w, o) > 0),
        spoken=2,
        settled="Net present value above zero",
    ),
    Quantity(
        name="bcr",
        key="bcr",
        label="Benefit-cost ratio: cashable savings over programme, recurrent and allowance costs, ratio of means",
        words="Benefit-cost ratio",
        unit="ratio",
        draws=_saved_and_spent,
        kind="ratio",
        style="ratio",
        held=("bcr", SHIFT),
    ),
    Quantity(
        name="payback_year",
        key="payback_year",
        label="First year in which the cumulative discounted net saving is 0 or more and stays so",
        words="Year of payback",
        unit="year ending 31 March",
        draws=_unless_usual(payback_draws),
        kind="year",
        style="year",
    ),
    _chance(
        name="prob_never",
        key="prob_never",
        label="Probability of not paying back within {horizon} years",
        words="Chance of never paying back",
        draws=_unless_usual(lambda w, o: np.isnan(payback_draws(w, o))),
    ),
)


def _system_entries(reading: str, prices: str) -> tuple[Quantity, Quantity]:
    """Cost of the system in the target year and the chance of what the review says of it, in cash or real."""
    cost = partial(_system, cash=reading == "cash")
    return (
        Quantity(
            name=f"system_cost_{reading}",
            key=f"system_cost_{{year}}_{reading}",
            label=f"Yearly cost of looked-after children, safeguarding and family support, {{year}}, {prices}",
            words=f"Yearly cost of the system, {prices}",
            unit="GBP per year",
            draws=cost,
            style="money",
            held=("system_cost", SHIFT),
            spoken=7 if reading == "cash" else 0,
            usual=True,
        ),
        _chance(
            name=f"prob_system_cost_{reading}",
            key=f"prob_system_cost_15bn_{{year}}_{reading}",
            label=f"Probability that it is at least {{claim}} in {{year}}, {prices}",
            words=f"Chance of a yearly cost of {{claim}}, {prices}",
            draws=lambda w, o: cost(w, o) >= w.inputs.claims.system_cost.value,
            claim="system_cost",
            usual=True,
        ),
    )


def instead_of_funded(workings: Workings, option: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Net present value and children fewer beyond those of what is funded already, on the same draws."""
    if DO_MINIMUM not in workings.accounts:
        return None
    npv, fewer = (of(workings, option) - of(workings, DO_MINIMUM) for of in (_npv, fewer_children))
    return npv, fewer


def on_top_of_funded(workings: Workings, option: str) -> tuple[np.ndarray, np.ndarray] | None:
    """The same of an option on top of what is funded already, less that alone."""
    return workings.on_do_minimum.get(option)


READINGS = {
    f"vs_{DO_MINIMUM}": ("instead of what is funded already", instead_of_funded),
    f"on_{DO_MINIMUM}": ("on top of what is funded already", on_top_of_funded),
}
"""How an option is held against what is funded already: by the ends of the keys, words and draws."""


def _against_funded(reading: str) -> Iterable[Quantity]:
    """The entries of one reading, made from those against business as usual."""
    words, both = READINGS[reading]
    taken: dict[str, Any] = {
        "npv": lambda f: f[0],
        "fewer_children": lambda f: f[1],
        "prob_npv_positive": lambda f: f[0] > 0,
    }
    for entry in (e for e in _ENTRIES if e.name in taken):
        said = f"{entry.words}, {words} ({DO_MINIMUM})"
        changes: dict[str, Any] = {"name": f"{entry.name}_{reading}", "key": f"{entry.key}_{reading}"}
        changes |= {"label": said, "words": said, "draws": partial(_taken, both, taken[entry.name])}
        yield replace(entry, **changes, held=None, spoken=0, settled="")


def _taken(both: Any, of: Callable[[Any], np.ndarray], workings: Workings, option: str) -> Any:
    found = both(workings, option)
    return None if found is None else of(found)


QUANTITIES: dict[str, Quantity] = {
    entry.name: entry
    for entry in (
        *_ENTRIES,
        *_system_entries("cash", "cash"),
        *_system_entries("real", "{prices} prices"),
        *(entry for reading in READINGS for entry in _against_funded(reading)),
    )
}
"""Every headline quantity by its name, in the order of the headline. A new one is one entry here."""


def headline_results(workings: Workings) -> dict[str, Summary]:
    """Headline entries by key ``<quantity>.<option>``: every quantity for every option."""
    return {
        f"{entry.stem}.{option}": entry.summary(workings, option)
        for option in workings.accounts
        for entry in QUANTITIES.values()
    }


def headline_draws(workings: Workings, *, options: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Draws of every headline quantity that is defined and a mean, by key, in its unit; events are 0 or 1."""
    found = {
        f"{entry.stem}.{option}": entry.mean_draws(workings, option)
        for option in (workings.accounts if options is None else options)
        for entry in QUANTITIES.values()
    }
    return {key: draws for key, draws in found.items() if draws is not None}


def stem_of(name: str) -> str:
    """Return the key of a quantity without an option."""
    return QUANTITIES[name].stem


def key_of(name: str, option: str) -> str:
    """Return the key of a quantity of an option."""
    return f"{stem_of(name)}.{option}"


def spoken_quantities(*, usual: bool) -> list[Quantity]:
    """Return the quantities that are told of each option, or of business as usual, most telling first."""
    told = [entry for entry in QUANTITIES.values() if entry.spoken and entry.usual == usual]
    return sorted(told, key=lambda entry: entry.spoken)


def quantity_of(text: str) -> Quantity | None:
    """Return the quantity of a key of the headline, or of a table's name or the beginning of one."""
    stem = text.rpartition(".")[0] or text
    entries = QUANTITIES.values()
    exact = (entry for entry in entries if stem in (entry.name, entry.stem))
    return next(exact, None) or next((e for e in entries if e.stem.startswith(f"{stem}_")), None)
