"""The two shipped models as cases of simulation-based calibration, and what a calibration was made from."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from cba.errors import InputError
from cba.models.code_reached import code_reached

if TYPE_CHECKING:
    from cba.models.simulated_refits import Case, Compiled

CALIBRATED = ("baseline", "effects")
"""Models that can be calibrated."""

LATENT = {"baseline": ("common_factor", "counting_noise"), "effects": ()}
"""Variables of which a model has hundreds: one per year and series."""

_CODE: dict[str, dict[str, tuple[str, ...]]] = {
    "baseline": {
        "baseline": ("build_baseline",),
        "flow_rates": ("flow_rates",),
        "predictive_checks": ("spread_of_total_starts",),
        "prior_terms": ("prior_term",),
        "simulated_baseline": ("baseline_case",),
    },
    "effects": {
        "effects": ("build_effects",),
        "effects_areas": ("reach_terms", "area_reports"),
        "effects_likelihoods": (
            "arm_log_density",
            "interval_log_density",
            "risks_from_difference",
            "risks_from_ratio",
        ),
        "effects_pooling": ("served_reports", "pooled_terms"),
        "effects_studies": ("study_arrays", "studies_used", "with_panel"),
        "prior_terms": ("prior_term",),
        "reach": ("reach_by_age", "log_change_in_starts", "tilt_by_age"),
        "simulated_effects": ("effects_case",),
    },
}
"""Functions a calibration depends on, by file; what they use in their own file counts with them."""

_LIBRARIES = ("arviz-stats", "numpy", "nutpie", "pymc", "pytensor", "simuk")
_ONE_AT_A_TIME = Lock()  # compiled models are not safe in threads, which a cluster's workers may use


def made_from(model: str) -> str:
    """Return the SHA-256 of the code, priors and data a calibration of a model would be made from.

    Parameters
    ----------
    model : {"baseline", "effects"}

    Returns
    -------
    str
        Comments, docstrings and layout of the code do not count; nor do the words beside a prior.

    Raises
    ------
    InputError
        For another name.

    Examples
    --------
    >>> len(made_from("baseline"))
    64
    """
    _require_known(model)
    found = hashlib.sha256()
    folder = Path(__file__).parent
    for name, roots in _CODE[model].items():
        found.update(code_reached(folder / f"{name}.py", roots).encode())
    for line in (*_prior_lines(model), *_data_lines(model)):
        found.update(line.encode())
    return found.hexdigest()


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries ranks depend on.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> "nutpie" in library_versions()
    True
    """
    return {name: version(name) for name in _LIBRARIES}


def _require_known(model: str) -> None:
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
    from cba.models.reach import REACH_ENTRIES

    priors = load_priors()
    if (
        model == "baseline"
    ):  # those the model names; the projection has priors of its own under the same heading
        code = code_reached(Path(__file__).parent / "baseline.py", ("build_baseline",))
        names = sorted(set(re.findall(r"'(baseline\.\w+)'", code)) | {"baseline.uasc_leave_share"})
    else:
        names = sorted([name for name in priors if name.startswith("effects.")] + list(REACH_ENTRIES))
    return [f"{n} {priors[n].distribution} {sorted(priors[n].parameters.items())}" for n in names]


def _data_lines(model: str) -> list[str]:
    from cba.inputs.observations import load_observations

    observations = load_observations()
    if model == "baseline":
        from cba.models.flow_rates import flow_rates

        rates = flow_rates(observations)
        return [repr(part.round(9).tolist()) for part in (rates.values, rates.noise)]
    from cba.inputs.evidence import load_evidence
    from cba.inputs.priors import load_priors
    from cba.models.effects_studies import studies_used, study_arrays, with_panel
    from cba.models.reach import recent_starts

    priors = load_priors()
    studies = with_panel(studies_used(load_evidence(), priors), _panel(), priors)
    arrays = study_arrays(studies, priors)
    return [f"{name} {values.tolist()}" for name, values in sorted(vars(arrays).items())] + [
        repr(recent_starts(observations))
    ]


def _panel() -> Any:
    from cba.models.panel_results import known_panel

    return known_panel(9999)


def shipped_case(model: str) -> Case:
    """Return a shipped model, of the newest release and all its evidence, as a case to calibrate.

    Parameters
    ----------
    model : {"baseline", "effects"}

    Returns
    -------
    Case

    Raises
    ------
    InputError
        For another name.

    Examples
    --------
    >>> shipped_case("baseline").name
    'baseline'
    """
    _require_known(model)
    from cba.inputs.evidence import load_evidence
    from cba.inputs.observations import load_observations
    from cba.inputs.priors import load_priors

    observations, priors = load_observations(), load_priors()
    if model == "baseline":
        from cba.models.flow_rates import flow_rates
        from cba.models.simulated_baseline import baseline_case

        leave = float(priors["baseline.uasc_leave_share"].median)
        return baseline_case(flow_rates(observations, uasc_leave_share=leave), priors)
    from cba.models.effects import studies_used
    from cba.models.reach import recent_starts
    from cba.models.simulated_effects import effects_case

    studies = studies_used(load_evidence(), priors)
    return effects_case(studies, priors, starts=recent_starts(observations), panel=_panel())


@cache
def _ready(model: str) -> Compiled:
    from cba.models.simulated_refits import compiled

    return compiled(shipped_case(model))


def shipped_refit(replicate: int, *, model: str, seed: int, fingerprint: str) -> dict[str, Any]:
    """Run one replicate of a shipped model, compiling it once per process.

    Parameters
    ----------
    replicate : int
        Number of the replicate, from 0.
    model : {"baseline", "effects"}
    seed : int
    fingerprint : str
        As returned by :func:`made_from` where the calibration was asked for.

    Returns
    -------
    dict
        As returned by :func:`cba.models.simulated_refits.simulated_refit`.

    Raises
    ------
    InputError
        Where the machine that runs it holds another state of the model.

    Examples
    --------
    >>> shipped_refit(0, model="baseline", seed=1, fingerprint=made_from("baseline"))  # doctest: +SKIP
    """
    from threadpoolctl import threadpool_limits

    from cba.models.simulated_refits import simulated_refit

    if made_here(model) != fingerprint:
        raise InputError(
            "a worker holds another state of the model than the one to calibrate",
            field="scheduler",
            found=made_here(model)[:12],
            allowed=fingerprint[:12],
            cause="a cluster whose workers have another version installed",
            remedy="install this version on the workers",
        )
    with _ONE_AT_A_TIME, threadpool_limits(limits=1):
        return simulated_refit(_ready(model), replicate=replicate, seed=seed)


@cache
def made_here(model: str) -> str:
    """Return :func:`made_from`, worked out once per process.

    Parameters
    ----------
    model : {"baseline", "effects"}

    Returns
    -------
    str

    Examples
    --------
    >>> made_here("baseline") == made_from("baseline")
    True
    """
    return made_from(model)
