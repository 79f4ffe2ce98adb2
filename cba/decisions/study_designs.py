"""Simulated study results, one per draw: the summary statistics that `evsi` asks for.

Each function takes the draws of the quantity a study would estimate and returns what the study would report
in that state of the world. Sampling error is the only error: bias that no study of this kind removes
(transport from pilot areas to the country, later drift) must stay in the draws of net benefit and out of
these statistics.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.decisions.draws import require_dims, require_same_draws
from cba.errors import InputError


def normal_study(parameter: xr.DataArray, *, standard_error: float, seed: int) -> xr.DataArray:
    """Unbiased estimate of one parameter with normal error.

    Parameters
    ----------
    parameter : DataArray, dims (sample,)
        The true value in each draw.
    standard_error : float, > 0
        Units of `parameter`; sd / sqrt(n) for a mean of n observations (a better cost return, for example).
    seed : int
        Of the study's sampling error.

    Returns
    -------
    DataArray, dims (sample, statistic)

    Raises
    ------
    InputError
        For NaN, other dimensions, or a standard error not above zero.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 100.0], dims="sample")
    >>> normal_study(truth, standard_error=0.5, seed=0).round(2).values.tolist()
    [[-0.07], [99.97]]
    """
    require_dims(parameter, ("sample",), field="parameter")
    _require_positive(standard_error, field="standard_error")
    noise = _study_generator(seed).standard_normal(parameter.sizes["sample"])
    return (parameter + standard_error * noise).expand_dims({"statistic": ["estimate"]}, axis=1)


def randomised_trial(
    control_risk: xr.DataArray, risk_ratio: xr.DataArray, *, families: int, seed: int
) -> xr.DataArray:
    """Two-arm trial with a yes-or-no outcome, half of the families in each arm.

    Parameters
    ----------
    control_risk : DataArray, dims (sample,), in [0, 1]
        Risk of the outcome without the service.
    risk_ratio : DataArray, dims (sample,), >= 0
        Risk with the service over risk without; their product must not exceed 1.
    families : int, >= 2
        Families randomised; an odd one goes to the control arm.
    seed : int

    Returns
    -------
    DataArray, dims (sample, statistic)
        Log risk ratio (half an event added to each cell, as usual with small counts) and control risk
        observed.

    Raises
    ------
    InputError
        For unpaired draws, or risks outside 0 to 1.

    Examples
    --------
    >>> one = xr.DataArray([0.5, 0.5], dims="sample")
    >>> randomised_trial(one, one, families=20_000, seed=1).sizes["statistic"]
    2
    """
    for array, field in ((control_risk, "control_risk"), (risk_ratio, "risk_ratio")):
        require_dims(array, ("sample",), field=field)
    require_same_draws(control_risk, risk_ratio, fields=("control_risk", "risk_ratio"))
    control = np.asarray(control_risk.values, dtype=np.float64)
    served = control * np.asarray(risk_ratio.values, dtype=np.float64)
    if min(control.min(), served.min()) < 0 or max(control.max(), served.max()) > 1:
        raise InputError(
            "a risk is outside 0 to 1",
            field="control_risk, risk_ratio",
            found=f"control {control.min():g}-{control.max():g}, served {served.min():g}-{served.max():g}",
            allowed="0 to 1 for both",
            cause="a risk ratio too large for a common outcome, or percentages",
        )
    if families < 2:
        raise InputError("a trial needs two arms", field="families", found=families, allowed="2 or more")
    rng = _study_generator(seed)
    in_service = families // 2
    in_control = families - in_service
    events = rng.binomial(in_service, served), rng.binomial(in_control, control)
    log_ratio = np.log((events[0] + 0.5) / (in_service + 0.5)) - np.log(
        (events[1] + 0.5) / (in_control + 0.5)
    )
    statistics = np.stack([log_ratio, events[1] / in_control], axis=1)
    return xr.DataArray(
        statistics,
        dims=("sample", "statistic"),
        coords={"statistic": ["log_risk_ratio", "control_risk"], **_sample_coordinate(control_risk)},
    )


def pathfinder(
    log_change: xr.DataArray, *, pilots: int, comparisons: int, years: int, yearly_sd: float, seed: int
) -> xr.DataArray:
    """Difference between pilot and comparison authorities in the log change of starts.

    Parameters
    ----------
    log_change : DataArray, dims (sample,)
        True effect of the pilot on log starts, negative where starts fall.
    pilots, comparisons : int, >= 1
        Authorities with and without the pilot.
    years : int, >= 1
        Years compared before and after.
    yearly_sd : float, > 0
        Standard deviation between authorities of the log change between two *single* years; that between
        totals of `years` is taken as this over the root of `years`. Where the panel gives the figure for
        totals of d years directly, pass it times sqrt(d).
    seed : int

    Returns
    -------
    DataArray, dims (sample, statistic)

    Raises
    ------
    InputError
        For NaN, or numbers out of range.

    Examples
    --------
    >>> truth = xr.DataArray(np.zeros(20_000), dims="sample")
    >>> seen = pathfinder(truth, pilots=12, comparisons=139, years=2, yearly_sd=0.195 * 2**0.5, seed=0)
    >>> round(float(seen.std()), 2)
    0.06
    """
    error = pathfinder_standard_error(
        pilots=pilots, comparisons=comparisons, years=years, yearly_sd=yearly_sd
    )
    return normal_study(log_change, standard_error=error, seed=seed)


def pathfinder_standard_error(*, pilots: int, comparisons: int, years: int, yearly_sd: float) -> float:
    """Standard error of the difference in mean log change between pilot and comparison authorities.

    Parameters
    ----------
    pilots, comparisons, years : int
    yearly_sd : float
        As in `pathfinder`.

    Returns
    -------
    float
        ``yearly_sd / sqrt(years) * sqrt(1 / pilots + 1 / comparisons)``

    Raises
    ------
    InputError
        For a number that is not above zero.

    Examples
    --------
    >>> round(pathfinder_standard_error(pilots=12, comparisons=139, years=2, yearly_sd=0.195 * 2**0.5), 4)
    0.0587
    """
    given = {"pilots": pilots, "comparisons": comparisons, "years": years, "yearly_sd": yearly_sd}
    for field, number in given.items():
        _require_positive(number, field=field)
    return float(yearly_sd / np.sqrt(years) * np.sqrt(1.0 / pilots + 1.0 / comparisons))


def _study_generator(seed: int) -> np.random.Generator:
    """Random numbers of a study: never those of the draws, even where both were made with the same seed."""
    return np.random.default_rng([int(seed), 0x57D1])


def _require_positive(number: float, *, field: str) -> None:
    if not np.isfinite(number) or number <= 0:
        raise InputError(f"{field} must be above zero", field=field, found=number, allowed="above 0")


def _sample_coordinate(array: xr.DataArray) -> dict[str, object]:
    return {"sample": array.coords["sample"].values} if "sample" in array.indexes else {}
