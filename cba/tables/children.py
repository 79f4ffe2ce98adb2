"""The forecasts of a run under business as usual, kept so that a later release can hold them against what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from cba.appraisal.quantities import discounted, lead_option, spread_at
from cba.appraisal.workings import Workings, reachable_starts, stacked
from cba.costs.account import avoidable_share, starts_averted, total_cost
from cba.dimensions import AGE_BANDS
from cba.inputs.observations import load_observations
from cba.interventions.effects import Effect
from cba.interventions.kinds import checked
from cba.models.authority_data import OUTCOMES
from cba.models.authority_findings import STUDY, panel_tables
from cba.models.effects_areas import TIERS
from cba.models.parameters import family_help_tiers
from cba.models.sampling import normal_settings
from cba.projection.business_as_usual import number_in_care
from cba.tables.attribution import component_account, players_of, split_options, splits
from cba.tables.beliefs import children_of_all_starts
from cba.tables.catalogue import (
    BY_ROW,
    CHILDREN,
    SHARES,
    a_reform,
    catalogued,
    chance,
    own_fits,
    spread,
)

Step = tuple[str, str, str, np.ndarray]


YEARS_AHEAD = 5
"""Years of a forecast that are kept to be scored."""


POINTS = 200
"""Quantiles kept of each forecast, at ``(i - 1/2) / 200``: equally weighted draws in all but name."""


ALL_AGES = "all"
"""Where a forecast is of children of every age."""


QUANTILES = tuple(f"q{i:03d}" for i in range(1, POINTS + 1))
"""Columns of the quantiles."""


@catalogued("forecasts", "Forecasts kept for scoring when figures arrive", CHILDREN)
def forecast_table(workings: Workings) -> pd.DataFrame:
    """Forecasts of the next years under business as usual, each as a row of quantiles.

    Columns quantity (``stock`` at 31 March; ``starts`` and ``ceases`` of the year), age (``all``, and the
    bands for the stock), year (ending 31 March), mean, and 200 quantiles ``q001`` to ``q200``.
    """
    usual = workings.system.baseline
    years = usual["year"].values[:YEARS_AHEAD]
    rows: dict[tuple[str, str, int], np.ndarray] = {}
    for position, year in enumerate(map(int, years)):
        for quantity, name in (("stock", "children"), ("starts", "starts"), ("ceases", "ceases")):
            by_age = usual[name].transpose("sample", "year", "age").values[:, position]
            rows[quantity, ALL_AGES, year] = by_age.sum(axis=-1)
            if quantity == "stock":
                rows |= {(quantity, age, year): by_age[:, i] for i, age in enumerate(AGE_BANDS)}
    return quantile_rows(rows)


def quantile_rows(draws: dict[tuple[str, str, int], np.ndarray]) -> pd.DataFrame:
    """Return one row of quantiles for each forecast."""
    at = (np.arange(POINTS) + 0.5) / POINTS
    index = pd.DataFrame(list(draws), columns=["quantity", "age", "year"])
    values = np.array([np.quantile(row, at) for row in draws.values()])
    means = [float(row.mean()) for row in draws.values()]
    return pd.concat([index.assign(mean=means), pd.DataFrame(values, columns=list(QUANTILES))], axis=1)


# --- What one start more in a year costs until the horizon ends, and how many children it adds by the … ---


@dataclass(frozen=True)
class OneStart:
    """One start of average age in each year, shape (sample, year of the start)."""

    # Placement until the horizon ends, and proceedings, GBP of the price base, present value.
    cost: np.ndarray
    children: np.ndarray  # children at 31 March of the target year


def one_more_start(workings: Workings) -> OneStart:
    """Work out one more start in each year, on every draw.

    Years to the later of the end of the horizon and the target year.
    """
    # With K(l) the children left l years on (summed over ages, weighted by the ages of starts in that year),
    # m the placement of such children and V = P x avoidable share, a start in year t costs
    #     sum_l d(t+l) (K(l-1) m(l-1) + K(l) m(l)) / 2 . V(t+l)  +  case (d(t) - deferred mean_w d(t+w)),
    # d the discount factor, w the years in which deferred starts happen after all.
    analysis, system = workings.inputs.analysis, workings.system
    last = max(*workings.horizon, analysis.target_year)
    size, target = workings.years.index(last) + 1, workings.target
    factors = discounted(workings, np.eye(len(workings.years)))
    starts = system.ground.starts[:, :size]
    ages = starts / starts.sum(axis=-1, keepdims=True)
    left = ages @ system.averted_kernel[..., :size].sum(axis=2)  # (sample, year of start, lag)
    worth = workings.basis.prices.path[:, :size] * avoidable_share(system.parameters)[:, None, :]
    priced = system.entrant_mix[:, :size] @ worth.transpose(0, 2, 1)  # (sample, lag, year)
    cost = np.zeros((starts.shape[0], size))
    children = np.zeros_like(cost)
    for begun in range(size):
        lags, years = np.arange(size - begun), np.arange(begun, size)
        spent = left[:, begun, lags] * priced[:, lags, years] / 2.0
        spent[:, 1:] += left[:, begun, lags[:-1]] * priced[:, lags[:-1], years[1:]] / 2.0
        cost[:, begun] = spent @ factors[years]
        if begun <= target:
            children[:, begun] = left[:, begun, target - begun]
    return OneStart(cost + _proceedings(workings, factors, size=size), children)


def _proceedings(workings: Workings, factors: np.ndarray, *, size: int) -> np.ndarray:
    """Present value of proceedings for one start in each year, less those of starts that are only deferred."""
    value = workings.system.value
    case = value("legal.proceedings_share") * value("legal.cost_per_case")
    late = np.concatenate([factors, np.zeros(max(workings.system.returns))])
    again = np.mean([late[wait : wait + size] for wait in workings.system.returns], axis=0)
    deferred = value("family_help.deferral_share")[:, None]
    return np.asarray(case[:, None] * (factors[None, :size] - deferred * again[None, :]))


# --- How the number in care grows: what the model was told and what it found, and the number under other growth ---


@catalogued("growth", "How the number in care grows, before and after the data", BY_ROW, needs=own_fits)
def growth_table(workings: Workings) -> pd.DataFrame:
    """Prior and posterior of what growth returns to and how slowly, and the target year under stated ones.

    Columns quantity, label, when (``prior``, ``posterior`` or ``stated``), mean, lower, upper. Growth is per child,
    of children who are not unaccompanied, log points a year; the number is of all children, on the same draws.
    """
    priors, posterior = workings.inputs.priors, workings.system.parameters
    tails = (1.0 - workings.inputs.analysis.level) / 2.0
    rows, evenly = [], (np.arange(POINTS) + 0.5) / POINTS
    for name, label in GROWTH_LABELS.items():
        before = priors[f"baseline.{name}"]
        ends = {"lower": before.quantile(tails), "upper": before.quantile(1.0 - tails)}
        about = {"quantity": name, "label": label}
        rows.append({**about, "when": "prior", "mean": float(before.fitted.ppf(evenly).mean()), **ends})
        found = posterior[f"baseline.{name}"].values
        rows.append({**about, "when": "posterior", "mean": found.mean(), **spread(workings, found)})
    mean, sd = normal_settings(priors, "baseline.growth_mean")
    stated: dict[str, dict[str, float]] = {
        "growth as the model found it": {},
        "mean growth at its prior mean less one standard deviation": {"growth_mean": mean - sd},
        "mean growth at its prior mean, nought": {"growth_mean": mean},
        "mean growth at its prior mean and one standard deviation": {"growth_mean": mean + sd},
    }
    for label, values in stated.items():
        number = _number_under(workings, values)
        about = {"quantity": "children_in_care", "label": label, "when": "stated" if values else "posterior"}
        rows.append({**about, "mean": number.mean(), **spread(workings, number)})
    return pd.DataFrame(rows, columns=["quantity", "label", "when", "mean", "lower", "upper"])


GROWTH_LABELS = {
    "growth_mean": "Mean growth a year of the number per child",
    "growth_persistence": "Share of a departure from it that remains the year after",
}


def _number_under(workings: Workings, values: Mapping[str, float]) -> np.ndarray:
    """Children in care in the target year with growth held at stated values, (sample,)."""
    analysis, drawn = workings.inputs.analysis, workings.system.parameters
    held = {
        f"baseline.{name}": xr.full_like(drawn[f"baseline.{name}"], value) for name, value in values.items()
    }
    people = workings.system.baseline["population"]
    paths = number_in_care(
        workings.baseline, population=people, parameters=drawn.assign(held), seed=analysis.seed
    )
    last = int(workings.baseline["constant_data"]["last_year"])
    return np.asarray(paths["children"].values[:, analysis.target_year - last])


# --- From money to children: each step of family help's effect, so that a reader sees where a large … ---


@catalogued("effect_chain", "From money to fewer children, step by step", BY_ROW, needs=splits)
def effect_chains(workings: Workings) -> pd.DataFrame:
    """Steps from money to children fewer in care, in the target year, of every option whose credit is split."""
    return pd.concat([effect_chain(workings, o) for o in split_options(workings)], ignore_index=True)


def effect_chain(workings: Workings, option: str | None = None) -> pd.DataFrame:
    """Steps from money to children fewer in care, in the target year, one intervention at a time.

    Columns option, step, kind (money, share or children), unit, mean, median, lower, upper: family help, then
    effects that the option states itself.
    """
    # Starts averted are the product of starts, coverage, reach and effect (which differs by age) within each
    # draw; the product of the means differs because the factors vary together.
    option = option or lead_option(workings)
    full = workings.option(option)
    steps = _family_help(workings, option) if "family_help" in players_of(full) else []
    steps += [step for effect in checked(full) if effect.own for step in _own(workings, option, effect)]
    return pd.DataFrame(
        {"option": option, "step": step, "kind": kind, "unit": unit} | spread(workings, draws, median=True)
        for step, kind, unit, draws in steps
    )


@catalogued("room_left", "Fewest children an option leaves in an age band or placement", CHILDREN)
def room_left(workings: Workings) -> pd.DataFrame:
    """How near each option comes to emptying a band: columns option, band, fewest (any draw and year), share_short.

    `share_short` is the share of draws that fall below nought; above one in two hundred a run is refused.
    """
    rows = []
    for array in (workings.arrays.children, workings.arrays.placements):
        band = str(next(dim for dim in array.dims if dim in ("age", "placement")))
        for option in array["option"].values:
            left = array.sel(option=option).min("year")
            worst = left[band].values[int(left.min("sample").values.argmin())]
            short = float((left < -1e-6).any(band).mean())
            rows.append({"option": option, "band": worst, "fewest": float(left.min()), "share_short": short})
    return pd.DataFrame(rows)


TIER_WORDS = {
    "early_help": "Targeted early help",
    "in_need": "Children in need, without a protection plan",
    "protection": "Protection plan or proceedings",
}


@catalogued("family_help_tiers", "Whom family help would serve, by threshold of need", BY_ROW, needs=splits)
def tiers_table(workings: Workings) -> pd.DataFrame:
    """Eligible children, reach, entry risk, money and effect of each tier, at full coverage.

    Columns tier, label, class, quantity, unit, mean, lower, upper. In every draw eligible children x entry risk =
    reach x starts, so more reach through child protection brings its cost and the effect of its services.
    """
    parameters = workings.system.parameters
    draws = {str(name): parameters[name].values for name in parameters.data_vars}
    found = family_help_tiers(draws, reachable_starts(workings.baseline))
    kept = 1.0 - draws["effects.attenuation"]
    effects = workings.effects["posterior"]["class_setting"].stack(
        sample=("chain", "draw"), create_index=False
    )
    rows = []
    for tier, service_class in TIERS.items():
        of_tier: dict[str, tuple[str, np.ndarray]] = {
            "eligible": ("children per year", found["eligible"].sel(tier=tier).values),
            "reach": ("share of starts", found["reach"].sel(tier=tier).values),
            "entry_risk": ("probability per year", found["entry_risk"].sel(tier=tier).values),
            "cost_per_child": ("GBP per child", found["cost_per_child"].sel(tier=tier).values),
            "risk_ratio": ("ratio", np.exp(effects.sel(service_class=service_class).values * kept)),
        }
        about = {"tier": tier, "label": TIER_WORDS[tier], "class": service_class}
        for quantity, (unit, values) in of_tier.items():
            rows.append(about | {"quantity": quantity, "unit": unit} | spread(workings, values))
    return pd.DataFrame(rows)


def _family_help(workings: Workings, option: str) -> list[Step]:
    system, value, year = workings.system, workings.system.value, workings.target
    account = component_account(workings, option, ("family_help",))
    covered = account.delivered("family_help")[:, year]
    served = covered * value("family_help.eligible_children")
    fall = 1.0 - np.exp(value("family_help.log_risk_ratio"))
    starts = system.ground.starts[:, year].sum(axis=-1)
    averted = account.children.averted_starts[:, year].sum(axis=-1)
    sooner = sum(w.leavers.fewer[:, year].sum(axis=-1) for w in account.work if w.leavers is not None)
    return [
        ("Money for family help", "money", "GBP per year", total_cost(account)[:, year]),
        ("New money for one child served", "money", "GBP per child", value("family_help.cost_per_child")),
        ("Children served", "children", "children per year", served),
        ("Share of eligible children served (coverage)", "share", "share", covered),
        ("Share of starts that full coverage would reach (reach)", "share", "share", system.reach),
        ("Effect on a child reached: fall in the risk of entering care", "share", "share", fall),
        ("Starts, unaccompanied children aside", "children", "children per year", starts),
        ("Starts averted", "children", "children per year", averted),
        ("Fewer in care because more left, or fewer did", "children", "children", np.asarray(sooner)),
        ("Fewer children in care at 31 March", "children", "children", account.children.fewer[:, year]),
    ]


def _own(workings: Workings, option: str, effect: Effect) -> list[Step]:
    """Steps of an effect that the option states itself, its component alone."""
    year, pounds = workings.target, ("money", "GBP per year")
    account = component_account(workings, option, (effect.component,))
    spent = np.asarray(sum(line.amount for line in account.costs if line.component == effect.component))
    done = next(w for w in account.work if w.name == effect.name)
    assert done.surplus is not None  # it acts on money
    numbers, units = workings.system.ground, effect.kind.units
    prices = [
        (words, "money", unit, effect.draws(numbers, field))
        for field, (unit, words) in units.items()
        if unit.startswith("GBP") and effect.has(field)
    ]
    what = ("children", "places") if effect.kind.name == "places" else ("share", "share")
    steps: list[Step] = [
        ("money", *pounds, spent[:, year]),
        *prices,
        (effect.delivers, *what, done.delivered[:, year]),
        ("money beyond full coverage, which buys nothing", *pounds, done.surplus[:, year]),
        ("fewer children in care at 31 March", "children", "children", account.children.fewer[:, year]),
    ]
    return [(f"{effect.label}: {words}", kind, unit, draws) for words, kind, unit, draws in steps]


# --- Tables of children: history, and looked-after children, starts and differences by option and year ---


def by_option_and_year(array: xr.DataArray, *, level: float) -> pd.DataFrame:
    """Summarise draws by option and year.

    Columns option, year, mean, median, lower, upper. `array`, dims (sample, option, year).
    """
    columns = spread_at(level, array.transpose("sample", "option", "year").values, median=True)
    named = {name: array[name].values for name in ("option", "year")}
    index = pd.MultiIndex.from_product(named.values(), names=named)
    return pd.DataFrame({n: c.ravel() for n, c in columns.items()}, index=index).reset_index()


@catalogued(
    "history",
    "Children looked after, starts and ceases as published",
    CHILDREN,
    of=attrgetter("inputs.observations"),
)
def history(observations: xr.Dataset) -> pd.DataFrame:
    """Published stock, starts and ceases of England by year. Columns year, stock, starts, ceases."""
    return (
        observations[["stock", "starts", "ceases"]]
        .to_dataframe()
        .reset_index()[["year", "stock", "starts", "ceases"]]
        .dropna(subset=["stock"])
    )


@catalogued("children_by_year", "Children looked after at 31 March, by option", CHILDREN)
def children_by_year(workings: Workings) -> pd.DataFrame:
    """Children looked after at 31 March by option and year.

    Columns option, year, mean, median, lower, upper.
    """
    return by_option_and_year(workings.arrays.children.sum("age"), level=workings.inputs.analysis.level)


@catalogued(
    "fewer_children_by_year", "Children fewer in care than under business as usual", "Children at 31 March."
)
def fewer_children_by_year(workings: Workings) -> pd.DataFrame:
    """Children fewer than under business as usual by option and year.

    Columns option, year, mean, median, lower, upper.
    """
    total = workings.arrays.children.sum("age")
    fewer = total.sel(option="bau", drop=True) - total
    return by_option_and_year(fewer, level=workings.inputs.analysis.level)


@catalogued("starts_by_year", "Starts to be looked after, by option and year", "Children a year.")
def starts_by_year(workings: Workings) -> pd.DataFrame:
    """Starts by option and year: what to expect each year if the option works as believed.

    Columns option, year, mean, median, lower, upper: starts of business as usual less those averted, with
    deferred starts back in the years in which they happen.
    """
    shown = workings.arrays.children["year"].values
    position = [workings.years.index(int(y)) for y in shown]
    usual = workings.system.baseline["starts"].transpose("sample", "year", "age").values.sum(axis=-1)
    starts = {
        name: (usual - starts_averted(workings.system, account.children))[:, position]
        for name, account in workings.accounts.items()
    }
    by_year = stacked(starts, dims=("year",), coords={"year": shown})
    return by_option_and_year(by_year, level=workings.inputs.analysis.level)


# --- What area-level studies teach: the product of coverage, reach and effect, and not its parts ---


QUANTITIES = {
    "area_coverage": ("Share of eligible children served (coverage)", "share"),
    "area_reach": ("Share of starts that full coverage would reach (reach)", "share"),
    "area_effect": ("Fall in the risk of a child served (1 - RR)", "share"),
    "area_change": ("Change in the area's starts (log of 1 - product)", "log points"),
}
"""Variable of the effects fit to its words and unit; the last is the product, which alone meets data."""


@catalogued("reach", "What studies of areas taught of coverage, reach and effect", BY_ROW)
def reach_table(workings: Workings) -> pd.DataFrame:
    """Prior and posterior of coverage, reach, effect and their product, by area-level study."""
    # Columns study_id, quantity, label, unit, prior_mean, prior_lower, prior_upper, mean, lower, upper and
    # learned, the share of the prior's standard deviation that the data took away (near 0: nothing learned;
    # below 0: wider than before). The effect is informed by all studies of family help, coverage and reach by
    # the area-level ones alone, through the product. No rows where no study is area-level.
    posterior, prior = (workings.effects[group].to_dataset() for group in ("posterior", "prior"))
    rows = []
    for study in prior["area"].values:
        for name, (label, unit) in QUANTITIES.items():
            before, after = (fit[name].sel(area=study).values.ravel() for fit in (prior, posterior))
            row = {
                "study_id": str(study),
                "quantity": name.removeprefix("area_"),
                "label": label,
                "unit": unit,
            }
            row |= spread(workings, before, "prior_") | spread(workings, after)
            rows.append(row | {"learned": 1.0 - after.std() / before.std()})
    columns = ["study_id", "quantity", "label", "unit", "prior_mean", "prior_lower", "prior_upper"]
    return pd.DataFrame(rows, columns=[*columns, "mean", "lower", "upper", "learned"])


SIDES = {"before": "prior", "after": "posterior"}


@catalogued("panel_reconciled", "England's panel beside its placebos and what the model believes", SHARES)
def panel_reconciled(workings: Workings) -> pd.DataFrame:
    """Change in starts and in odds of leaving: found by the panel, by its placebos, and believed of the same areas.

    Columns outcome, kind (panel, placebo or model), label, mean, lower, upper (shares). No rows without the panel.
    """
    level, rows = workings.inputs.analysis.level, []
    sides = {f"model, {s} the data": workings.effects[g].to_dataset() for s, g in SIDES.items()}
    known = "panel_bias" in workings.effects["posterior"]
    held = panel_tables(workings.inputs.analysis.evidence_until) if known else {}
    for outcome in OUTCOMES if held else ():
        found = held["panel_finding"].query("specification == 'base' and outcome == @outcome")
        for shift, effect, se in found[["shift", "effect", "se"]].itertuples(index=False):
            label = f"placebo, {shift} years back" if shift else "panel, after five years"
            ends = norm.interval(level, effect, se)
            rows.append((outcome, "placebo" if shift else "panel", label, effect, *ends))
        place = held["panel_summary"].set_index("outcome").loc[outcome]
        ends = place[["placebo_mean", "placebo_lower", "placebo_upper"]]
        rows.append((outcome, "placebo", "placebo adopters", *ends))
        for label, side in sides.items():
            area = side.sel(area=STUDY)
            exits = area["area_coverage"] * side["log_odds_of_leaving"]
            draws = (area["area_change"] if outcome == "starts" else exits).values.ravel()
            rows.append((outcome, "model", label, *spread(workings, draws).values()))
    table = pd.DataFrame(rows, columns=["outcome", "kind", "label", "mean", "lower", "upper"])
    return table.assign(**{name: np.expm1(table[name].astype(float)) for name in ("mean", "lower", "upper")})


# --- The tracker: children starting care each year under each belief, beside what has been published … ---


LINE = 0.95
"""Of the starts expected if the claim held, the share at or below the line that marks the claim as on track."""


CURRENT, PROGRAMME, CLAIM, PUBLISHED = "current_policy", "programme", "claim", "published"
"""Beliefs of the tracker: nothing changes; the option works as this stance holds; it works as the review claimed."""


@catalogued("tracker", "Starts expected each year under each belief", "Children a year.", needs=a_reform)
def tracker_table(workings: Workings) -> pd.DataFrame:
    """Starts of children who are not unaccompanied, year by year, under each belief."""
    # Columns option (the one a report follows), belief, year (ending 31 March), mean, lower, upper
    # (children), line (at or below it a year's figure is on track for the claim; missing before the start),
    # prob_on_track (that a year's starts would be at or below the line if the belief were true), mcse, and
    # after_frame (published figures only: not known when the analysis starts). Beliefs: ``current_policy``,
    # ``programme`` (the option as this stance holds it), ``claim`` (the claimed number fewer in the target year)
    # and ``published``, whose probability is one or nought.
    #
    # The claim's starts are those of current policy times one minus the cut that leaves the claimed number fewer
    # in the target year, in full from the first year and with stays of the average entrant: the smallest cut
    # that would do (`what_it_would_take`). The line is the 95% point of those starts, so that a true claim is
    # called on track nineteen times in twenty; what matters is how often the other beliefs would be called so
    # too.
    # Published figures are those of the newest release held, whatever the analysis's own.
    analysis, option = workings.inputs.analysis, lead_option(workings)
    years = np.arange(workings.years[0], analysis.target_year + 1)
    usual = workings.system.ground.starts
    ahead = usual.sum(axis=-1)[:, : years.size]
    averted = starts_averted(workings.system, workings.accounts[option].children)[:, : years.size]
    started = years >= analysis.start_year
    cut = workings.inputs.claims.fewer_children.value / children_of_all_starts(workings)
    share = np.where(started, cut[:, None], 0.0)
    claimed = ahead * (1.0 - share)
    line = np.where(started, np.quantile(claimed, LINE, axis=0), np.nan)
    beliefs = {CURRENT: ahead, PROGRAMME: ahead - averted}
    if (share < 1.0).all():  # else in some draws no cut would do: the claim cannot be drawn
        beliefs[CLAIM] = claimed
    frames = []
    for belief, draws in beliefs.items():
        on_track = [chance(workings, draws[:, i] <= line[i], "prob_on_track") for i in range(years.size)]
        columns = {"belief": belief, "year": years} | spread(workings, draws) | {"line": line}
        frame = pd.concat([pd.DataFrame(columns), pd.DataFrame(on_track)], axis=1).assign(after_frame=False)
        frame.loc[~started, ["prob_on_track", "mcse"]] = np.nan
        frames.append(frame)
    seen = load_observations()["non_uasc_starts"].dropna("year").to_series().rename("mean").reset_index()
    drawn = seen["year"].map(dict(zip(years, line, strict=True)))
    on_track = (seen["mean"] <= drawn).astype(float).where(drawn.notna())
    after = seen["year"] > analysis.release
    frames.append(seen.assign(belief=PUBLISHED, line=drawn, prob_on_track=on_track, after_frame=after))
    table = pd.concat(frames, ignore_index=True)
    table.insert(0, "option", option)
    return table
