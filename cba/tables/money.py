"""Two statements of the same cash flow: nominal for a finance director, real and discounted for the Treasury.

Both are made of the lines of cash flow and nothing else, so lines add up to payers and payers to the total.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.arrays import net_saving
from cba.appraisal.quantities import interval, payback_draws, probability, review_prices
from cba.costs.account import avoidable_share, child_years, total_cost, total_saving
from cba.costs.prices import cash_index
from cba.decisions.draws import mcse_mean
from cba.dimensions import PLACEMENTS
from cba.discounting import DiscountSchedule, discount_factors, find_schedule, list_schedules
from cba.errors import GateError
from cba.tables.children import by_option_and_year

if TYPE_CHECKING:
    from cba.appraisal.workings import Workings
    from cba.costs.account import OptionAccount
    from cba.inputs.options import Option


TOLERANCE = 1e-9
"""Largest gap allowed between the sum of the lines and the total, relative to the money moved."""


def finance_director_statement(workings: Workings) -> pd.DataFrame:
    """Nominal cash flow by option, year, payer and kind, with each payer's net and the total.

    Columns option, year, payer, kind, row (``line``, ``payer`` or ``total``), mean, lower, upper: GBP, cash
    of the year, costs positive, cashable savings negative.
    """
    # Means of rows ``line`` add up to those of their payer, and payers to the total; limits of intervals do
    # not add up.
    flow = _within_horizon(workings)
    index = cash_index(flow["year"].values, price_base=workings.basis.price_base, prices=workings.basis.index)
    return pd.concat(
        [_statement(one, workings, {"": one * index}) for one in _options(flow)], ignore_index=True
    )


def treasury_statement(workings: Workings) -> pd.DataFrame:
    """Real cash flow by option, year, payer and kind, discounted, and accumulated."""
    # Columns option, year, payer, kind, row, then mean, lower, upper of the real flow, and the same of it
    # discounted (``discounted_...``) and accumulated since the start (``cumulative_...``): GBP of the price
    # base, costs positive, cashable savings negative. The last cumulative total is the net present value with
    # its sign turned.
    analysis, flow = workings.inputs.analysis, _within_horizon(workings)
    offsets = flow["year"].values - analysis.start_year
    factors = xr.DataArray(
        discount_factors(offsets, analysis.schedule, mid_year=analysis.mid_year), dims="year"
    )
    frames = []
    for one in _options(flow):
        present = (one * factors).transpose(*one.dims)
        running = present.cumsum("year").assign_coords(one.coords)
        frames.append(_statement(one, workings, {"": one, "discounted_": present, "cumulative_": running}))
    return pd.concat(frames, ignore_index=True)


def largest_gaps(workings: Workings) -> pd.DataFrame:
    """Largest gap between an option's lines of cash flow added up and its account's costs less savings.

    Columns option, gap: relative to the money that moves in the draw and year, the largest of all.
    """
    # The lines are summed by payer, then kind, then draw; the total is the net flow that the net present
    # value is made of, worked out without the lines' labels.
    rows = []
    for one in _options(workings.arrays.cash_flow):
        option = str(one["option"].values)
        total = -workings.arrays.flows_long.sel(option=option, year=one["year"]).transpose("sample", "year")
        summed = sum(
            (_of_line(one, payer, kind) for payer, kind in _lines(one)), np.zeros(total.shape, dtype=float)
        )
        moved = abs(one).sum("line").transpose("sample", "year").values
        gap = np.abs(summed - total.values) / np.maximum(moved, 1.0)
        rows.append((option, float(gap.max(initial=0.0))))
    return pd.DataFrame(rows, columns=["option", "gap"])


def require_adding_up(workings: Workings) -> None:
    """Refuse an account whose lines of cash flow do not add up to its total."""
    gaps = largest_gaps(workings)
    wrong = gaps[~(gaps["gap"] <= TOLERANCE)]
    if len(wrong):
        raise GateError(
            "payers and kinds do not add up to the total cash flow",
            [f"{r.option}: gap of {r.gap:.1e}, at most {TOLERANCE:.0e} required" for r in wrong.itertuples()],
        )


def _within_horizon(workings: Workings) -> xr.DataArray:
    analysis = workings.inputs.analysis
    years = list(range(analysis.start_year, analysis.start_year + analysis.horizon))
    return workings.arrays.cash_flow.sel(year=years)


def _options(flow: xr.DataArray) -> Iterator[xr.DataArray]:
    for option in flow["option"].values:
        if option != "bau":
            yield flow.sel(option=option)


def _lines(flow: xr.DataArray) -> list[tuple[str, str]]:
    """Return payer and kind of the lines that are not zero throughout, each pair once, in their order."""
    moving = (flow != 0).any([d for d in flow.dims if d != "line"]).values
    pairs = zip(flow["payer"].values[moving], flow["kind"].values[moving], strict=True)
    return sorted({(str(payer), str(kind)) for payer, kind in pairs})


def _of_line(flow: xr.DataArray, payer: str, kind: str | None) -> np.ndarray:
    """Return money of one payer and kind (or of all its kinds), (sample, year)."""
    chosen = flow["payer"].values == payer
    if kind is not None:
        chosen &= flow["kind"].values == kind
    found: np.ndarray = flow.transpose("sample", "year", "line").values[..., chosen].sum(axis=-1)
    return found


def _statement(one: xr.DataArray, workings: Workings, flows: dict[str, xr.DataArray]) -> pd.DataFrame:
    """Return rows of one option: its lines, each payer's net, the total; `flows` by prefix of their columns."""
    level, lines = workings.inputs.analysis.level, _lines(one)
    wanted: list[tuple[str, str | None, str]] = [(p, k, "line") for p, k in lines]
    wanted += [(p, None, "payer") for p in dict.fromkeys(p for p, _ in lines)]
    frames = []
    for payer, kind, row in [*wanted, ("all", None, "total")]:
        frame = pd.DataFrame(
            {
                "option": str(one["option"].values),
                "year": one["year"].values,
                "payer": payer,
                "kind": kind or "net",
                "row": row,
            }
        )
        for prefix, flow in flows.items():
            if row == "total":
                money = flow.sum("line").transpose("sample", "year").values
            else:
                money = _of_line(flow, payer, kind)
            lower, upper = interval(money, level=level)
            frame[f"{prefix}mean"], frame[f"{prefix}lower"] = money.mean(axis=0), lower
            frame[f"{prefix}upper"] = upper
        frames.append(frame)
    return pd.concat(frames, ignore_index=True).sort_values("year", kind="stable", ignore_index=True)


# --- What waiting costs: an option against the same option some years later, draw by draw on common … ---


_COLUMNS = [
    "option", "delayed", "delay_years", "window", "measure", "unit", "prompt_mean", "delayed_mean",
    "difference_mean", "lower", "upper", "mcse", "prob_delay_better", "prob_mcse",
]  # fmt: skip


def cost_of_delay(workings: Workings) -> pd.DataFrame:
    """Difference that delay makes to net present value, child-years and children, with its interval.

    Columns option, delayed, delay_years, window, measure, unit, prompt_mean, delayed_mean, difference_mean,
    lower, upper, mcse, prob_delay_better, prob_mcse: delayed less prompt, so that below 0 delay loses.
    """
    # Windows: ``same_years`` (the headline horizon: the delayed option has fewer years of everything in it),
    # ``own_years`` (each option over as many years from its own start, discounted to the start of the prompt
    # one: delay as such) and ``long`` (the long horizon). No rows where no option of the analysis is a
    # delayed version of another.
    rows = []
    for late in workings.inputs.options:
        prompt = _prompt_version(workings, late)
        if prompt is None:
            continue
        wait = late.delay_years - prompt.delay_years
        for window, (first, second) in _windows(workings, wait).items():
            for measure, unit, ours, theirs in _measures(workings, (prompt.id, late.id), (first, second)):
                known = (prompt.id, late.id, wait, window, measure, unit)
                rows.append((*known, *_difference(workings, ours, theirs)))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _prompt_version(workings: Workings, late: Option) -> Option | None:
    """Return the option of the analysis that `late` is a delayed version of: all else equal."""
    fields = ("timing", "financing", "recurrent", "spend", "effects", "areas")
    for other in workings.inputs.options:
        same = all(getattr(other, field) == getattr(late, field) for field in fields)
        if same and other.delay_years < late.delay_years:
            return other
    return None


def _windows(workings: Workings, wait: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Factors by year of the whole projection for the prompt and the delayed option, by window."""
    analysis, years = workings.inputs.analysis, np.array(workings.years)
    offsets = years - analysis.start_year
    factors = np.zeros(years.size)
    factors[offsets >= 0] = discount_factors(
        offsets[offsets >= 0], analysis.schedule, mid_year=analysis.mid_year
    )
    ours = factors * (offsets < analysis.horizon)
    windows = {"same_years": (ours, ours)}
    if offsets.max() >= analysis.horizon + wait - 1:
        later = factors * (offsets >= wait) * (offsets < analysis.horizon + wait)
        windows["own_years"] = (ours, later)
    return windows | {"long": (factors, factors)}


def _measures(
    workings: Workings, options: tuple[str, str], factors: tuple[np.ndarray, np.ndarray]
) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name, unit and draws of each measure for the prompt and the delayed option."""
    accounts = [workings.accounts[o] for o in options]
    worth = [net_saving(a) @ f for a, f in zip(accounts, factors, strict=True)]
    children = [a.children.fewer_by_age.sum(axis=-1) for a in accounts]
    lived = [child_years(c) @ f for c, f in zip(children, factors, strict=True)]
    target = workings.years.index(workings.inputs.analysis.target_year)
    return [
        ("npv", "GBP, present value", worth[0], worth[1]),
        ("child_years", "child-years not in care, discounted", lived[0], lived[1]),
        (
            "fewer_children",
            "fewer children in the target year",
            children[0][:, target],
            children[1][:, target],
        ),
    ]


def _difference(workings: Workings, prompt: np.ndarray, delayed: np.ndarray) -> tuple[float, ...]:
    change = delayed - prompt
    lower, upper = interval(change, level=workings.inputs.analysis.level)
    better = probability(change > 0, label="", chains=workings.chains)
    means = (prompt.mean(), delayed.mean(), change.mean(), lower, upper)
    error = mcse_mean(change, chains=workings.chains)
    return (*(float(m) for m in means), error, better["mean"], better["mcse"])


# --- Two measures of payback side by side: the programme repaid for good, and a year that pays for … ---


def first_year_covered(
    saving: np.ndarray, *, cost: np.ndarray, programme: np.ndarray, years: np.ndarray, for_good: bool = False
) -> np.ndarray:
    """First year after the programme whose cashable saving covers the cost of that year.

    Year, or NaN for never. `saving`, `cost` (sample, year), GBP; `programme` (sample, year), GBP. First t
    after the last programme year with ``saving(t) > 0`` and ``saving(t) >= cost(t)``.
    """
    # Shape (sample,). A year without any saving covers nothing, whatever it costs.
    still_to_come = np.cumsum(programme[:, ::-1], axis=1)[:, ::-1]
    covered = (saving > 0.0) & (saving >= cost) & (still_to_come <= 0.0)
    if for_good:
        covered = np.logical_and.accumulate(covered[:, ::-1], axis=1)[:, ::-1]
    return np.where(covered.any(axis=1), years[covered.argmax(axis=1)].astype(float), np.nan)


def covered_draws(workings: Workings, option: str, *, for_good: bool = False) -> np.ndarray:
    """Year in which an option's yearly cashable saving covers its yearly cost, in every draw.

    Year ending 31 March within the headline horizon; NaN for never.
    """
    analysis, years = workings.inputs.analysis, np.array(workings.years)
    within = (years >= analysis.start_year) & (years < analysis.start_year + analysis.horizon)
    account: OptionAccount = workings.accounts[option]
    zero = np.zeros_like(account.recurrent)
    programme = sum((line.amount for line in account.costs if line.kind == "programme"), zero)
    return first_year_covered(
        total_saving(account)[:, within],
        cost=total_cost(account)[:, within],
        programme=programme[:, within],
        years=years[within],
        for_good=for_good,
    )


def payback_measures(workings: Workings) -> pd.DataFrame:
    """Probability of each year of payback by both measures, and of never within the horizon."""
    # Columns option, recurrent (whether the option has recurrent money to cover: without it the second
    # measure only says when savings exceed what is spent on children who are not in care), year
    # (missing: never), prob_cumulative (cumulative discounted net back at zero for good), prob_yearly (first
    # year after the programme whose cashable saving covers its cost), prob_yearly_for_good, and the standard
    # error of each (``mcse_...``). Each sums to 1 over an option.
    analysis = workings.inputs.analysis
    years = [*range(analysis.start_year, analysis.start_year + analysis.horizon), np.nan]
    rows = []
    lasting = {o.id: o.recurrent is not None for o in workings.inputs.options}
    for option in workings.accounts:
        if option == "bau":
            continue
        measures = {
            "cumulative": payback_draws(workings, option),
            "yearly": covered_draws(workings, option),
            "yearly_for_good": covered_draws(workings, option, for_good=True),
        }
        for year in years:
            row: dict[str, object] = {"option": option, "recurrent": lasting[option], "year": year}
            for name, found in measures.items():
                event = np.isnan(found) if np.isnan(year) else found == year
                chance = probability(event, label="", chains=workings.chains)
                row |= {f"prob_{name}": chance["mean"], f"mcse_{name}": chance["mcse"]}
            rows.append(row)
    measures_of = ("cumulative", "yearly", "yearly_for_good")
    order = [*(f"prob_{m}" for m in measures_of), *(f"mcse_{m}" for m in measures_of)]
    return pd.DataFrame(rows)[["option", "recurrent", "year", *order]]


# --- Tables of money: cash flow, net present value, payback, financing modes, system cost, cost ladder ---


FULL_RECURRENT_YEAR = 2030
"""Year by which the review says £1bn a year has shifted."""


REVIEW_PRICES = "prices_of_2021-22"
"""Real terms at the prices the review's figures are read in."""


MODES = ("care_review", "care_review_injection_only", "care_review_reinvest")


def cash_flow_by_year(workings: Workings) -> pd.DataFrame:
    """Real cash flow by option, year, payer and kind; lines of zero left out.

    Columns option, year, payer, kind, mean, lower, upper: GBP of the price base, costs positive, savings
    negative.
    """
    flow, level = workings.arrays.cash_flow, workings.inputs.analysis.level
    frames = []
    keys = pd.MultiIndex.from_arrays([flow["payer"].values, flow["kind"].values])
    for payer, kind in keys.unique():
        chosen = np.flatnonzero((flow["payer"].values == payer) & (flow["kind"].values == kind))
        frame = by_option_and_year(flow.isel(line=chosen).sum("line"), level=level)
        frame.insert(2, "payer", payer)
        frame.insert(3, "kind", kind)
        frames.append(frame[(frame["lower"] != 0) | (frame["upper"] != 0)])
    joined = pd.concat(frames, ignore_index=True)
    order = {o: i for i, o in enumerate(workings.accounts)}
    return joined.sort_values(
        by=["option", "year", "payer", "kind"],
        key=lambda c: c.map(order) if c.name == "option" else c,
        ignore_index=True,
    )[["option", "year", "payer", "kind", "mean", "lower", "upper"]]


def net_by_year(workings: Workings) -> pd.DataFrame:
    """Net saving by option and year, and the cumulative discounted net saving.

    Columns option, year, mean, lower, upper, cumulative_mean, cumulative_lower, cumulative_upper,
    prob_cumulative_positive: GBP of the price base, positive is a saving.
    """
    analysis = workings.inputs.analysis
    years = range(analysis.start_year, analysis.start_year + analysis.horizon)
    flows = workings.arrays.flows_long.sel(year=list(years))
    factors = discount_factors(np.arange(analysis.horizon), analysis.schedule, mid_year=analysis.mid_year)
    cumulative = (flows * xr.DataArray(factors, dims="year")).cumsum("year").assign_coords(year=flows["year"])
    table = by_option_and_year(flows, level=analysis.level)
    running = by_option_and_year(cumulative, level=analysis.level)
    for name in ("mean", "lower", "upper"):
        table[f"cumulative_{name}"] = running[name]
    positive = (cumulative > 0).mean("sample").transpose("option", "year")
    table["prob_cumulative_positive"] = positive.values.ravel()
    return table.drop(columns="median")


def npv_table(workings: Workings) -> pd.DataFrame:
    """Fiscal net present value by option over the headline and the long horizon.

    Columns option, label, mean, median, lower, upper, mcse, prob_positive, prob_negative, prob_mcse, and
    npv_long_mean, npv_long_lower, npv_long_upper, prob_long_positive: GBP, positive is a net saving.
    """
    analysis = workings.inputs.analysis
    rows = []
    for option in workings.inputs.options:
        npv = workings.arrays.npv.sel(option=option.id).values
        long = workings.arrays.npv_long.sel(option=option.id).values
        lower, upper = interval(npv, level=analysis.level)
        long_lower, long_upper = interval(long, level=analysis.level)
        gain = probability(npv > 0, label="", chains=workings.chains)
        rows.append(
            {
                "option": option.id,
                "label": option.label,
                "mean": npv.mean(),
                "median": np.median(npv),
                "lower": lower,
                "upper": upper,
                "mcse": mcse_mean(npv, chains=workings.chains),
                "prob_positive": gain["mean"],
                "prob_negative": (npv < 0).mean(),
                "prob_mcse": gain["mcse"],
                "npv_long_mean": long.mean(),
                "npv_long_lower": long_lower,
                "npv_long_upper": long_upper,
                "prob_long_positive": (long > 0).mean(),
            }
        )
    return pd.DataFrame(rows)


def payback_table(workings: Workings) -> pd.DataFrame:
    """Probability of each payback year by option.

    Columns option, year, probability, mcse; a missing year is never within the horizon.
    """
    analysis = workings.inputs.analysis
    rows = []
    for option in workings.accounts:
        if option == "bau":
            continue
        found = payback_draws(workings, option)
        years = [*range(analysis.start_year, analysis.start_year + analysis.horizon), np.nan]
        for year in years:
            event = np.isnan(found) if np.isnan(year) else found == year
            chance = probability(event, label="", chains=workings.chains)
            rows.append(
                {"option": option, "year": year, "probability": chance["mean"], "mcse": chance["mcse"]}
            )
    return pd.DataFrame(rows)


def financing_modes(workings: Workings) -> pd.DataFrame:
    """The review's three ways of paying for family help after the programme, side by side."""
    # Columns option, label, recurrent_2030_mean (GBP before any overrun, of the price base),
    # prob_recurrent_2030_full (that it is as much as the first option's; 1 for that option, by definition),
    # npv_mean, npv_lower, npv_upper, prob_npv_positive, fewer_mean (children in the target year).
    analysis = workings.inputs.analysis
    table = npv_table(workings).set_index("option")
    total = workings.arrays.children.sum("age").sel(year=analysis.target_year)
    position = workings.years.index(FULL_RECURRENT_YEAR)
    full = workings.accounts["care_review"].recurrent[:, position]
    rows = []
    for option in MODES:
        if option not in workings.accounts:
            continue
        recurrent = workings.accounts[option].recurrent[:, position]
        row = table.loc[option]
        rows.append(
            {
                "option": option,
                "label": row["label"],
                "recurrent_2030_mean": recurrent.mean(),
                "prob_recurrent_2030_full": float((recurrent >= full - 1.0).mean()) if full.any() else np.nan,
                "npv_mean": row["mean"],
                "npv_lower": row["lower"],
                "npv_upper": row["upper"],
                "prob_npv_positive": row["prob_positive"],
                "fewer_mean": float((total.sel(option="bau") - total.sel(option=option)).mean()),
            }
        )
    return pd.DataFrame(rows)


def system_cost_by_year(workings: Workings) -> pd.DataFrame:
    """Yearly cost of the system by option.

    Columns option, year, price ("real" in the price base, "prices_of_2021-22" in real terms at the review's
    prices, or "cash"), mean, median, lower, upper: GBP.
    """
    real, basis = workings.arrays.system_cost, workings.basis
    cash = real * cash_index(real["year"].values, price_base=basis.price_base, prices=basis.index)
    frames = []
    for price, array in (("real", real), (REVIEW_PRICES, real / review_prices(workings)), ("cash", cash)):
        frame = by_option_and_year(array, level=workings.inputs.analysis.level)
        frame.insert(2, "price", price)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def cost_ladder(workings: Workings) -> pd.DataFrame:
    """From the average cost of a placement to what leaves budgets when there is one fewer, and when."""
    # Columns placement; then, each with ``_lower`` and ``_upper``: average, avoidable_share, avoidable,
    # cashable_first_year and cashable_later (in all, from the second year after); GBP a year of the price
    # base, the share a proportion.
    today, value = workings.basis.prices.today, workings.system.value
    share = avoidable_share(workings.system.parameters)
    at_once = value("cashable.share_at_once")[:, None]
    in_all = at_once + (1.0 - at_once) * value("cashable.rest_later")[:, None]
    steps = {
        "average": today,
        "avoidable_share": share,
        "avoidable": today * share,
        "cashable_first_year": today * share * at_once,
        "cashable_later": today * share * in_all,
    }
    columns: dict[str, np.ndarray | list[str]] = {"placement": list(PLACEMENTS)}
    for name, draws in steps.items():
        lower, upper = interval(draws, level=workings.inputs.analysis.level)
        columns |= {name: draws.mean(axis=0), f"{name}_lower": lower, f"{name}_upper": upper}
    return pd.DataFrame(columns)


# --- Net present value under every discount schedule, on the same draws and the same cash flow ---


def discount_schedules_table(workings: Workings) -> pd.DataFrame:
    """Net present value of each option under each schedule shipped with the package.

    One row per schedule and option, that of the run first, then the run's schedule with money at the other
    point of the year, then the others.
    """
    # Columns schedule, title, vintage (date published), source, mid_year, of_the_run (bool), option, label;
    # mean, lower, upper, prob_positive, prob_mcse (headline horizon); change_mean, change_lower, change_upper
    # (against the run's schedule, draw by draw); long_mean, long_lower, long_upper (long horizon). GBP of the
    # price base; positive is a net saving.
    #
    # ``NPV = sum over year of net saving(year) * factor(year - start_year)``; the start year of the analysis
    # is year 0 under every schedule, undiscounted unless money falls in mid-year.
    # Source: HM Treasury (2026) *The Green Book*, ch. 6: sensitivity to the reduced rate.
    analysis = workings.inputs.analysis
    rows: list[dict[str, Any]] = []
    usual: dict[str, np.ndarray] = {}
    for schedule, mid_year, of_the_run in _variants(workings):
        described = {
            "schedule": schedule.name,
            "title": schedule.title,
            "vintage": schedule.vintage.isoformat(),
            "source": schedule.source,
            "mid_year": mid_year,
            "of_the_run": of_the_run,
        }
        worth = _worth(workings, schedule, years=analysis.horizon, mid_year=mid_year)
        long = _worth(workings, schedule, years=analysis.long_horizon, mid_year=mid_year)
        usual = worth if of_the_run else usual
        for option in workings.inputs.options:
            npv, far = worth[option.id], long[option.id]
            gain = probability(npv > 0, label="", chains=workings.chains)
            named = {"option": option.id, "label": option.label}
            row = described | named | _summary(npv, "", level=analysis.level)
            row |= {"prob_positive": gain["mean"], "prob_mcse": gain["mcse"]}
            row |= _summary(npv - usual[option.id], "change_", level=analysis.level)
            rows.append(row | _summary(far, "long_", level=analysis.level))
    return pd.DataFrame(rows)


def _variants(workings: Workings) -> Iterator[tuple[DiscountSchedule, bool, bool]]:
    """Schedule, whether money falls in mid-year, and whether it is the run's own; that one first."""
    analysis = workings.inputs.analysis
    own = find_schedule(analysis.schedule)
    yield own, analysis.mid_year, True
    yield own, not analysis.mid_year, False
    for schedule in list_schedules():
        if schedule.name != own.name:
            yield schedule, analysis.mid_year, False


def _worth(
    workings: Workings, schedule: DiscountSchedule, *, years: int, mid_year: bool
) -> dict[str, np.ndarray]:
    """Present value of each option's net savings over some years, (sample,)."""
    first = workings.inputs.analysis.start_year
    flows = workings.arrays.flows_long.sel(year=list(range(first, first + years)))
    factors = discount_factors(np.arange(years), schedule, mid_year=mid_year)
    values = flows.transpose("option", "sample", "year").values @ factors
    return dict(zip(flows["option"].values.tolist(), values, strict=True))


def _summary(draws: np.ndarray, prefix: str, *, level: float) -> dict[str, float]:
    lower, upper = interval(draws, level=level)
    return {
        f"{prefix}mean": float(draws.mean()),
        f"{prefix}lower": float(lower),
        f"{prefix}upper": float(upper),
    }
