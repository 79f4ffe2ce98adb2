"""Compact paired draws for exploring a result by hand: a few streams of money and children per option.

An option's net saving is written in parts that a reader's settings only scale:

    net(t)   = m (P0(t) + k P1(t)) + O0(t) + k O1(t) - x C(t)
    fewer(t) = F0(t) + k F1(t)

with C the money as it is spent, P savings on placements, O other savings less support at home, F children
fewer at 31 March; part 0 is without the services whose effects are strengthened and part 1 what they add. The
settings are m (avoidable share), x (overrun of all money) and k (strength of the effects), each 1 as drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from cba.appraisal.quantities import discounted
from cba.appraisal.workings import Workings
from cba.costs.account import (
    SUPPORT,
    OptionAccount,
    avoidable_share,
    placement_savings,
    price_cut,
    saving_lines,
    support_lines,
    total_cost,
)
from cba.decisions.draws import mcse_probability
from cba.decisions.ratios import payback_year
from cba.discounting import discount_factors
from cba.errors import InputError
from cba.inputs.analyses import MIXED, Analysis
from cba.inputs.evidence import load_claims
from cba.inputs.options import Option
from cba.interventions.kinds import own_components
from cba.interventions.records import Work
from cba.projection.care_system import option_children

KEPT = 400
"""Draws kept of each stance: a chance near a half has an error of 2.5 points, and the page stays under 5 MB."""


QUANTITIES = ("money", "placements", "placements_help", "other", "other_help", "fewer", "fewer_help")
"""Streams by year; those ending in ``_help`` are what family help adds."""


CONTROLS = ("overrun", "avoidable", "effect")


_LARGEST = np.iinfo(np.int16).max


_EFFECT = "family_help.log_risk_ratio"


_BODY, _RANGE = (0.05, 0.95), (0.001, 0.999)


def explorer_draws(workings: Workings) -> xr.Dataset | None:
    """Draws of every option in parts that can be scaled, packed as 16-bit columns, evenly spaced over the chains.

    None for stances that hold others' draws.
    """
    # ``packed`` (column, sample) int16 times ``scale`` (column) is a column of draws; ``place``
    # (quantity, option, year) is the column of each stream, equal streams stored once;
    # ``harm_share`` (sample); ``supported`` (control, bound), the multipliers the draws support;
    # ``npv_error`` (option), GBP: how far the mean net present value at half or twice the effect is at most
    # from working the option out again; ``reinvested`` (option), whether it spends what it saves. ``year``
    # runs from the start year.
    #
    # Exact for the avoidable share, the overrun, the schedule and the value of a child-year. For the effect
    # exact in children; in money a saving that turns into an extra cost between no effect and the effect
    # drawn is taken to do so in proportion, and reinvested money is held as drawn.
    if workings.inputs.stance not in MIXED:
        return None
    analysis, years = workings.inputs.analysis, np.array(workings.years)
    last = max(*workings.horizon, analysis.target_year)
    shown = (years >= analysis.start_year) & (years <= last)
    draws = workings.system.reach.size
    chosen = np.unique(np.linspace(0, draws - 1, min(KEPT, draws)).round().astype(int))
    columns = _Columns([], {})
    options = [o for o in workings.inputs.options if o.id != "bau"]
    place = np.zeros((len(QUANTITIES), len(options), int(shown.sum())), dtype=np.int32)
    errors = np.zeros(len(options))
    for position, option in enumerate(options):
        streams = option_streams(workings, option)
        errors[position] = _error_elsewhere(workings, option, streams)
        for row, quantity in enumerate(QUANTITIES):
            drawn = streams[quantity][np.ix_(chosen, np.flatnonzero(shown))]
            place[row, position] = [columns.position(column) for column in drawn.T]
    packed, scale = columns.packed()
    value = workings.system.value
    return xr.Dataset(
        {
            "packed": (("column", "sample"), packed),
            "scale": ("column", scale),
            "place": (("quantity", "option", "year"), place),
            "harm_share": ("sample", value("family_help.harm_share")[chosen].astype(np.float32)),
            "supported": (("control", "bound"), _supported(workings)),
            "npv_error": ("option", errors),
            "reinvested": ("option", [o.financing == "reinvest" for o in options]),
        },
        coords={
            "quantity": list(QUANTITIES),
            "option": [o.id for o in options],
            "year": years[shown],
            "control": list(CONTROLS),
            "bound": ["lower", "upper"],
        },
    )


def option_streams(workings: Workings, option: Option) -> dict[str, np.ndarray]:
    """Streams of one option over the whole projection.

    Shape (sample, year). By member of `QUANTITIES`; GBP of the price base, and children.
    """
    account = workings.accounts[option.id]
    support = sum((c.amount for c in account.costs if c.component in SUPPORT), 0.0 * account.recurrent)
    drawn = _effect_streams(workings, option, account, times=1.0)
    without = drawn
    if any(done.delivered.any() for done in account.work if _adjustable(option, done)):
        without = _effect_streams(workings, option, account, times=0.0)
    streams = {"money": total_cost(account) - support}
    for name in ("placements", "other", "fewer"):
        streams[name] = without[name]
        streams[f"{name}_help"] = drawn[name] - without[name]
    return streams


def _adjustable(option: Option, done: Work) -> bool:
    """Whether a reader can set the strength of an effect: that of family help, and those an option states itself."""
    return done.name == "family_help" or done.component in own_components([option])


def _effect_streams(
    workings: Workings, option: Option, account: OptionAccount, *, times: float
) -> dict[str, np.ndarray]:
    """Savings and children of an option whose family help averts some times as large a share of starts.

    The share is coverage x reach x effect: scaling reach scales it. What the money buys is held as drawn.
    """
    system, paths = workings.system, workings.basis.prices.path
    work = [done.scaled(times) if _adjustable(option, done) else done for done in account.work]
    children = account.children if times == 1.0 else option_children(system, work)
    avoided = placement_savings(
        children.fewer_by_placement, children.moved, prices=paths, parameters=system.parameters
    )
    cut = price_cut(system, children, work=work, prices=paths)
    none = np.zeros_like(account.recurrent)
    lines = saving_lines(system, children, avoided, cut=np.zeros_like(cut))
    support = sum((line.amount for line in support_lines(system, children, work=work)), none)
    placed = sum((line.amount for line in lines if line.component != "care_proceedings"), none)
    legal = sum((line.amount for line in lines if line.component == "care_proceedings"), none)
    fewer = children.fewer
    return {"placements": placed, "other": legal + cut.sum(axis=-1) - support, "fewer": fewer}


def _error_elsewhere(workings: Workings, option: Option, streams: dict[str, np.ndarray]) -> float:
    """Mean net present value at half and at twice the effect: in proportion, less the option worked out again."""
    account = workings.accounts[option.id]
    if not any(done.delivered.any() for done in account.work if _adjustable(option, done)):
        return 0.0
    found = []
    for times in (0.5, 2.0):
        try:
            again = _effect_streams(workings, option, account, times=times)
        except InputError:  # so large an effect would take out more children than there are
            continue
        scaled = (streams[n] + times * streams[f"{n}_help"] - again[n] for n in ("placements", "other"))
        difference = sum(scaled, np.zeros_like(again["other"]))
        found.append(float(discounted(workings, difference).mean()))
    return max(found, key=abs, default=float("nan"))


def _supported(workings: Workings) -> np.ndarray:
    """Multipliers (control, bound) at which the middle 90% of an input stays within what was drawn of it."""
    system = workings.system
    avoidable = avoidable_share(system.parameters).max(axis=-1)
    effect = system.reach * (1.0 - np.exp(system.value(_EFFECT)))
    # Money is spent as stated, so what the draws support of an overrun of all of it is the entry itself.
    overrun = np.quantile(system.value("delivery.cost_overrun"), _RANGE)
    limits = (overrun, _scaled_within(avoidable))
    return np.array([*limits, (0.0, _scaled_within(effect)[1])])


def _scaled_within(draws: np.ndarray) -> tuple[float, float]:
    """Return the smallest and largest multiplier of draws whose middle 90% stays within their 0.1% to 99.9%."""
    low, high = np.quantile(draws, _BODY)
    least, most = np.quantile(draws, _RANGE)
    above = [b / a for a, b in ((high, most), (low, least)) if a and b / a >= 1.0]
    below = [b / a for a, b in ((low, least), (high, most)) if a and 0.0 <= b / a <= 1.0]
    return max(below, default=0.0), min(above, default=1.0)


@dataclass(frozen=True)
class _Columns:
    """Columns of draws, equal ones once."""

    values: list[np.ndarray]
    known: dict[bytes, int]

    def position(self, column: np.ndarray) -> int:
        if np.ptp(column) <= 1e-9 * np.abs(column).max():  # the same in every draw, but for rounding
            column = np.full_like(column, float(f"{column[0]:.9g}"))
        key = np.ascontiguousarray(column).tobytes()
        if key not in self.known:
            self.known[key] = len(self.values)
            self.values.append(column)
        return self.known[key]

    def packed(self) -> tuple[np.ndarray, np.ndarray]:
        """Return columns as 16-bit whole numbers and their scales; a constant column is kept exactly."""
        table: Any = np.stack(self.values)
        constant = np.ptp(table, axis=1) == 0.0
        largest = np.abs(table).max(axis=1)
        scale = np.where(constant, table[:, 0], np.where(largest > 0.0, largest, 1.0) / _LARGEST)
        whole = np.rint(table / np.where(scale == 0.0, 1.0, scale)[:, None])
        return np.where(constant[:, None], 1, whole).astype(np.int16), scale


# --- What the stored draws say at the settings of the run: what the page shows before a reader changes any ---


def explorer_results(draws: xr.Dataset, *, analysis: Analysis, option: str) -> dict[str, float]:
    """Summaries of one option under one stance, by the definitions the page uses at every setting."""
    # Returned: ``npv`` and ``benefit`` (GBP; the same, as child-years are not valued) and ``fewer`` (children), each
    # with ``_median``, ``_lower``, ``_upper`` and the Monte Carlo error of each (``_error``); ``prob_saving``,
    # ``prob_benefit``, ``prob_fewer``, ``prob_never`` with ``_error``; ``payback`` (median year, NaN for never) with
    # its limits ``payback_early`` and ``payback_late`` at one standard error; ``ess``.
    net, fewer, payback = _by_draw(draws, analysis=analysis, option=option)
    shares = {"median": 0.5, "lower": (1.0 - analysis.level) / 2.0, "upper": (1.0 + analysis.level) / 2.0}
    found: dict[str, float] = {"ess": float(net.size)}
    for name, values in {"npv": net, "benefit": net, "fewer": fewer}.items():
        for place, share in shares.items():
            quantile, error = quantile_with_error(values, share)
            found |= {f"{name}_{place}": quantile, f"{name}_{place}_error": error}
    events = {
        "prob_saving": net > 0.0,
        "prob_benefit": net > 0.0,
        "prob_fewer": fewer >= load_claims().fewer_children.value,
        "prob_never": np.isnan(payback),
    }
    for name, event in events.items():
        found |= {name: float(event.mean()), f"{name}_error": mcse_probability(event)}
    error = 0.5 / float(np.sqrt(net.size))
    for name, share in {"payback": 0.5, "payback_early": 0.5 - error, "payback_late": 0.5 + error}.items():
        found[name] = _year_reached(payback, share)
    return found


def unpacked(draws: xr.Dataset, quantity: str, option: str) -> np.ndarray:
    """One stream of one option. Shape (sample, year)."""
    place = draws["place"].sel(quantity=quantity, option=option).values
    return (draws["packed"].values[place] * draws["scale"].values[place][:, None]).T


def quantile_with_error(values: np.ndarray, share: float) -> tuple[float, float]:
    """Quantile of draws, and half the distance between those one standard error of the share to either side."""
    error = np.sqrt(share * (1.0 - share) / values.size)
    low, middle, high = np.quantile(values, np.clip([share - error, share, share + error], 0.0, 1.0))
    return float(middle), float(high - low) / 2.0


def _by_draw(
    draws: xr.Dataset, *, analysis: Analysis, option: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Net present value, children fewer in the target year and payback year of every draw of one stance."""
    stream = {str(name): unpacked(draws, str(name), option) for name in draws["quantity"].values}
    saved, other, fewer = (stream[name] + stream[f"{name}_help"] for name in ("placements", "other", "fewer"))
    years, horizon = draws["year"].values, analysis.horizon
    net = (saved + other - stream["money"])[:, :horizon]
    npv = net @ discount_factors(np.arange(horizon), analysis.schedule, mid_year=analysis.mid_year)
    flow = xr.DataArray(net, dims=("sample", "year"), coords={"year": years[:horizon]})
    paid = payback_year(flow, schedule=analysis.schedule, base_year=analysis.start_year).values
    return npv, fewer[:, int(np.flatnonzero(years == analysis.target_year)[0])], paid


def _year_reached(years: np.ndarray, share: float) -> float:
    """First year by which a share of the draws has paid back; NaN for never."""
    late = np.sort(np.where(np.isnan(years), np.inf, years))
    year = late[max(int(np.ceil(share * late.size - 1e-9)), 1) - 1]
    return float(year) if np.isfinite(year) else float("nan")
