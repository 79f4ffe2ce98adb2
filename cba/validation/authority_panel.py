"""Tables of the panel of authorities: effect by years since launch, its place among placebos, and who counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import interval, probability, spread_at
from cba.inputs.observations import load_observations, load_programme_rollout
from cba.inputs.priors import load_priors
from cba.models.authorities import HORIZON, fit_authority_panel, panel_finding
from cba.models.authority_data import YEAR_END, authority_panel
from cba.models.authority_findings import (
    FINDING,
    placebo_adopters,
    placebo_dates,
    placebo_position,
)
from cba.models.slow_results import keep_result

GROUPS = {"spread": "path", "innovators": "innovator_path"}
"""Which authorities an effect is of: those the programmes spread to, and those that invented them."""


OUTCOME_WORDS = {"starts": "starts to be looked after", "stock": "children looked after at 31 March"}


def panel_path(fit: xr.DataTree, *, level: float, placebos: pd.DataFrame | None = None) -> pd.DataFrame:
    """Effect of the Strengthening Families programmes by years since launch. `level`, in (0, 1)."""
    # Columns outcome, group, since_launch (years), reached (launches that had run so long when the data end;
    # what lies beyond is the shape of the curve, not data), mean, lower, upper (change as a share of what it
    # would have been; negative is less care), prob_reduction, mcse, placebo_lower, placebo_upper (the same
    # interval over placebo adopters; NaN without placebos). Empty where the release is not informative.
    rows: list[dict[str, Any]] = []
    if not fit.attrs["not_informative"]:
        posterior = fit["posterior"].to_dataset()
        chains = int(posterior.sizes["chain"])
        for outcome in posterior["outcome"].values:
            chosen = posterior.sel(outcome=outcome)
            for group, name in GROUPS.items():
                grown = _share_of_horizon(chosen)
                bands = _placebo_band(placebos, outcome, group, grown, level=level)
                for since, band in zip(chosen["since_launch"].values, bands, strict=True):
                    draws = chosen[name].sel(since_launch=since).values.ravel()
                    rows.append(
                        {
                            "outcome": str(outcome),
                            "group": group,
                            "since_launch": int(since),
                            "reached": _reached(fit, group, since=int(since)),
                            **_change(draws, level=level, chains=chains),
                            "placebo_lower": band[0],
                            "placebo_upper": band[1],
                        }
                    )
    columns = ["outcome", "group", "since_launch", "reached", "mean", "lower", "upper", "prob_reduction"]
    return pd.DataFrame(rows, columns=[*columns, "mcse", "placebo_lower", "placebo_upper"])


def _reached(fit: xr.DataTree, group: str, *, since: int) -> int:
    """Launches of a group that had certainly run so many years by the end of the panel."""
    launches = fit["launches"].to_dataset()
    end = int(fit["constant_data"].to_dataset()["year"].max()) + YEAR_END
    chosen = launches["innovator"].values.astype(bool) == (group == "innovators")
    return int((chosen & (end - launches["latest"].values >= since)).sum())


def _change(draws: np.ndarray, *, level: float, chains: int) -> dict[str, float]:
    """Log points as a share of what it would have been, with the chance of any reduction."""
    found = {name: float(value) for name, value in spread_at(level, np.expm1(draws)).items()}
    fewer = probability(draws < 0, label="", chains=chains)
    return found | {"prob_reduction": fewer["mean"], "mcse": fewer["mcse"]}


def _share_of_horizon(posterior: xr.Dataset) -> np.ndarray:
    """Effect by years since launch as a share of that at the horizon, at the mean years it takes."""
    ramp = float(posterior["ramp_years"].mean())
    since = posterior["since_launch"].values.astype(float)
    return np.asarray(np.expm1(-since / ramp) / np.expm1(-HORIZON / ramp))


def _placebo_band(
    placebos: pd.DataFrame | None, outcome: str, group: str, grown: np.ndarray, *, level: float
) -> np.ndarray:
    if placebos is None:
        return np.full((len(grown), 2), np.nan)
    chosen = placebos[(placebos["outcome"] == outcome) & (placebos["placebo"] > 0)]
    draws = chosen["effect" if group == "spread" else "innovators"].to_numpy(float)
    return np.array([interval(np.expm1(draws * share), level=level) for share in grown])


def panel_summary(fit: xr.DataTree, *, level: float, placebos: pd.DataFrame | None = None) -> pd.DataFrame:
    """What the panel says five years after launch, in one row per outcome, with a sentence."""
    # Columns outcome, log_mean, log_sd (log points), mean, lower, upper, prob_reduction, mcse (as in
    # `panel_path`, the programmes' inventors left out), with_innovators_mean, with_innovators_lower,
    # with_innovators_upper (mean over all launches), launches, innovators, authorities, placebo_sets,
    # placebo_sd (log points), share_lower, share_larger (NaN without placebos), sentence. One row with only
    # the sentence where the release is not informative.
    if fit.attrs["not_informative"]:
        words = (
            f"The panel of authorities in release {fit.attrs['release']} says nothing about the programmes: "
        )
        return pd.DataFrame([{"outcome": "", "sentence": f"{words}{fit.attrs['not_informative']}."}])
    posterior = fit["posterior"].to_dataset()
    inventors = fit["launches"].to_dataset()["innovator"].values.astype(bool)
    rows = []
    for outcome in posterior["outcome"].values:
        chosen = posterior.sel(outcome=outcome)
        grown = 1.0 - np.exp(-HORIZON / chosen["ramp_years"])
        draws = chosen["at_horizon"].values.ravel()
        both = (
            chosen["effect"] * (~inventors).mean() + chosen["innovator_effect"] * inventors.mean()
        ) * grown
        chains = int(posterior.sizes["chain"])
        pooled = _change(both.values.ravel(), level=level, chains=chains)
        row = {
            "outcome": str(outcome),
            "log_mean": float(draws.mean()),
            "log_sd": float(draws.std()),
            **_change(draws, level=level, chains=chains),
            **{f"with_innovators_{name}": pooled[name] for name in ("mean", "lower", "upper")},
            "launches": int((~inventors).sum()),
            "innovators": int(inventors.sum()),
            "authorities": int(fit["constant_data"]["authorities"]),
            **_position(placebos, str(outcome)),
        }
        rows.append({**row, "sentence": panel_sentence(row, level=level)})
    return pd.DataFrame(rows)


def _position(placebos: pd.DataFrame | None, outcome: str) -> dict[str, float]:
    """Where the real estimate falls among the placebos, both by the quick method."""
    names = ("placebo_sets", "placebo_sd", "share_lower", "share_larger")
    if placebos is None:
        return dict.fromkeys(names, np.nan)
    found = placebo_position(placebos).set_index("outcome").loc[outcome]
    return {name: float(found["sets" if name == "placebo_sets" else name]) for name in names}


def panel_sentence(row: dict[str, Any], *, level: float) -> str:
    """Say in one sentence what the panel shows for one outcome, and whether it can tell an effect from none."""
    # The panel finds an effect where the interval leaves out no effect and, where placebos were run, no more
    # than ``1 - level`` of them are as far from their mean. Where only the interval falls short it points one
    # way without settling it; it tells little where so many placebos come as far, or where none were run to
    # tell.
    words, between = OUTCOME_WORDS[row["outcome"]], f"{_percent(row['lower'])} to {_percent(row['upper'])}"
    spans = row["lower"] <= 0.0 <= row["upper"]
    placebos = np.isfinite(row["share_larger"])
    common = placebos and row["share_larger"] > 1.0 - level
    chance = f"the probability of any reduction is {row['prob_reduction']:.2f}"
    among = (
        f"{row['share_larger']:.0%} of {row['placebo_sets']:.0f} sets of placebo adopters come out as far from "
        "no effect"
        if placebos
        else "no placebos were run"
    )
    if spans and placebos and not common:
        way = "reduction" if row["mean"] < 0.0 else "rise"
        return (
            f"On {words} the panel points to a {way} but does not settle it: {_percent(row['mean'])}, {level:.0%} "
            f"interval {between}; {chance}; {among}."
        )
    if spans or common:
        reasons = []
        if spans:
            reasons.append(f"its {level:.0%} interval runs from {between}, which includes no change")
        if common:
            reasons.append(among)
        rest = f"; {chance}" + ("" if common else f", and {among}")
        return f"On {words} the panel tells little because {' and '.join(reasons)}{rest}."
    return (
        f"On {words} the panel finds {_percent(row['mean'])} ({level:.0%} interval {between}) {HORIZON:g} years after "
        f"launch in {row['launches']} authorities; {chance}, and {among}; joining was not random, so this is "
        "before any allowance for bias."
    )


def _percent(share: float) -> str:
    return f"{share:+.1%}".replace("-", "\N{MINUS SIGN}")


def panel_authorities(fit: xr.DataTree) -> pd.DataFrame:
    """Who began a programme and when, and who is left out of the panel and why.

    Columns authority, authority_name, status (``launched`` or ``left out``), detail.
    """
    rows = []
    for row in fit["launches"].to_dataset().to_dataframe().to_dict("records"):
        when = f"{row['earliest']:.1f}"
        if row["latest"] > row["earliest"]:
            when += f" to {row['latest']:.1f}"
        kind = "inventor of " if row["innovator"] else ""
        detail = f"{kind}{row['programme']}, {when} ({row['known']})"
        rows.append((row["authority"], row["authority_name"], "launched", detail))
    for row in fit["excluded"].to_dataset().to_dataframe().to_dict("records"):
        rows.append((row["authority"], row["authority_name"], "left out", f"{row['years']}: {row['reason']}"))
    return pd.DataFrame(rows, columns=["authority", "authority_name", "status", "detail"])


# --- the panel made again: `cba refresh panel` ---


LEVEL = 0.9


SEED = 20220523


PLACEBO_SETS = 500


def refresh_panel() -> Path:
    """Fit the panel to the newest release and keep its tables."""
    observations, rollout, priors = load_observations(), load_programme_rollout(), load_priors()
    fit = fit_authority_panel(observations, rollout, priors, draws=1000, tune=1500, chains=4, seed=SEED)
    panel = authority_panel(observations, rollout, priors)
    placebos = placebo_adopters(panel, fit, sets=PLACEBO_SETS, seed=SEED)
    spread = placebo_position(placebos).set_index("outcome")["placebo_sd"]
    finding = panel_finding(fit, placebo_sd=float(spread["starts"]))
    if finding is None:
        raise ValueError(
            fit.attrs["not_informative"]
        )  # the newest release always is; older ones are not asked
    known = {"release": int(fit.attrs["release"]), **vars(finding)}
    tables = {
        FINDING: pd.DataFrame([known]),
        "path": panel_path(fit, level=LEVEL, placebos=placebos),
        "summary": panel_summary(fit, level=LEVEL, placebos=placebos),
        "authorities": panel_authorities(fit),
        "placebo_adopters": placebos,
        "placebo_dates": placebo_dates(panel, fit),
    }
    return keep_result("panel", tables, release=known["release"])
