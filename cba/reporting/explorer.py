"""The explorer: a section whose settings a reader changes, its draws and its script, all inside the page."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from cba.discounting import discount_factors, find_schedule, list_schedules
from cba.inputs.evidence import load_claims
from cba.reporting.names import stance_name
from cba.reporting.numbers import Style, bound, netted, pounds, rounding_unit, show
from cba.reporting.sections import templates
from cba.tables.explorer import explorer_results

if TYPE_CHECKING:
    import xarray as xr

    from cba.appraisal.record import Appraisal
    from cba.inputs.analyses import Analysis

LEAST_DRAWS = 100
"""Effective draws below which a result is marked, as for the stance `review`."""

_AS_DRAWN = {"value": 0, "overrun": 1, "avoidable": 1, "effect": 1, "weight": 100}
_MARKED = {
    "overrun": "the cost of the programme",
    "avoidable": "the avoidable share",
    "effect": "the strength of the effects",
}


def explorer_parts(appraisals: Sequence[Appraisal], *, lead: str) -> dict[str, Markup]:
    """Return the section and the script of the explorer.

    ``explorer_section`` for inside ``main`` and ``explorer_script`` for the end of ``body``; both empty where
    the run stored no draws for it, or stored them before money held the overrun of its draw.
    """
    stored = {a.stance: a.explorer for a in appraisals if a.explorer is not None}
    draws = {stance: part for stance, part in stored.items() if "overrun" not in part}
    first = next((a for a in appraisals if a.stance in draws), None)
    if first is None or first is not appraisals[0] or lead not in draws[first.stance]["option"].values:
        return {"explorer_section": Markup(""), "explorer_script": Markup("")}
    payload = explorer_payload(first, draws, lead=lead)
    section = (
        templates().get_template("explorer_form.html.j2").render(_section(first, draws, payload, lead=lead))
    )
    packed = _in_script(json.dumps(payload, separators=(",", ":"), allow_nan=False))
    code = resources.files("cba.reporting").joinpath("templates", "explorer.js").read_text(encoding="utf-8")
    script = f'<script type="application/json" id="explorer-data">{packed}</script>\n<script>{code}</script>'
    return {"explorer_section": Markup(section), "explorer_script": Markup(script)}


def explorer_payload(first: Appraisal, draws: Mapping[str, xr.Dataset], *, lead: str) -> dict[str, Any]:
    """Return what the script reads: draws in base64, discount factors and names.

    JSON-able; numbers of draws are little-endian, 16-bit whole numbers times a scale.
    """
    analysis, one = first.analysis, draws[first.stance]
    options = [str(o) for o in one["option"].values]
    return {
        "years": [int(y) for y in one["year"].values],
        "horizon": analysis.horizon,
        "target": analysis.target_year,
        "level": analysis.level,
        "fewer_children": load_claims().fewer_children.value,
        "least_draws": LEAST_DRAWS,
        "schedules": _schedules(analysis),
        "stance_names": [stance_name(stance) for stance in draws],
        "control_names": _MARKED,
        "defaults": {**_AS_DRAWN, "option": lead, "schedule": 0},
        "reinvest": dict(zip(options, one["reinvested"].values.tolist(), strict=True)),
        "stances": {stance: _packed(part) for stance, part in draws.items()},
    }


def _schedules(analysis: Analysis) -> list[dict[str, Any]]:
    """Return discount factors of the net present value and of payback, the run's own schedule first."""
    own, offsets = find_schedule(analysis.schedule), np.arange(analysis.horizon)
    every = [own, *(s for s in list_schedules() if s.name != own.name)]
    return [
        {
            "name": schedule.name,
            "title": f"{schedule.title}{' (as in this run)' if schedule is own else ''}",
            "npv": discount_factors(offsets, schedule, mid_year=analysis.mid_year).tolist(),
            "payback": discount_factors(offsets, schedule).tolist(),
        }
        for schedule in every
    ]


def _packed(draws: xr.Dataset) -> dict[str, Any]:
    """Return one stance's draws; a column that is the same in every draw is its scale alone."""
    table = draws["packed"].values
    varies = (table != 1).any(axis=1)
    at = np.where(varies, np.cumsum(varies) - 1, -1)
    errors = draws["npv_error"].values.tolist()
    options = [str(o) for o in draws["option"].values]
    return {
        "draws": int(table.shape[1]),
        "packed": _base64(table[varies].astype("<i2")),
        "scale": draws["scale"].values.tolist(),
        "at": at.tolist(),
        "harm_share": _base64(draws["harm_share"].values.astype("<f4")),
        "place": {
            option: {
                str(name): draws["place"].sel(option=option, quantity=name).values.tolist()
                for name in draws["quantity"].values
            }
            for option in options
        },
        "supported": {
            str(c): draws["supported"].sel(control=c).values.tolist() for c in draws["control"].values
        },
        "error": {o: e if math.isfinite(e) else None for o, e in zip(options, errors, strict=True)},
    }


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _in_script(text: str) -> str:
    """Return JSON that cannot close the element it stands in."""
    for character, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, code)
    return text


def _section(
    first: Appraisal, draws: Mapping[str, xr.Dataset], payload: Mapping[str, Any], *, lead: str
) -> dict[str, Any]:
    """Return what the section is filled with: its controls, and the results at the settings of the run."""
    own = draws[first.stance]
    found = explorer_results(own, analysis=first.analysis, option=lead)
    error = float(own["npv_error"].sel(option=lead))
    heading = f"{first.option_labels[lead]}: {_net(found, 'benefit_median')}"
    level = f"{100 * first.analysis.level:g}%"
    return {
        "label": first.option_labels[lead],
        "lead": lead,
        "draws": _fact(first, "draws", own.sizes["sample"], style="count"),
        "options": [{"id": o, "label": first.option_labels[o]} for o in payload["reinvest"]],
        "schedules": payload["schedules"],
        "stance_names": payload["stance_names"],
        "defaults": _AS_DRAWN,
        "marked": _MARKED,
        "rows": _rows(found, first),
        "ess": _fact(first, "draws", found["ess"], style="count", id="explorer-ess"),
        "level": bound(
            first.analysis.level, level, {"data-stance": first.stance, "data-fact": "analysis.level"}
        ),
        "heading": heading,
        "description": f"Histogram. Horizontal axis: net present value in GBP; vertical axis: share of the draws. "
        f"Median {_net(found, 'benefit_median')}; {level} of draws lie between {_net(found, 'benefit_lower')} and "
        f"{_net(found, 'benefit_upper')}. The draws beyond either end stand in the last bar.",
        "price_base": show(first.analysis.price_base, style="year"),
        "horizon": first.analysis.horizon,
        "approximate": _fact(
            first, f"npv_error.{lead}", abs(error), style="money", id="explorer-approximate"
        ),
        "reinvest": payload["reinvest"][lead],
    }


def _fact(first: Appraisal, name: str, value: float, *, style: Style, id: str = "") -> Markup:
    """Return a number of the explorer's draws, bound to where a test or a reader's program finds it."""
    text = show(value, style=style) if math.isfinite(value) else "too large to be known here"
    named = {"data-stance": first.stance, "data-fact": f"explorer.{name}"}
    return bound(value, text, {"id": id, **named} if id else named)


def _net(found: Mapping[str, float], name: str) -> str:
    value = found[name]
    return netted(value, unit=rounding_unit(value, found[f"{name}_error"]))


def _rows(found: Mapping[str, float], first: Appraisal) -> list[dict[str, Any]]:
    """Return the rows of the table of results."""
    level, year = f"{100 * first.analysis.level:g}% interval", show(first.analysis.target_year, style="year")
    places = {"median": "median", "lower": f"lower end of the {level}", "upper": f"upper end of the {level}"}
    money = {"npv": "Net present value, cash", "benefit": "With child-years valued"}
    rows = [
        _row(f"{name}_{place}", f"{words}, {where}", found, style="net")
        for name, words in money.items()
        for place, where in places.items()
    ]
    claim = load_claims().fewer_children
    chances = {
        "prob_saving": "Chance of a net saving, cash",
        "prob_benefit": "Chance of a net benefit, child-years valued",
        "prob_fewer": f"Chance of at least {claim} fewer children at 31 March {first.analysis.target_year}",
        "prob_never": f"Chance of never paying back within {first.analysis.horizon} years",
    }
    rows += [_row(name, words, found, style="probability") for name, words in chances.items()]
    fewer = f"Children fewer in care at the end of {year}"
    rows += [_row(f"fewer_{p}", f"{fewer}, {where}", found, style="fewer") for p, where in places.items()]
    early, late = found["payback_early"], found["payback_late"]
    same = early == late or (math.isnan(early) and math.isnan(late))
    paid = {
        "name": "payback",
        "label": "Year of payback, cash, median",
        "text": _year(found["payback"]),
        "raw": found["payback"],
        "error": "the same year" if same else f"{_year(early)} to {_year(late)}",
        "raw_error": f"{early},{late}",
    }
    return [*rows, paid]


def _row(name: str, label: str, found: Mapping[str, float], *, style: Any) -> dict[str, Any]:
    value, error = found[name], found[f"{name}_error"]
    unit = error if style == "probability" else rounding_unit(value, error)
    written = {
        "net": lambda: f"±{pounds(error, unit=rounding_unit(error, figures=2))}",
        "probability": lambda: f"±{100 * error:.2g} points",
        "fewer": lambda: f"±{show(error, style='number', unit=rounding_unit(error, figures=2))}",
    }
    return {
        "name": name,
        "label": label,
        "text": show(value, style=style, unit=unit),
        "raw": value,
        "error": written[style]() if error else "none",
        "raw_error": error,
    }


def _year(value: float) -> str:
    return "never" if math.isnan(value) else show(value, style="year")
