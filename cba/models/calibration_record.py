"""Read the kept calibrations of both models, and say whether they fit the models as they are now."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.errors import InputError

if TYPE_CHECKING:
    pass


RECORD = Path(__file__).parents[1] / "validation" / "record"


SUMMARY = "calibration_summary.csv"


def calibration_tables(folder: str | Path | None = None) -> dict[str, pd.DataFrame]:
    """Return the kept calibrations as tables. `folder`: the package's own record by default."""
    # Returned: ``calibration_summary``: a row per model, with ``stale`` true where code, priors or data of
    # the model have changed since, and ``calibration_stale`` those rows; ``calibration_quantities``: a row
    # per model and quantity; ``calibration_shares_<model>``: what the figure draws. Empty where nothing is
    # kept.
    place = RECORD if folder is None else Path(folder)
    if not (place / SUMMARY).exists():
        return {}
    summary = pd.read_csv(place / SUMMARY)
    models = summary["model"].tolist()
    summary["stale"] = [is_stale(row.model, str(row.made_from)) for row in summary.itertuples()]
    quantities = [pd.read_csv(place / f"calibration_{name}.csv").assign(model=name) for name in models]
    tables = {
        "calibration_summary": summary,
        "calibration_stale": summary.loc[summary["stale"], ["model", "made"]].reset_index(drop=True),
        "calibration_quantities": pd.concat(quantities, ignore_index=True),
    }
    for name in models:
        tables[f"calibration_shares_{name}"] = pd.read_csv(place / f"calibration_{name}_shares.csv")
    return tables


def is_stale(model: str, made_from_then: str) -> bool:
    """Say whether a model has changed since it was calibrated. `model`, "baseline" or "effects"."""
    return made_from(model) != made_from_then


# --- What some functions of a file do, whatever is written around them: for saying whether a model has … ---


def code_reached(file: Path, roots: tuple[str, ...]) -> str:
    """Return what some definitions of a file, and those of the same file they use, do.

    Their syntax trees without docstrings: comments, layout and other definitions of the file do not count.
    """
    defined: dict[str, ast.stmt] = {}
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            for part in ast.walk(target) if target is not None else ():
                if isinstance(part, ast.Name):
                    defined[part.id] = node
    missing = [name for name in roots if name not in defined]
    if missing:
        raise ValueError(
            f"{file.name} does not define {missing[0]}: correct the list a calibration is made from"
        )
    reached: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name in defined and name not in reached:
            reached.add(name)
            left += [part.id for part in ast.walk(defined[name]) if isinstance(part, ast.Name)]
    return "\n".join(ast.dump(_without_docstrings(defined[name])) for name in sorted(reached))


def _without_docstrings(tree: ast.stmt) -> ast.stmt:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_text(part)]  # type: ignore[attr-defined]
    return tree


def _is_text(part: ast.stmt) -> bool:
    constant = part.value if isinstance(part, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


# --- The two shipped models as cases of simulation-based calibration, and what a calibration was made … ---


CALIBRATED = ("baseline", "effects")
"""Models that can be calibrated."""


_CODE: dict[str, dict[str, tuple[str, ...]]] = {
    "baseline": {
        "models/baseline": ("build_baseline", "flow_rates", "prior_term"),
        "models/checks": ("spread_of_total_starts",),
        "validation/simulation": ("baseline_case",),
    },
    "effects": {
        "models/effects": ("build_effects",),
        "models/effects_areas": (
            "reach_terms",
            "area_reports",
            "reach_by_age",
            "log_change_in_starts",
            "tilt_by_age",
        ),
        "models/studies": (
            "arm_log_density",
            "interval_log_density",
            "risks_from_difference",
            "risks_from_ratio",
            "served_reports",
            "pooled_terms",
            "study_arrays",
            "studies_used",
            "with_panel",
        ),
        "models/baseline": ("prior_term",),
        "validation/simulation": ("effects_case",),
    },
}
"""Functions a calibration depends on, by file; what they use in their own file counts with them."""


def made_from(model: str) -> str:
    """Return the SHA-256 of the code, priors and data a calibration of a model would be made from.

    Comments, docstrings and layout of the code do not count; nor do the words beside a prior.
    """
    require_known(model)
    found = hashlib.sha256()
    folder = Path(__file__).parents[1]
    for name, roots in _CODE[model].items():
        found.update(code_reached(folder / f"{name}.py", roots).encode())
    for line in (*_prior_lines(model), *_data_lines(model)):
        found.update(line.encode())
    return found.hexdigest()


def require_known(model: str) -> None:
    """Refuse a model that cannot be calibrated."""
    if model not in CALIBRATED:
        raise InputError(
            "no such model to calibrate",
            field="model",
            found=model,
            allowed=", ".join((*CALIBRATED, "all")),
            cause="a misspelt name",
            remedy="choose one of these",
        )


def _prior_lines(model: str) -> list[str]:
    from cba.inputs.priors import load_priors
    from cba.models.effects_areas import REACH_ENTRIES

    priors = load_priors()
    if (
        model == "baseline"
    ):  # those the model names; the projection has priors of its own under the same heading
        code = code_reached(Path(__file__).parents[1] / "models" / "baseline.py", ("build_baseline",))
        names = sorted(set(re.findall(r"'(baseline\.\w+)'", code)) | {"baseline.uasc_leave_share"})
    else:
        names = sorted([name for name in priors if name.startswith("effects.")] + list(REACH_ENTRIES))
    return [f"{n} {priors[n].distribution} {sorted(priors[n].parameters.items())}" for n in names]


def _data_lines(model: str) -> list[str]:
    from cba.inputs.observations import load_observations

    observations = load_observations()
    if model == "baseline":
        from cba.models.baseline import flow_rates

        rates = flow_rates(observations)
        return [repr(part.round(9).tolist()) for part in (rates.values, rates.noise)]
    from cba.inputs.evidence import load_evidence
    from cba.inputs.priors import load_priors
    from cba.models.effects_areas import recent_starts
    from cba.models.studies import studies_used, study_arrays, with_panel

    priors = load_priors()
    studies = with_panel(studies_used(load_evidence(), priors), panel_known(), priors)
    arrays = study_arrays(studies, priors)
    return [f"{name} {values.tolist()}" for name, values in sorted(vars(arrays).items())] + [
        repr(recent_starts(observations))
    ]


def panel_known() -> Any:
    """Return what the panel is known to say, if it says anything."""
    from cba.models.authority_findings import known_panel

    return known_panel(9999)
