"""A page with an explorer over made-up draws, and its numbers worked out again from what the page holds.

Nothing in it is a finding. The arithmetic here is written out draw by draw, apart from the package's own.
"""

from __future__ import annotations

import base64
import json
import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from cba.reporting.explorer import explorer_parts
from cba.reporting.sections import secured, templates
from cba.tables.explorer import CONTROLS, QUANTITIES
from tests.reporting.fake_appraisal import make_analysis

LABELS = {
    "bau": "Business as usual",
    "care_review": "Care review",
    "kinship_only": "Kinship support",
    "care_review_reinvest": "Care review, paid from savings",
}
YEARS = np.arange(2026, 2036)


def made_draws(seed: int, *, draws: int = 160) -> xr.Dataset:
    """Return packed draws in which every chance is far from 0 and 1 at some setting."""
    rng = np.random.default_rng(seed)
    options = [o for o in LABELS if o != "bau"]
    ramp = np.clip((YEARS - 2025) / 6, 0.0, 1.0)
    columns: list[np.ndarray] = [np.zeros(draws)]
    place = np.zeros((len(QUANTITIES), len(options), YEARS.size), dtype=np.int32)
    for position, size in enumerate((1.0, 0.4, 0.8)):
        effect, rest = rng.normal(20_000, 9_000, draws), rng.normal(4_000, 3_000, draws)
        price = rng.lognormal(np.log(30_000), 0.5, draws)
        for year, grown in enumerate(ramp):
            made = {
                "money": np.full(draws, 9e8 if year < 4 else 2e8),
                "placements": size * grown * rest * price,
                "placements_help": size * grown * effect * price,
                "other": 0.1 * grown * rest * price - 1e6,
                "other_help": 0.1 * size * grown * effect * price,
                "fewer": size * grown * rest,
                "fewer_help": size * grown * effect,
            }
            for row, name in enumerate(QUANTITIES):
                place[row, position, year] = len(columns)
                columns.append(made[name])
    table = np.stack(columns)
    constant = np.ptp(table, axis=1) == 0
    scale = np.where(constant, table[:, 0], np.abs(table).max(axis=1) / 32767)
    packed = np.where(constant[:, None], 1, np.rint(table / np.where(scale == 0, 1, scale)[:, None]))
    return xr.Dataset(
        {
            "packed": (("column", "sample"), packed.astype(np.int16)),
            "scale": ("column", scale),
            "place": (("quantity", "option", "year"), place),
            "harm_share": ("sample", rng.beta(2, 30, draws).astype(np.float32)),
            "supported": (("control", "bound"), [[0.8, 1.2], [0.7, 1.1], [0.0, 2.0 + 0.5 * seed]]),
            "npv_error": ("option", [2.5e6, 0.0, math.nan]),
            "reinvested": ("option", [False, False, True]),
        },
        coords={
            "quantity": list(QUANTITIES),
            "option": options,
            "year": YEARS,
            "control": list(CONTROLS),
            "bound": ["lower", "upper"],
        },
    )


def made_appraisals(**changes: Any) -> list[SimpleNamespace]:
    """Return what the explorer reads of two appraisals."""
    labels = changes.pop("labels", LABELS)
    analysis = make_analysis(**changes)
    return [
        SimpleNamespace(stance=stance, analysis=analysis, option_labels=labels, explorer=made_draws(seed))
        for seed, stance in enumerate(("evidence", "sceptical"), start=1)
    ]


def explorer_page(appraisals: list[SimpleNamespace]) -> str:
    """Return a page with the report's style sheet, its policy and nothing but the explorer."""
    parts = explorer_parts(appraisals, lead="care_review")
    style = templates().get_template("style.html.j2").render()
    if ".explorer" not in style:
        rules = templates().get_template("explorer.css").render()
        style = style.replace("</style>", f"{rules}</style>")
    return secured(
        '<!DOCTYPE html>\n<html lang="en-GB"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>Explorer</title>{style}</head><body><a class="skip" href="#main">Skip to main content</a>'
        f'<main id="main"><h1>Explorer</h1>{parts["explorer_section"]}</main>{parts["explorer_script"]}</body></html>'
    )


def held_by(html: str) -> dict[str, Any]:
    """Return the data a page holds, its draws unpacked to numbers."""
    stored = re.search(r'<script type="application/json" id="explorer-data">(.*?)</script>', html, re.S)
    assert stored
    data = json.loads(stored[1])
    for stance in data["stances"].values():
        whole = np.frombuffer(base64.b64decode(stance["packed"]), dtype="<i2").reshape(-1, stance["draws"])
        stance["columns"] = [
            [scale] * stance["draws"] if at < 0 else [int(x) * scale for x in whole[at]]
            for scale, at in zip(stance["scale"], stance["at"], strict=True)
        ]
        harm = np.frombuffer(base64.b64decode(stance["harm_share"]), dtype="<f4")
        stance["harm_share"] = harm.astype(float).tolist()
    return data


def expected(data: dict[str, Any], **chosen: Any) -> dict[str, float]:
    """Return every number the page should show at the settings chosen."""
    asked = {"option": "care_review", "schedule": 0, "value": 0, "overrun": 1, "avoidable": 1, "effect": 1}
    asked |= {"weight": 100} | chosen
    shares = {"evidence": asked["weight"] / 100, "sceptical": 1 - asked["weight"] / 100}
    worlds = [
        (shares[name] / stance["draws"], _world(data, stance, draw, asked))
        for name, stance in data["stances"].items()
        if shares[name] > 0
        for draw in range(stance["draws"])
    ]
    ess = 1.0 / math.fsum(weight**2 for weight, _ in worlds)
    found: dict[str, float] = {"ess": ess}
    for name in ("npv", "benefit", "fewer"):
        for place, share in {"median": 0.5, "lower": 0.05, "upper": 0.95}.items():
            found[f"{name}_{place}"] = _quantile(worlds, name, share)
            error = math.sqrt(share * (1 - share) / ess)
            low, high = (_quantile(worlds, name, share + sign * error) for sign in (-1, 1))
            found[f"error {name}_{place}"] = (high - low) / 2
    events = {
        "prob_saving": lambda w: w["npv"] > 0,
        "prob_benefit": lambda w: w["benefit"] > 0,
        "prob_fewer": lambda w: w["fewer"] >= 30_000,
        "prob_never": lambda w: math.isinf(w["payback"]),
    }
    for name, happened in events.items():
        chance = math.fsum(weight for weight, world in worlds if happened(world))
        sure = len({happened(world) for _, world in worlds}) == 1
        found[name] = round(chance) if sure else chance
        found[f"error {name}"] = 0.5 / ess if sure else math.sqrt(chance * (1 - chance) / ess)
    found["payback"] = _year_reached(worlds, 0.5)
    return found


def _world(data, stance, draw, asked) -> dict[str, float]:
    """Follow one draw through the years."""

    def at(quantity, year):
        return stance["columns"][stance["place"][asked["option"]][quantity][year]][draw]

    factors = data["schedules"][asked["schedule"]]
    cash, fewer = [], []
    for year in range(len(data["years"])):
        placed = at("placements", year) + asked["effect"] * at("placements_help", year)
        other = at("other", year) + asked["effect"] * at("other_help", year)
        cost = asked["overrun"] * at("money", year)
        cash.append(asked["avoidable"] * placed + other - cost)
        fewer.append(at("fewer", year) + asked["effect"] * at("fewer_help", year))
    years = range(data["horizon"])
    npv = math.fsum(cash[t] * factors["npv"][t] for t in years)
    child_years = [((fewer[t - 1] if t else 0.0) + fewer[t]) / 2 for t in years]
    safe = math.fsum(child_years[t] * factors["npv"][t] for t in years) * (1 - stance["harm_share"][draw])
    sums = [math.fsum(cash[s] * factors["payback"][s] for s in range(t + 1)) for t in years]
    paid = [t for t in years if all(total >= 0 for total in sums[t:])]
    return {
        "npv": npv,
        "benefit": npv + asked["value"] * safe,
        "fewer": fewer[data["years"].index(data["target"])],
        "payback": float(data["years"][paid[0]]) if paid else math.inf,
    }


def _quantile(worlds, name, share) -> float:
    """Interpolate between ordered draws; the share grows by the mean weight of neighbours."""
    ordered = sorted((world[name], weight) for weight, world in worlds)
    places = [0.0]
    for (_, one), (_, following) in zip(ordered, ordered[1:], strict=False):
        places.append(places[-1] + (one + following) / 2)
    wanted = min(max(share, 0.0), 1.0) * places[-1]
    for k in range(1, len(places)):
        if wanted <= places[k]:
            part = (wanted - places[k - 1]) / (places[k] - places[k - 1])
            return ordered[k - 1][0] + part * (ordered[k][0] - ordered[k - 1][0])
    return ordered[-1][0]


def _year_reached(worlds, share) -> float:
    total = 0.0
    for year in sorted({world["payback"] for _, world in worlds}):
        total += math.fsum(weight for weight, world in worlds if world["payback"] == year)
        if total >= share - 1e-12 and not math.isinf(year):
            return year
    return math.nan
