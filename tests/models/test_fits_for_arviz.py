"""Fits are what ArviZ takes as called: groups, names of draws, one log likelihood for each observation."""

from __future__ import annotations

import warnings

import arviz as az
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import cba
from cba.models.baseline import KEPT
from cba.models.effects import STUDY_VARIABLES
from cba.models.sampling import Gates

FEW = {"draws": 150, "tune": 500, "chains": 2, "seed": 6, "gates": Gates(rhat=1.05, ess=50, divergences=20)}
LOO = {
    "effects": ["effect", "between", "arms"],
    "baseline": ["walk_change", "growth", "unaccompanied", "growth_split", "early_total_change"],
}
SOME = {"effects": ["mean", "heterogeneity"], "baseline": ["innovation_sd"]}


@pytest.fixture(scope="module")
def fits():
    with mpl.rc_context({"figure.max_open_warning": 0}):
        yield {
            "effects": cba.fit_effects(cba.load_evidence(), cba.load_priors(), **FEW),
            "baseline": cba.fit_baseline(cba.load_observations(), cba.load_priors(), **FEW),
        }
    plt.close("all")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(LOO))
def test_arviz_takes_a_fit_as_called(fits, name, tmp_path, monkeypatch):
    """From memory and as the cache returns it. What ArviZ says of few draws and of yes or no is no failure here."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    fits[name].to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf") as opened:
        read = opened.load()
    for fit in (fits[name], read):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for variable in LOO[name]:
                found = az.loo(fit, var_name=variable)
                assert np.isfinite(found.elpd) and found.n_data_points == fit["observed_data"][variable].size
            az.plot_ppc_dist(fit, var_names=LOO[name][:1], num_samples=20)
            az.plot_prior_posterior(fit, var_names=SOME[name])
            table = az.summary(fit, var_names=SOME[name])
        assert len(table) == sum(fit["posterior"][v].isel(chain=0, draw=0).size for v in SOME[name])
    assert read.attrs == fits[name].attrs and {"priors", "observations", "draws", "seed"} <= set(read.attrs)


@pytest.mark.slow
def test_the_prior_holds_what_the_posterior_holds_before_any_data(fits):
    """By name and dims; a parameter of few draws has the mean the registry states."""
    before, after = (fits["effects"][group].to_dataset() for group in ("prior", "posterior"))
    assert set(after.data_vars) - set(before.data_vars) == {"raw_mean", "precision_mean", "selection_mean"}
    assert {v.dims[:2] for v in before.data_vars.values()} == {("chain", "draw")}
    mean = cba.load_priors()["effects.mean_log_risk_ratio"].parameters
    drawn = before["mean"].sel(estimand="care_entry_log_rr").values
    assert abs(drawn.mean() - mean["mu"]) < 4 * mean["sigma"] / np.sqrt(drawn.size)
    assert not set(STUDY_VARIABLES) & set(before.data_vars)
    usual = fits["baseline"]
    assert set(usual["prior"].data_vars) == set(usual["posterior"].data_vars)
    assert set(usual["prior"].data_vars) == set(KEPT) - {"growth_persistence"}  # fixed, as shipped


@pytest.mark.slow
@pytest.mark.parametrize("name", list(LOO))
def test_each_observation_has_a_log_likelihood_and_predictions_in_every_draw(fits, name):
    seen, again, logs = (
        fits[name][group].to_dataset()
        for group in ("observed_data", "posterior_predictive", "log_likelihood")
    )
    assert set(seen.data_vars) == set(again.data_vars) == set(logs.data_vars) == set(LOO[name])
    for variable, values in seen.items():
        assert again[variable].dims == logs[variable].dims == ("chain", "draw", *values.dims)
        assert np.isfinite(logs[variable].values).all() and np.isfinite(again[variable].values).all()
        assert len(np.unique(again[variable].values)) > 2 or variable == "between"
    if name == "baseline":
        assert set(seen["growth"]["growth_year"].values) <= set(range(1990, 2030))
    else:
        assert "CORAM2023_CLA12:treat" in seen["arms"]["arm"].values
        assert set(np.unique(again["between"].values)) <= {0, 1} and (seen["between"] == 1).all()
