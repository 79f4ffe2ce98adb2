"""Do the published figures agree within rounding? Parts, flows and authorities against totals.

Tolerances come from how the publisher rounds, never from how far off the figures are. England is printed to
10 (release 2010: to 100), so a sum of n parts and its total differ by at most 5(n + 1); a suppressed cell of
an authority hides at most 5 children.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from cba.errors import GateError
from cba.inputs.table_words import SERIES

PARTS: Mapping[str, str] = {
    **{name: series["breakdown"] for name, series in SERIES.items() if "adds_up" in series},
    **{f"{measure}_by_placement": "placement" for measure in ("stock", "starts", "ceases")},
}
"""Breakdowns whose parts add up to a total, and the dimension they run over."""

CLOSURE_LIMITS = (0.0, 2_000.0)
"""Change in stock not explained by starts and ceases: positive in every year printed, never above this."""

CORRECTED_SPENDING = {2018: 60.0}
"""GBP million by which England was corrected later, its authorities not (residential care, 2017-18)."""

AUTHORITY_GROUPS = ("total_cla", "total_safeguarding", "total_family_support")
"""Section 251 groups whose authorities are compared with England."""

SIGMAS = 4.0
"""Standard deviations allowed where many rounded figures are summed."""

COLUMNS = ["check", "year", "found", "expected", "tolerance", "passed"]


def rounding_unit(release: np.ndarray) -> np.ndarray:
    """Give the unit to which England was rounded in a release: 100 in 2010, 10 since. Children."""
    return np.where(release <= 2010, 100.0, 10.0)


def _compare(
    check: str, found: xr.DataArray, *, expected: xr.DataArray, tolerance: xr.DataArray
) -> pd.DataFrame:
    """One row for each year in which both figures exist."""
    both = found.notnull() & expected.notnull()
    found, expected, tolerance = (array.where(both, drop=True) for array in (found, expected, tolerance))
    frame = pd.DataFrame(
        {
            "check": check,
            "year": found["year"].values.astype(int),
            "found": found.values.astype(float),
            "expected": expected.values.astype(float),
            "tolerance": np.broadcast_to(tolerance.values, found.shape).astype(float),
        }
    )
    frame["passed"] = (frame["found"] - frame["expected"]).abs() <= frame["tolerance"] + 1e-9
    return frame


def _parts_against_total(observations: xr.Dataset, name: str, dim: str) -> pd.DataFrame:
    printed = name.replace("_placement", "_placement_published")
    parts = observations[name]
    count = parts.notnull().sum(dim)
    needed = 1 if dim == "reason" else parts.sizes[dim]  # reasons come and go; other parts are all printed
    found = parts.sum(dim).where(count >= needed)
    release = observations[f"{printed}_release"]
    unit = xr.zeros_like(release) + rounding_unit(release.values)
    # eight placements rest on up to eleven printed cells
    published = count + (3 if dim == "placement" else 0)
    return _compare(
        f"{name} sums to the total",
        found,
        expected=observations[f"{printed}_total"],
        tolerance=unit / 2 * (published + 1),
    )


def closure_residual(observations: xr.Dataset) -> xr.DataArray:
    """Change in the number looked after that starts and ceases do not explain.

    Dims (year), children. ``stock(t) - stock(t-1) - (starts(t) - ceases(t))``; NaN where one of the four is
    missing. What it is due to is not documented by the publisher.
    """
    stock = observations["stock"]
    change = stock - stock.shift(year=1)
    residual = change - (observations["starts"] - observations["ceases"])
    residual.attrs = {"units": "children", "long_name": "change in stock not explained by starts and ceases"}
    return residual


def _closure(observations: xr.Dataset) -> pd.DataFrame:
    low, high = CLOSURE_LIMITS
    residual = closure_residual(observations)
    middle = xr.full_like(residual, (low + high) / 2)
    return _compare(
        "closure residual between 0 and 2,000",
        residual,
        expected=middle,
        tolerance=xr.full_like(residual, (high - low) / 2),
    )


def _uasc_starts(observations: xr.Dataset) -> pd.DataFrame:
    found = observations["uasc_starts"] + observations["non_uasc_starts"]
    # Of the release that has the breakdowns, which a newer one may have come without.
    printed = observations["starts_by_age_total"].fillna(observations["starts"])
    return _compare(
        "uasc_starts and non_uasc_starts sum to starts",
        found,
        expected=printed,
        tolerance=xr.full_like(found, 15.0),
    )


def _authorities(observations: xr.Dataset, measure: str) -> pd.DataFrame:
    """Compare authorities with England: its rounding, their own in 2010, and hidden cells are allowed for."""
    name = f"{measure}_by_authority"
    by_authority = observations[name]
    years = by_authority["year"]
    standing = (by_authority["first_year"] <= years) & (by_authority["last_year"] >= years)
    given = by_authority.notnull()
    hidden = (standing & ~given).sum("authority")
    release = observations[f"{name}_release"]
    in_fives = xr.zeros_like(release) + np.where(release.values <= 2010, 5.0, 0.0)
    spread = SIGMAS * in_fives * (given.sum("authority") / 12) ** 0.5
    england = xr.zeros_like(release) + rounding_unit(release.values) / 2
    return _compare(
        f"{name} sums to England",
        by_authority.sum("authority").where(given.any("authority")),
        expected=observations[f"{name}_total"],
        tolerance=england + 5.0 * hidden + spread,
    )


def _authority_spending(observations: xr.Dataset, line: str) -> pd.DataFrame:
    """Compare authorities with England in GBP million; an authority is printed to a thousand pounds."""
    councils = observations["spending_by_authority"].sel(line=line)
    found = councils.sum("authority").where(councils.notnull().any("authority"))
    corrected = [CORRECTED_SPENDING.get(int(year), 0.0) for year in found["year"].values]
    return _compare(
        f"spending_by_authority {line} sums to England",
        found,
        expected=observations["spending"].sel(line=line),
        tolerance=xr.zeros_like(found) + np.array(corrected) + 0.2,
    )


def reconcile(observations: xr.Dataset) -> pd.DataFrame:
    """Compare every total with what it should equal.

    One row per check and year: check, year, found, expected, tolerance (same units) and passed. Parts are
    compared with the total printed in the release they come from.
    """
    # ``|found - expected| <= tolerance`` with the tolerance from rounding (module docstring).
    frames = [_parts_against_total(observations, name, dim) for name, dim in PARTS.items()]
    frames += [_closure(observations), _uasc_starts(observations)]
    frames += [_authorities(observations, measure) for measure in ("stock", "starts", "ceases", "uasc_stock")]
    frames += [_authority_spending(observations, line) for line in AUTHORITY_GROUPS]
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True)[COLUMNS] if filled else pd.DataFrame(columns=COLUMNS)


def check_reconciliation(observations: xr.Dataset) -> None:
    """Let observations pass only if every figure agrees with the others."""
    table = reconcile(observations)
    failed = table[~table["passed"]]
    if failed.empty:
        return
    lines = [
        f"{row['check']}, year {row['year']}: found {row['found']:,.10g}, expected {row['expected']:,.10g} "
        f"± {row['tolerance']:,.10g} ({_table_named(str(row['check']))})"
        for row in failed.to_dict("records")
    ]
    raise GateError(
        f"{len(failed)} of {len(table)} reconciliation checks failed for release "
        f"{observations.attrs['release']}; usual cause: one figure mistyped, or rows of two releases mixed; "
        "next step: compare the year named with the publisher's table and restore it",
        lines,
    )


def _table_named(check: str) -> str:
    """File in which to look for the figure that does not agree."""
    if check.startswith("spending"):
        return "spending_authority.csv, spending_england.csv"
    return "authority_children.csv" if "_by_authority" in check else "england_children.csv"
