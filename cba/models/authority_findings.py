"""Placebos: the panel's effect where there was no programme, to see how large it comes out by chance.

Placebo adopters are authorities that never launched a programme, drawn at random and given the real launches. Placebo
dates are the real adopters with every launch moved back and everything from the real launch on dropped. Both go
through the quick method, and so does the real estimate they are compared with.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import xarray as xr

from cba.models.authorities import PanelFinding, fit_scales, null_fit, quick_effect, quick_effects
from cba.models.authority_data import OUTCOMES, YEAR_END, AuthorityPanel, Launches
from cba.models.slow_results import SLOW_RESULTS, kept_table

SETS = 500
"""Sets of placebo adopters drawn unless told otherwise."""


SHIFTS = (2, 3, 4)
"""Years by which placebo dates come before the real ones."""


def placebo_adopters(
    panel: AuthorityPanel, fit: xr.DataTree, *, sets: int = SETS, seed: int = 20220523
) -> pd.DataFrame:
    """Estimate the effect in random authorities that never launched a programme.

    Columns outcome, placebo (0 is the real adopters), effect, se: log points at the horizon, the programmes'
    inventors left out, and innovators, innovators_se for those in the inventors' place.
    """
    # Real adopters are left out of the placebo panel altogether, so that a real effect cannot leak into it.
    # Under no effect of any kind the real estimate is one more draw from this distribution
    # (randomisation inference).
    never = np.setdiff1d(np.arange(len(panel.authority)), panel.launch_row)
    controls = panel_rows(panel, never)
    rng = np.random.default_rng([seed, 3])
    places = [rng.permutation(len(never))[: len(panel.launch_row)] for _ in range(sets)]
    rows = []
    for outcome, real in quick_effects(panel, fit).items():
        rows.append({"outcome": outcome, "placebo": 0, **real._asdict()})
        null = null_fit(controls, fit_scales(fit, outcome), outcome=outcome)
        for number, chosen in enumerate(places, start=1):
            found = quick_effect(null, panel.launches, chosen)
            rows.append({"outcome": outcome, "placebo": number, **found._asdict()})
    return pd.DataFrame(rows)


def panel_rows(panel: AuthorityPanel, rows: np.ndarray) -> AuthorityPanel:
    """Return some authorities of a panel, as authorities without a launch."""
    by_row = ("authority", "name", "region", "starts", "stock", "population", "usable")
    none = Launches(panel.launches.table.iloc[:0], panel.launches.dates[:0])
    return replace(
        panel,
        launches=none,
        launch_row=np.zeros(0, dtype=int),
        **{name: getattr(panel, name)[rows] for name in by_row},
    )


def placebo_position(table: pd.DataFrame) -> pd.DataFrame:
    """Say where the real estimate falls among the placebos."""
    # One row per outcome: real (log points), placebo_mean, placebo_sd, placebo_lower and placebo_upper
    # (5% and 95%), share_lower (share of sets, the real one counted in, with as low an effect), share_larger
    # (with as large an effect either way), typical_se (mean standard error the method itself gives).
    rows = []
    for outcome, group in table.groupby("outcome", sort=False):
        real = float(group.loc[group["placebo"] == 0, "effect"].iloc[0])
        placebos = group.loc[group["placebo"] > 0, "effect"].to_numpy(float)
        apart = np.abs(placebos - placebos.mean()) >= abs(real - placebos.mean())
        rows.append(
            {
                "outcome": outcome,
                "sets": len(placebos),
                "real": real,
                "placebo_mean": placebos.mean(),
                "placebo_sd": placebos.std(ddof=1),
                "placebo_lower": np.quantile(placebos, 0.05),
                "placebo_upper": np.quantile(placebos, 0.95),
                "share_lower": (1 + (placebos <= real).sum()) / (1 + len(placebos)),
                "share_larger": (1 + apart.sum()) / (1 + len(placebos)),
                "typical_se": group.loc[group["placebo"] > 0, "se"].mean(),
            }
        )
    return pd.DataFrame(rows)


def placebo_dates(
    panel: AuthorityPanel, fit: xr.DataTree, *, shifts: tuple[int, ...] = SHIFTS
) -> pd.DataFrame:
    """Estimate the effect of the real adopters before they began, launches moved back.

    Columns outcome, shift (0: the real dates), launches, effect, se, z: log points at the horizon. Inventors
    are left out, their counts too: the panel begins two years before they did.
    """
    # Everything from the first 31 March after the earliest possible real launch on is dropped for the
    # adopters. With no effect before launch the estimate should be within its error of zero; one that is
    # already low says that those who joined were falling, or falling back from a peak, before the programme.
    spread = ~panel.launches.innovator
    launches = Launches(panel.launches.table[spread].reset_index(drop=True), panel.launches.dates[spread])
    rows = panel.launch_row[spread]
    usable = panel.usable.copy()
    usable[panel.launch_row[~spread]] = False
    before = usable.copy()
    earliest = launches.table["earliest"].to_numpy(float)
    before[rows] &= panel.years[None, :] + YEAR_END <= earliest[:, None]
    found = []
    for outcome in OUTCOMES:
        scales = fit_scales(fit, outcome)
        null = null_fit(panel, scales, outcome=outcome, usable=before)
        real = null_fit(panel, scales, outcome=outcome, usable=usable)
        for shift in (0, *shifts):
            moved = Launches(launches.table, launches.dates - shift)
            effect = quick_effect(real if shift == 0 else null, moved, rows)
            found.append((outcome, shift, len(rows), effect.effect, effect.se, effect.effect / effect.se))
    return pd.DataFrame(found, columns=["outcome", "shift", "launches", "effect", "se", "z"])


# --- what England's panel of authorities was found to say, as `cba refresh panel` keeps it ---


RESULTS = SLOW_RESULTS["panel"].folder


FINDING = "finding"


TABLES = ("path", "summary", "authorities", "placebo_dates")
"""Tables shown with a run; the placebo sets themselves stay in their file."""


def known_panel(until: int) -> PanelFinding | None:
    """Return the finding of the panel, where its data were out by a year.

    None where the panel was not known by then. `until`: last calendar year of evidence admitted.
    """
    row = kept_table("panel", FINDING).iloc[0]
    if int(row["known_by"]) > until:
        return None
    return PanelFinding(**row[[field.name for field in fields(PanelFinding)]])


def panel_tables(until: int) -> dict[str, pd.DataFrame]:
    """What England's own panel of authorities says, as ``panel_<name>``, where its data were out by a year.

    Empty where the panel was not known by then. `until`: last calendar year of evidence admitted.
    """
    if known_panel(until) is None:
        return {}
    kept = {"panel_" + name: kept_table("panel", name) for name in TABLES}
    kept["panel_authorities"] = kept["panel_authorities"].astype({"authority": str})
    return kept
