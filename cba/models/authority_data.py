"""England's panel of authorities: start rates and exit shares by year, and when each began a programme.

A launch is never guessed: it is a handful of equally likely dates, from the published date, the lag from a project's
start to changed practice, or the window in which launches with no published date happened.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.errors import InputError
from cba.inputs.files import published_folder
from cba.inputs.tables import read_tables
from cba.models.baseline import unaccompanied_starts

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


PROGRAMMES = ("Family Safeguarding", "Family Valued", "No Wrong Door")
"""Programmes of Strengthening Families, Protecting Children, as the roll-out table's names begin."""


PATHFINDER = "Families First for Children pathfinder"
"""A later programme with the same aim: its authorities cannot stand for business as usual once it is announced."""


LAUNCHED = ("launch", "go live", "start", "implementation", "go live (New Roads)")
"""Events after which families met the programme; any other dated event came before that."""


DATES = 5
"""Equally likely launch dates an uncertain launch is represented by."""


UNDATED = "date not published"
"""How the launch of an authority that joined in a published window is known."""


YEAR_END = 0.25
"""31 March as a share of a calendar year."""


@dataclass(frozen=True)
class Launches:
    """Authorities that began a programme."""

    # Columns authority, authority_name, programme, innovator (bool), known (how the date is known), earliest,
    # latest (calendar years); one row per authority, in the order of `dates`.
    table: pd.DataFrame
    # (launch, DATES): equally likely launch dates, calendar years with decimals; all the same where the date
    # is known.
    dates: np.ndarray

    @property
    def innovator(self) -> np.ndarray:
        """Which launches are those of the programmes' inventors, who were chosen for their results."""
        return self.table["innovator"].to_numpy(bool)

    def of(self, chosen: np.ndarray) -> Launches:
        """Return the chosen launches."""
        return Launches(self.table[chosen].reset_index(drop=True), self.dates[chosen])


def programme_launches(rollout: pd.DataFrame, priors: PriorRegistry) -> Launches:
    """Launches of the Strengthening Families programmes with their uncertainty.

    `priors`: needs ``panel.unknown_launch`` (calendar year) and ``panel.launch_lag`` (years).
    """
    # A date published to the year is any date of that year; a project start, a planned launch or the start of
    # an evaluation is followed by a lag; a missing date is anywhere in the window of the programme's
    # launches. Each is represented by `DATES` equally likely dates, the quantiles (m + 1/2) / DATES.
    levels = (np.arange(DATES) + 0.5) / DATES
    unknown = np.asarray(priors["panel.unknown_launch"].fitted.ppf(levels))
    lag = np.asarray(priors["panel.launch_lag"].fitted.ppf(levels))
    rows, dates = [], []
    for row in rollout.to_dict("records"):
        programme = next((p for p in PROGRAMMES if str(row["programme"]).startswith(p)), None)
        if programme is None:
            continue
        known, candidates = _candidates(row, unknown=unknown, lag=lag, levels=levels)
        about = (str(row["authority"]), row["authority_name"], programme, row["role"] == "innovator", known)
        rows.append((*about, float(candidates.min()), float(candidates.max())))
        dates.append(candidates)
    names = ["authority", "authority_name", "programme", "innovator", "known", "earliest", "latest"]
    table = pd.DataFrame(rows, columns=names)
    _refuse_two_programmes(table)
    return Launches(table, np.array(dates))


def _candidates(
    row: dict[str, object], *, unknown: np.ndarray, lag: np.ndarray, levels: np.ndarray
) -> tuple[str, np.ndarray]:
    """How a launch date is known, and its equally likely values."""
    if pd.isna(row["date"]):
        return UNDATED, unknown
    begun, precision = calendar_year(str(row["date"])), str(row["date_precision"])
    if row["event"] not in LAUNCHED:
        return "dated before practice changed", begun + lag
    if precision == "year":
        return "known to the year", begun + levels
    return "date published", np.full(DATES, begun)


def calendar_year(date: str) -> float:
    """Read a date of the roll-out table as a calendar year with decimals.

    `date`: ``YYYY``, ``YYYY-MM`` (taken as the first of the month) or ``YYYY-MM-DD``.
    """
    try:
        day = dt.date.fromisoformat(f"{date}-01-01"[:10])
    except ValueError:
        raise InputError(
            "a launch date cannot be read",
            file="programme_rollout.csv",
            field="date",
            found=date,
            allowed="YYYY, YYYY-MM or YYYY-MM-DD, or empty where the date is not known",
            cause="a date written in words or in another order",
            remedy="write it as year, month and day with hyphens",
        ) from None
    start, end = dt.date(day.year, 1, 1), dt.date(day.year + 1, 1, 1)
    return day.year + (day - start) / (end - start)


def _refuse_two_programmes(table: pd.DataFrame) -> None:
    twice = table.loc[table["authority"].duplicated(), "authority_name"]
    if len(twice):
        raise InputError(
            "an authority began two programmes, so the panel cannot tell which did what",
            file="programme_rollout.csv",
            field="authority",
            found=str(twice.iloc[0]),
            allowed="one row per authority among the Strengthening Families programmes",
            cause="a second event of one programme entered as a row of its own",
            remedy="keep the row of the launch",
        )


def exposure(dates: np.ndarray, years: np.ndarray, ramp: Any, *, arrays: Any = np) -> Any:
    """Share of its full effect a programme has in each year, averaged over the year; 0 before launch.

    Mean of ``1 - exp(-s / ramp)`` over the year to 31 March, s years since launch. Shape (..., year).
    """
    # `arrays`: NumPy, or ``pytensor.tensor`` inside a model.
    to_end = years + YEAR_END - dates[..., None]
    end, begin = np.maximum(to_end, 0.0), np.maximum(to_end - 1.0, 0.0)
    return end - begin - ramp * (arrays.exp(-begin / ramp) - arrays.exp(-end / ramp))


# --- The panel of authorities: who is in it, in which years, who is left out or added together and why ---


OUTCOMES = ("starts", "exits")
"""What the panel is read on: log of starts per child, and log odds of leaving care in a year."""


FIRST_YEAR = 2011
"""Figures of authorities are not rounded from the release of this year on."""


MOST = 0.9
"""A year is in the panel if this share of the authorities then existing published all series."""


NO_WEIGHT = 1e6
"""Noise variance of a figure that does not count, so that the blocks of all authorities stay alike."""


SERIES = ("starts", "ceases", "stock")

JOINED = "boundaries changed: predecessors and successors are added together"

NOT_ALONE, ALL = "children who are not unaccompanied", "all children, unaccompanied ones included"


@dataclass(frozen=True)
class AuthorityPanel:
    """Start rates and exit shares by authority and year, with launches."""

    authority: (
        np.ndarray
    )  # (authority,): codes, joined by + where predecessors and successors are added together
    region: np.ndarray  # (authority,)
    years: np.ndarray  # (year,): years ending 31 March, without gaps
    value: np.ndarray  # (authority, outcome, year): log rate and log odds, less the mean of each outcome
    noise: np.ndarray  # the same: variance of the counting noise; `NO_WEIGHT` where a figure does not count
    account: tuple[
        float, float
    ]  # England: starts per child in care; share of stock and half the starts who leave
    launches: Launches
    launch_row: np.ndarray  # (launch,)
    excluded: pd.DataFrame  # columns authority, authority_name, years, reason: left out, or added together
    release: int
    children: str  # which are counted, in words


def authority_panel(
    observations: xr.Dataset, rollout: pd.DataFrame, priors: PriorRegistry, *, all_children: bool = False
) -> AuthorityPanel:
    """Read the panel as known in one release; unaccompanied children are left out where the release tells them.

    `priors`: needs ``panel.unknown_launch``, ``panel.launch_lag`` and ``baseline.uasc_leave_share``.
    """
    units, unit = _units(observations)
    everyone = {name: _by_unit(observations, f"{name}_by_authority", unit) for name in SERIES}
    years = _years(observations, everyone)
    span = [years[0] - 1, *years]
    leave = float(priors["baseline.uasc_leave_share"].median)
    alone, doubt = _unaccompanied(observations, unit, leave_share=leave)
    told = all(frame[years].notna().any().all() for frame in alone.values())
    counted = everyone if all_children or not told else {n: everyone[n] - alone[n] for n in SERIES}
    reasons = _reasons(units, counted, span)
    kept = units.index[reasons == ""]
    people = _by_unit(observations, "population_by_authority", unit)
    figures = {name: _at(frame, kept, span) for name, frame in counted.items()}
    value, noise = _rates(
        figures,
        people=_at(people.bfill(axis=1).ffill(axis=1), kept, years),
        doubt=[(counted is not everyone) * _at(doubt[name], kept, years) for name in SERIES[:2]],
    )
    whole = {code: one for one in unit for code in one.split("+")}
    later = _later_programme(rollout, whole, kept, years)
    noise[np.broadcast_to(later[:, None], noise.shape)] = NO_WEIGHT
    launches, row, absent = _in_panel(programme_launches(rollout, priors), whole, kept)
    left_out = _left_out(units, reasons, years, later=later, kept=kept)
    left_out += absent + _filled(people.loc[kept, years], units)
    starts, ceases, stock = (figures[name].sum(axis=0) for name in SERIES)
    return AuthorityPanel(
        authority=kept.to_numpy(str),
        region=units.loc[kept, "region"].to_numpy(str),
        years=np.array(years),
        value=np.where(noise == NO_WEIGHT, 0.0, value),
        noise=noise,
        account=(starts[-1] / stock[-2], ceases[-1] / (stock[-2] + starts[-1] / 2.0)),
        launches=launches,
        launch_row=row,
        excluded=pd.DataFrame(left_out, columns=["authority", "authority_name", "years", "reason"]),
        release=int(observations.attrs["release"]),
        children=ALL if counted is everyone else NOT_ALONE,
    )


def _at(frame: pd.DataFrame, kept: pd.Index, years: list[int]) -> np.ndarray:
    return frame.loc[kept, years].to_numpy(float)


def _filled(published: pd.DataFrame, units: pd.DataFrame) -> list[tuple[str, ...]]:
    """Name the years whose population is that of the nearest one published."""
    words, missing = "population not published: that of the nearest year stands", published.isna()
    every = missing.columns[missing.all()]
    rows = [("", "Every authority", ", ".join(map(str, every)), words)] if len(every) else []
    some = missing.drop(columns=every)
    return rows + [
        (code, units.loc[code, "authority_name"], ", ".join(map(str, some.columns[row])), words)
        for code, row in zip(some.index, some.to_numpy(), strict=True)
        if row.any()
    ]


def _units(observations: xr.Dataset) -> tuple[pd.DataFrame, np.ndarray]:
    """Units of the panel with name and region, and the unit of each code: what became of one another is one unit."""
    about = observations[["authority_name", "region", "first_year", "last_year"]].to_dataframe()
    table = read_tables((), folder=published_folder())["authorities"].set_index("authority")
    about = about[about["last_year"] >= FIRST_YEAR - 1]
    unit = {str(code): str(code) for code in observations["authority"].values}
    for code, after in table.loc[list(about.index), "successors"].dropna().items():
        members = {part for one in (code, *str(after).split()) for part in unit[one].split("+")}
        unit |= dict.fromkeys(members, "+".join(sorted(members)))
    about["unit"] = [unit[str(code)] for code in about.index]
    last = about[about["last_year"] == about["last_year"].max()]
    units = last.groupby("unit").agg({"authority_name": " with ".join, "region": "first"})
    return units, np.array([unit[str(code)] for code in observations["authority"].values])


def _by_unit(observations: xr.Dataset, name: str, unit: np.ndarray) -> pd.DataFrame:
    """Add up a series over the codes of each unit that existed; one that is missing leaves the sum missing."""
    series = observations[name].transpose("authority", "year")
    return _added(series.where(_existed(observations), 0.0), unit)


def series_by_unit(observations: xr.Dataset) -> tuple[np.ndarray, dict[str, pd.DataFrame]]:
    """Unit of each authority, and starts, ceases and stock of all children by unit and year."""
    _, unit = _units(observations)
    return unit, {name: _by_unit(observations, f"{name}_by_authority", unit) for name in SERIES}


def _existed(observations: xr.Dataset) -> xr.DataArray:
    return (observations["first_year"] <= observations["year"]) & (
        observations["year"] <= observations["last_year"]
    )


def _added(series: xr.DataArray, unit: np.ndarray) -> pd.DataFrame:
    codes, place = np.unique(unit, return_inverse=True)
    total = np.zeros((len(codes), series.sizes["year"]))
    np.add.at(total, place, series.values)
    return pd.DataFrame(total, index=codes, columns=series["year"].values.astype(int))


def _years(observations: xr.Dataset, series: dict[str, pd.DataFrame]) -> list[int]:
    """The last unbroken run of years that nearly every unit published in full, the stock a year before included."""
    known = [frame.notna() for frame in series.values()] + [series["stock"].shift(axis=1).notna()]
    share = np.logical_and.reduce(known).mean(axis=0)
    years = observations["year"].values.astype(int)
    good = [bool(s >= MOST and y >= FIRST_YEAR) for s, y in zip(share, years, strict=True)]
    last = max(np.flatnonzero(good))
    first = last
    while good[first - 1]:
        first -= 1
    return [int(year) for year in years[first : last + 1]]


def _unaccompanied(
    observations: xr.Dataset, unit: np.ndarray, *, leave_share: float
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Unaccompanied children by unit: stock; starts and ceases implied by it; and the variance of these two."""
    # What England's total holds beyond the printed cells is spread evenly over those suppressed (1 to 5 children).
    # U' = (1 - h) U + (1 - h/2) S gives starts, no fewer than none, scaled to England's; leavers h (U + S/2) likewise.
    printed = observations["uasc_stock_by_authority"].transpose("authority", "year")
    hidden = printed.isnull() & observations["stock_by_authority"].notnull() & _existed(observations)
    rest = (observations["uasc_stock_by_authority_total"] - printed.sum("authority")) / hidden.sum(
        "authority"
    )
    stock = _added(printed.fillna(0.0) + rest.fillna(0.0) * hidden, unit)
    england = observations["uasc_stock"].to_series()
    stock = stock * (england / stock.sum())
    before = stock.shift(axis=1)
    implied = ((stock - (1.0 - leave_share) * before) / (1.0 - leave_share / 2.0)).clip(lower=0.0)
    arrived = unaccompanied_starts(observations, leave_share=leave_share).to_series()
    starts = implied * (arrived / implied.sum())
    leaving = leave_share * (before + starts / 2.0)
    ceases = leaving * ((england.shift() + arrived - england) / leaving.sum())
    variance = leaving * (1.0 - leave_share)
    doubt = {"starts": variance / (1.0 - leave_share / 2.0) ** 2, "ceases": variance}
    return {"starts": starts, "ceases": ceases, "stock": stock}, doubt


def _rates(
    figures: dict[str, np.ndarray], *, people: np.ndarray, doubt: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Log start rates and log odds of leaving, with the variance of what counting leaves to chance."""
    starts, ceases = figures["starts"][:, 1:], figures["ceases"][:, 1:]
    there = figures["stock"][:, :-1] + starts / 2.0
    share = ceases / there
    value = np.stack([np.log(starts / people), np.log(share / (1.0 - share))], axis=1)
    spread = there * share * (1.0 - share)
    noise = np.stack([(starts + doubt[0]) / starts**2, (spread + doubt[1]) / spread**2], axis=1)
    return value - value.mean(axis=(0, 2), keepdims=True), noise


def _reasons(units: pd.DataFrame, counted: dict[str, pd.DataFrame], span: list[int]) -> pd.Series:
    """Why each unit is left out; empty where it is kept."""
    reasons = {}
    for unit in units.index:
        figures = {name: frame.loc[unit, span] for name, frame in counted.items()}
        missing = [
            f"{n} {', '.join(map(str, f.index[f.isna()]))}" for n, f in figures.items() if f.isna().any()
        ]
        none = any((figure <= 0).any() for figure in figures.values())
        empty = "a year without any child, which has no rate to follow" if none else ""
        reasons[unit] = f"not published: {'; '.join(missing)}" if missing else empty
    return pd.Series(reasons)


def _later_programme(
    rollout: pd.DataFrame, whole: dict[str, str], kept: pd.Index, years: list[int]
) -> np.ndarray:
    """Mark the years after an authority was announced as a pathfinder, (authority, year)."""
    found = np.zeros((len(kept), len(years)), dtype=bool)
    for row in rollout[rollout["programme"] == PATHFINDER].to_dict("records"):
        after = np.array(years) + YEAR_END > calendar_year(str(row["date"]))
        found[np.ix_(kept == whole.get(str(row["authority"]), ""), after)] = True
    return found


def _left_out(
    units: pd.DataFrame, reasons: pd.Series, years: list[int], *, later: np.ndarray, kept: pd.Index
) -> list[tuple[str, ...]]:
    """Whatever is left out or added together, with its reason."""
    span = f"{years[0]} to {years[-1]}"
    names = units["authority_name"]
    found: list[tuple[str, ...]] = [
        (str(code), names[code], span, why) for code, why in reasons[reasons != ""].items()
    ]
    found += [(code, names[code], span, JOINED) for code in kept if "+" in code]
    reason = f"{PATHFINDER}, a later programme with the same aim"
    for row in np.flatnonzero(later.any(axis=1)):
        found.append((kept[row], names[kept[row]], ", ".join(map(str, np.array(years)[later[row]])), reason))
    return found


def _in_panel(
    launches: Launches, whole: dict[str, str], kept: pd.Index
) -> tuple[Launches, np.ndarray, list[tuple[str, ...]]]:
    """Keep the launches of authorities in the panel; name those that are not."""
    units = launches.table["authority"].map(whole)
    inside = units.isin(kept).to_numpy(bool)
    absent: list[tuple[str, ...]] = [
        (row.authority, row.authority_name, "all", f"began {row.programme} but is not in the panel")
        for row in launches.table[~inside].itertuples()
    ]
    return launches.of(inside), kept.get_indexer(units[inside]), absent
