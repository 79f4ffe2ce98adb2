"""What the panel of authorities says, for tables and for the synthesis: paths of the effect and one finding."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.models.panel_finding import PanelFinding

HORIZON = 5.0
"""Years after launch the finding is stated for: about the longest that programmes other than their inventors' ran."""

PATH_YEARS = tuple(range(1, 9))
"""Years after launch for which the path of the effect is worked out."""

STUDY = "ENGLAND_PANEL"
"""Name of the finding among the studies."""


def with_paths(posterior: xr.Dataset) -> xr.Dataset:
    """Add the effect by years since launch to draws of the full effect and of the years it takes.

    Parameters
    ----------
    posterior : Dataset, dims (..., outcome)
        ``effect``, ``innovator_effect`` (log points) and ``ramp_years``.

    Returns
    -------
    Dataset
        With ``path`` and ``innovator_path`` (..., outcome, since_launch) and ``at_horizon``, the effect
        :data:`HORIZON` years after launch: log points, negative is less care.

    Notes
    -----
    ``D(k) = effect (1 - exp(-k / ramp_years))``.

    Examples
    --------
    >>> full = xr.Dataset({"effect": 1.0, "innovator_effect": 0.0, "ramp_years": 2.0})
    >>> with_paths(full)["path"].sel(since_launch=2).round(3).item()
    0.632
    """
    since = xr.DataArray(
        np.array(PATH_YEARS, float), dims="since_launch", coords={"since_launch": list(PATH_YEARS)}
    )
    grown = 1.0 - np.exp(-since / posterior["ramp_years"])
    return posterior.assign(
        path=(posterior["effect"] * grown).transpose(..., "since_launch"),
        innovator_path=(posterior["innovator_effect"] * grown).transpose(..., "since_launch"),
        at_horizon=posterior["effect"] * (1.0 - np.exp(-HORIZON / posterior["ramp_years"])),
    )


def panel_finding(fit: xr.DataTree, *, placebo_sd: float | None = None) -> PanelFinding | None:
    """Summarise a fit as one observational study of starts, programmes' inventors left out.

    Parameters
    ----------
    fit : DataTree
        As returned by :func:`cba.models.authority_panel.fit_authority_panel`.
    placebo_sd : float, optional
        Spread of the same estimate over placebo adopters (log points). Where it is wider than the posterior it is
        the standard error: how authorities differ without any programme is what the estimate has to be judged by.

    Returns
    -------
    PanelFinding or None
        None where the release is not informative; ``fit.attrs["not_informative"]`` says why.

    Examples
    --------
    >>> panel_finding(xr.DataTree.from_dict({"/": xr.Dataset(attrs={"not_informative": "too early"})})) is None
    True
    """
    if fit.attrs["not_informative"]:
        return None
    draws = fit["posterior"]["at_horizon"].sel(outcome="starts")
    coverage = fit["constant_data"]["coverage"]
    return PanelFinding(
        study_id=STUDY,
        log_change=float(draws.mean()),
        se=max(float(draws.std()), placebo_sd or 0.0),
        coverage_low=float(coverage.sel(quantile=0.05)),
        coverage_high=float(coverage.sel(quantile=0.95)),
        age_note=f"starts at all ages, unaccompanied children included, {HORIZON:g} years after launch",
        known_by=int(fit.attrs["release"]),
    )
