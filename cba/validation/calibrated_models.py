"""The two shipped models as cases of simulation-based calibration, and what a calibration was made from."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any

from cba.errors import InputError
from cba.models.calibration_record import made_from, panel_known, require_known

if TYPE_CHECKING:
    from cba.validation.refits import Case, Compiled


LATENT = {"baseline": ("common_factor", "counting_noise"), "effects": ()}
"""Variables of which a model has hundreds: one per year and series."""


_LIBRARIES = ("arviz-stats", "numpy", "nutpie", "pymc", "pytensor", "simuk")


_ONE_AT_A_TIME = Lock()  # compiled models are not safe in threads, which a cluster's workers may use


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries ranks depend on."""
    return {name: version(name) for name in _LIBRARIES}


def shipped_case(model: str) -> Case:
    """Return a shipped model, of the newest release and all its evidence, as a case to calibrate."""
    require_known(model)
    from cba.inputs.evidence import load_evidence
    from cba.inputs.observations import load_observations
    from cba.inputs.priors import load_priors

    observations, priors = load_observations(), load_priors()
    if model == "baseline":
        from cba.models.baseline import flow_rates
        from cba.validation.simulation import baseline_case

        leave = float(priors["baseline.uasc_leave_share"].median)
        return baseline_case(flow_rates(observations, uasc_leave_share=leave), priors)
    from cba.models.effects_areas import recent_starts
    from cba.models.studies import studies_used
    from cba.validation.simulation import effects_case

    studies = studies_used(load_evidence(), priors)
    return effects_case(studies, priors, starts=recent_starts(observations), panel=panel_known())


@cache
def _ready(model: str) -> Compiled:
    from cba.validation.refits import compiled

    return compiled(shipped_case(model))


def shipped_refit(replicate: int, *, model: str, seed: int, fingerprint: str) -> dict[str, Any]:
    """Run one replicate of a shipped model, compiling it once per process."""
    from threadpoolctl import threadpool_limits

    from cba.validation.refits import simulated_refit

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
    """Return `made_from`, worked out once per process. `model`, "baseline" or "effects"."""
    return made_from(model)
