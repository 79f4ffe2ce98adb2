"""Two statements of the same cash flow: nominal for a finance director, real and discounted for the Treasury.

Both are made of the lines of cash flow and nothing else, so lines add up to payers and payers to the total.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import (
    READINGS,
    discounted,
    fewer_children,
    payback_draws,
    probability,
    review_prices,
)
from cba.appraisal.workings import Workings, net_saving, run_off, yearly_factors
from cba.costs.account import (
    SUPPORT,
    OptionAccount,
    avoidable_share,
    child_years,
    total_cost,
    total_saving,
)
from cba.decisions.draws import mcse_mean
from cba.dimensions import PLACEMENTS
from cba.discounting import DiscountSchedule, discount_factors, find_schedule, list_schedules
from cba.inputs.options import DO_MINIMUM, Option, ways_of_paying
from cba.tables.catalogue import MONEY, SHARES, catalogued, chance, reforms, review_programme, spread
from cba.tables.children import by_option_and_year


@catalogued("cash_statement", "Cash statement by payer, by year", "GBP, cash of each year.", once=True)
def finance_director_statement(workings: Workings) -> pd.DataFrame:
    """Nominal cash flow by option, year, payer and kind, with each payer's net and the total.

    Columns option, year, payer, kind, row (``line``, ``payer`` or ``total``), mean, lower, upper: GBP, cash
    of the year, costs positive, cashable savings negative.
    """
    # Means of rows ``line`` add up to those of their payer, and payers to the total; limits of intervals do
    # not add up.
    flow = workings.arrays.cash_flow.sel(year=workings.horizon)
    index = workings.to_cash(workings.horizon)
    each = (flow.sel(option=option) for option in reforms(workings))
    return pd.concat([_statement(workings, one, {"": one * index}) for one in each], ignore_index=True)


@catalogued("treasury_statement", "Statement by payer, by year, real and discounted", MONEY, once=True)
def treasury_statement(workings: Workings) -> pd.DataFrame:
    """Real cash flow by option, year, payer and kind, discounted, and accumulated."""
    # Columns option, year, payer, kind, row, then mean, lower, upper of the real flow, and the same of it
    # discounted (``discounted_...``) and accumulated since the start (``cumulative_...``): GBP of the price
    # base, costs positive, cashable savings negative. The last cumulative total is the net present value with
    # its sign turned.
    flow = workings.arrays.cash_flow.sel(year=workings.horizon)
    factors = xr.DataArray(workings.factors, dims="year")
    frames = []
    for option in reforms(workings):
        one = flow.sel(option=option)
        present = (one * factors).transpose(*one.dims)
        running = present.cumsum("year").assign_coords(one.coords)
        frames.append(_statement(workings, one, {"": one, "discounted_": present, "cumulative_": running}))
    return pd.concat(frames, ignore_index=True)


def _lines(flow: xr.DataArray) -> list[tuple[str, str]]:
    """Return payer and kind of the lines that are not zero throughout, each pair once, in their order."""
    moving = (flow != 0).any([d for d in flow.dims if d != "line"]).values
    pairs = zip(flow["payer"].values[moving], flow["kind"].values[moving], strict=True)
    return sorted({(str(payer), str(kind)) for payer, kind in pairs})


def _of_line(flow: xr.DataArray, payer: str, kind: str) -> np.ndarray:
    """Return money of one payer and kind, of all its kinds (``net``), or of ``all`` payers, (sample, year)."""
    if payer == "all":
        return flow.sum("line").transpose("sample", "year").values
    chosen = (flow["payer"].values == payer) & ((flow["kind"].values == kind) | (kind == "net"))
    found: np.ndarray = flow.transpose("sample", "year", "line").values[..., chosen].sum(axis=-1)
    return found


def _statement(workings: Workings, one: xr.DataArray, flows: dict[str, xr.DataArray]) -> pd.DataFrame:
    """Return rows of one option: its lines, each payer's net, the total; `flows` by prefix of their columns."""
    lines = _lines(one)
    wanted = [(payer, kind, "line") for payer, kind in lines]
    wanted += [(payer, "net", "payer") for payer in dict.fromkeys(payer for payer, _ in lines)]
    frames = []
    for payer, kind, row in [*wanted, ("all", "net", "total")]:
        about = {"option": str(one["option"].values), "year": one["year"].values}
        about |= {"payer": payer, "kind": kind, "row": row}
        for prefix, flow in flows.items():
            about |= spread(workings, _of_line(flow, payer, kind), prefix)
        frames.append(pd.DataFrame(about))
    return pd.concat(frames, ignore_index=True).sort_values("year", kind="stable", ignore_index=True)


# --- What waiting costs: an option against the same option some years later, draw by draw on common … ---


@catalogued("cost_of_delay", "Cost of waiting two years", MONEY)
def cost_of_delay(workings: Workings) -> pd.DataFrame:
    """Difference that delay makes to net present value, child-years and children, with its interval.

    Columns option, delayed, delay_years, window, measure, unit, prompt_mean, delayed_mean, difference_mean,
    lower, upper, mcse, prob_delay_better, prob_mcse: delayed less prompt, so that below 0 delay loses.
    """
    # Windows: ``same_years`` (the headline horizon: the delayed option has fewer years of everything in it),
    # ``own_years`` (each option over as many years from its own start, discounted to the start of the prompt
    # one: delay as such) and ``long`` (the long horizon). No rows where no option of the analysis is a
    # delayed version of another.
    columns = ["option", "delayed", "delay_years", "window", "measure", "unit", "prompt_mean", "delayed_mean"]
    columns += ["difference_mean", "lower", "upper", "mcse", "prob_delay_better", "prob_mcse"]
    rows = []
    for late in workings.inputs.options:
        prompt = _prompt_version(workings, late)
        if prompt is None:
            continue
        wait = late.delay_years - prompt.delay_years
        for window, factors in _windows(workings, wait).items():
            for measure, (unit, ours, theirs) in _measures(workings, (prompt.id, late.id), factors).items():
                known = (prompt.id, late.id, wait, window, measure, unit, ours.mean(), theirs.mean())
                change = spread(workings, theirs - ours).values()
                error = mcse_mean(theirs - ours, chains=workings.chains)
                better = chance(workings, theirs - ours > 0, "probability").values()
                rows.append((*known, *change, error, *better))
    return pd.DataFrame(rows, columns=columns)


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
    factors = yearly_factors(analysis, years)
    ours = factors * (offsets < analysis.horizon)
    windows = {"same_years": (ours, ours)}
    if offsets.max() >= analysis.horizon + wait - 1:
        later = factors * (offsets >= wait) * (offsets < analysis.horizon + wait)
        windows["own_years"] = (ours, later)
    return windows | {"long": (factors, factors)}


def _measures(
    workings: Workings, options: tuple[str, str], factors: tuple[np.ndarray, np.ndarray]
) -> dict[str, tuple[str, np.ndarray, np.ndarray]]:
    """Unit and draws of each measure for the prompt and the delayed option."""
    accounts = [workings.accounts[o] for o in options]
    worth = [net_saving(a) @ f for a, f in zip(accounts, factors, strict=True)]
    children = [a.children.fewer for a in accounts]
    lived = [child_years(c) @ f for c, f in zip(children, factors, strict=True)]
    target = workings.target
    return {
        "npv": ("GBP, present value", *worth),
        "child_years": ("child-years not in care, discounted", *lived),
        "fewer_children": ("fewer children in the target year", *(c[:, target] for c in children)),
    }


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
    within = np.isin(workings.years, workings.horizon)
    account: OptionAccount = workings.accounts[option]
    zero = np.zeros_like(account.recurrent)
    programme = sum((line.amount for line in account.costs if line.kind == "programme"), zero)
    return first_year_covered(
        total_saving(account)[:, within],
        cost=total_cost(account)[:, within],
        programme=programme[:, within],
        years=np.array(workings.horizon),
        for_good=for_good,
    )


@catalogued("payback_measures", "Chance of having paid back, by three measures", SHARES)
def payback_measures(workings: Workings) -> pd.DataFrame:
    """Probability of each year of payback by both measures, and of never within the horizon."""
    # Columns option, recurrent (whether the option has recurrent money to cover: without it the second
    # measure only says when savings exceed what is spent on children who are not in care), year
    # (missing: never), prob_cumulative (cumulative discounted net back at zero for good), prob_yearly (first
    # year after the programme whose cashable saving covers its cost), prob_yearly_for_good, and the standard
    # error of each (``mcse_...``). Each sums to 1 over an option.
    lasting = {o.id: o.recurrent is not None for o in workings.inputs.options}
    frames = []
    for option in reforms(workings):
        measures = {
            "cumulative": payback_draws(workings, option),
            "yearly": covered_draws(workings, option),
            "yearly_for_good": covered_draws(workings, option, for_good=True),
        }
        found = {name: _by_payback_year(workings, draws) for name, draws in measures.items()}
        columns: dict[str, Any] = {"option": option, "recurrent": lasting[option]}
        columns |= {"year": found["cumulative"]["year"]}
        columns |= {f"prob_{name}": frame["probability"] for name, frame in found.items()}
        frames.append(
            pd.DataFrame(columns | {f"mcse_{name}": frame["mcse"] for name, frame in found.items()})
        )
    return pd.concat(frames, ignore_index=True)


# --- Tables of money: cash flow, net present value, payback, financing modes, system cost, cost ladder ---


REVIEW_PRICES = "prices_of_2021-22"
"""Real terms at the prices the review's figures are read in."""


@catalogued(
    "cash_flow_by_year",
    "Cash flow by payer and kind, by year",
    f"{MONEY} Costs are positive, savings negative.",
)
def cash_flow_by_year(workings: Workings) -> pd.DataFrame:
    """Real cash flow by option, year, payer and kind; lines of zero left out.

    Columns option, year, payer, kind, mean, lower, upper: GBP of the price base, costs positive, savings
    negative.
    """
    flow = workings.arrays.cash_flow
    each = (flow.sel(option=option) for option in workings.accounts)
    table = pd.concat([_statement(workings, one, {"": one}) for one in each])
    kept = (table["row"] == "line") & ((table["lower"] != 0) | (table["upper"] != 0))
    return table[kept].drop(columns="row").reset_index(drop=True)


@catalogued("net_by_year", "Net saving by year, and so far", MONEY)
def net_by_year(workings: Workings) -> pd.DataFrame:
    """Net saving by option and year, and the cumulative discounted net saving.

    Columns option, year, mean, lower, upper, cumulative_mean, cumulative_lower, cumulative_upper,
    prob_cumulative_positive: GBP of the price base, positive is a saving.
    """
    flows = workings.arrays.flows_long.sel(year=workings.horizon)
    present = flows * xr.DataArray(workings.factors, dims="year")
    cumulative = present.cumsum("year").assign_coords(year=flows["year"])
    level = workings.inputs.analysis.level
    table, running = (by_option_and_year(a, level=level) for a in (flows, cumulative))
    for name in ("mean", "lower", "upper"):
        table[f"cumulative_{name}"] = running[name]
    positive = (cumulative > 0).mean("sample").transpose("option", "year")
    table["prob_cumulative_positive"] = positive.values.ravel()
    return table.drop(columns="median")


@catalogued("npv", "Fiscal net present value by option", f"{MONEY} Positive is a net saving.")
def npv_table(workings: Workings) -> pd.DataFrame:
    """Fiscal net present value by option over the headline and the long horizon, and with run-off.

    Columns option, label, mean, median, lower, upper, mcse, prob_positive, prob_negative, prob_mcse; then mean, lower,
    upper after npv_long_ and npv_run_off_, prob_long_positive, prob_run_off_positive: GBP, positive is a net saving.
    """
    # Run-off: money stops with the headline horizon, and what it did is followed over the long one.
    rows = []
    for option in workings.inputs.options:
        npv = workings.arrays.npv.sel(option=option.id).values
        long = workings.arrays.npv_long.sel(option=option.id).values
        gain = probability(npv > 0, label="", chains=workings.chains)
        rows.append(
            {
                "option": option.id,
                "label": option.label,
                **spread(workings, npv, median=True),
                "mcse": mcse_mean(npv, chains=workings.chains),
                "prob_positive": gain["mean"],
                "prob_negative": (npv < 0).mean(),
                "prob_mcse": gain["mcse"],
                **spread(workings, long, "npv_long_"),
                "prob_long_positive": (long > 0).mean(),
                **spread(workings, ended := run_off(workings, option.id)[0], "npv_run_off_"),
                "prob_run_off_positive": (ended > 0).mean(),
            }
        )
    return pd.DataFrame(rows)


@catalogued("financing_modes", "Ways of paying after the programme", MONEY, needs=review_programme)
def financing_modes(workings: Workings) -> pd.DataFrame:
    """The ways of paying for the review's programme afterwards: its own, and options that differ in it alone."""
    # Columns option, label, financing, recurrent_2030_mean (GBP of the price base), prob_recurrent_2030_full (that it
    # is as much as the first option's; 1 for that option, by definition); then, each with mean, lower, upper: shift_
    # (share of it reached), saving_ (gross cashable saving of the claim's year, GBP at the claim's prices), helped_
    # (children helped in that year), help_years_ and care_years_ (child-years of help, and out of care, over the
    # horizon), npv_, recurrent_ (present value of recurrent money) and npv_before_ (npv with that left out);
    # prob_npv_positive, fewer_mean (children in the target year). One child may be helped in two years.
    claims = workings.inputs.claims
    paying = ways_of_paying(workings.inputs.options, programme=claims.programme)
    full = workings.accounts[claims.programme].recurrent[:, workings.years.index(claims.annual_saving.year)]
    rows = []
    for option in paying:
        draws = _financed(workings, workings.accounts[option.id], full=full)
        draws["npv"] = npv = workings.arrays.npv.sel(option=option.id).values
        draws["npv_before"] = npv + draws["recurrent"]
        row: dict[str, Any] = {"option": option.id, "label": option.label, "financing": option.financing}
        if option.financing == "new_recurrent":  # new money shifts nothing
            draws["shift"] = np.full_like(npv, np.nan)
        for name, drawn in draws.items():
            row |= spread(workings, drawn, f"{name}_")
        row["prob_recurrent_2030_full"] = (
            (draws["recurrent_2030"] >= full - 1.0).mean() if full.any() else np.nan
        )
        row["prob_npv_positive"] = (npv > 0).mean()
        rows.append(row | {"fewer_mean": fewer_children(workings, option.id).mean()})
    return pd.DataFrame(rows)


def _financed(workings: Workings, account: OptionAccount, *, full: np.ndarray) -> dict[str, np.ndarray]:
    """Money, help and child-years of one way of paying, (sample,)."""
    year = workings.years.index(workings.inputs.claims.annual_saving.year)
    recurrent, within = account.recurrent[:, year], np.isin(workings.years, workings.horizon)
    helped = (
        account.delivered("family_help") * workings.system.value("family_help.eligible_children")[:, None]
    )
    paid = [c.amount for c in account.costs if c.kind == "recurrent" and c.component not in SUPPORT]
    return {
        "recurrent_2030": recurrent,
        "shift": np.divide(recurrent, full, out=np.zeros_like(full), where=full > 0),
        "saving": total_saving(account)[:, year] / review_prices(workings),
        "helped": helped[:, year],
        "help_years": helped[:, within].sum(axis=1),
        "care_years": child_years(account.children.fewer)[:, within].sum(axis=1),
        "recurrent": discounted(workings, sum(paid, np.zeros_like(helped))),
    }


@catalogued(
    "against_funded", "Options beside what is funded already", MONEY, needs=lambda w: DO_MINIMUM in w.accounts
)
def against_funded(workings: Workings) -> pd.DataFrame:
    """Each option instead of what is funded already, and on top of it: worth and children beyond it."""
    # Columns reading ("vs_..." or "on_...", as the keys of the headline end), words, option, label, npv_mean,
    # npv_lower, npv_upper (GBP), prob_npv_positive, prob_mcse, fewer_mean, fewer_lower, fewer_upper (target year).
    rows = []
    for reading, (words, both) in READINGS.items():
        for option in workings.inputs.options:
            drawn = both(workings, option.id)
            if drawn is not None and option.id != DO_MINIMUM:
                row = {"reading": reading, "words": words, "option": option.id, "label": option.label}
                row |= spread(workings, drawn[0], "npv_") | spread(workings, drawn[1], "fewer_")
                rows.append(row | chance(workings, drawn[0] > 0, "prob_npv_positive", "prob_mcse"))
    return pd.DataFrame(rows)


@catalogued(
    "system_cost_by_year",
    "Cost of children's social care by year",
    "GBP a year; real or cash as each row says.",
)
def system_cost_by_year(workings: Workings) -> pd.DataFrame:
    """Yearly cost of the system by option.

    Columns option, year, price ("real" in the price base, "prices_of_2021-22" in real terms at the review's
    prices, or "cash"), mean, median, lower, upper: GBP.
    """
    real = workings.arrays.system_cost
    cash = real * workings.to_cash(real["year"].values)
    frames = []
    for price, array in (("real", real), (REVIEW_PRICES, real / review_prices(workings)), ("cash", cash)):
        frame = by_option_and_year(array, level=workings.inputs.analysis.level)
        frame.insert(2, "price", price)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@catalogued("cost_ladder", "What leaving a placement saves: average, avoidable and cashable cost", MONEY)
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
    columns: dict[str, Any] = {"placement": list(PLACEMENTS)}
    for name, draws in steps.items():
        columns |= spread(workings, draws, f"{name}_")
    return pd.DataFrame(columns).rename(columns={f"{name}_mean": name for name in steps})


# --- Net present value under every discount schedule, on the same draws and the same cash flow ---


@catalogued("discount_schedules", "Net present value under other discount schedules", MONEY, once=True)
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
        about: dict[str, Any] = {"schedule": schedule.name, "title": schedule.title}
        about |= {"vintage": schedule.vintage.isoformat(), "source": schedule.source}
        about |= {"mid_year": mid_year, "of_the_run": of_the_run}
        worth = _worth(workings, schedule, years=analysis.horizon, mid_year=mid_year)
        long = _worth(workings, schedule, years=analysis.long_horizon, mid_year=mid_year)
        usual = worth if of_the_run else usual
        for option in workings.inputs.options:
            npv = worth[option.id]
            row = about | {"option": option.id, "label": option.label} | spread(workings, npv)
            row |= chance(workings, npv > 0, "prob_positive", "prob_mcse")
            row |= spread(workings, npv - usual[option.id], "change_")
            rows.append(row | spread(workings, long[option.id], "long_"))
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


def _by_payback_year(workings: Workings, draws: np.ndarray) -> pd.DataFrame:
    """Chance of each year of the horizon, and last of never; a missing year is never."""
    return pd.DataFrame(
        {"year": year} | chance(workings, np.isnan(draws) if np.isnan(year) else draws == year, "probability")
        for year in (*workings.horizon, np.nan)
    )
