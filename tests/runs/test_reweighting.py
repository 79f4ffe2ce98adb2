"""Fits where only priors moved: found in the cache, re-weighted, noted; fitted again where that does not hold."""

from __future__ import annotations

import pytest
import xarray as xr

from cba.inputs.priors import load_priors
from cba.runs.cache import cached_fit, fit_key
from cba.runs.reweighting import fit_note, reweighted_fit
from tests.models.test_reweighting import ENTRY, NAME, made_fit, posterior_of, with_normal

SETTINGS = {"seed": 1}


@pytest.fixture(scope="module")
def old():
    return with_normal(load_priors(), 0.0, 0.4)


def key_of(priors):
    return fit_key("effects", priors=priors, settings=SETTINGS, code="c")


def asked(root, *, old, new, fitted):
    def fit() -> xr.DataTree:
        fitted.append("again")
        return made_fit(3.0, 0.1, seed=5)

    return reweighted_fit(root, model="effects", key=key_of(new), fit=fit, earlier=old, priors=new, seed=1)


def test_a_kept_fit_is_re_weighted_and_says_so(old, tmp_path):
    cached_fit(tmp_path, model="effects", key=key_of(old), fit=lambda: made_fit(0.0, 0.4))
    new, fitted = with_normal(old, 0.1, 0.4), []
    tree = asked(tmp_path, old=old, new=new, fitted=fitted)
    note = fit_note(tree)
    assert fitted == [] and note["made_by"] == "re-weighted" and note["moved"] == ENTRY
    assert note["pareto_k"] < 0.7 and note["effective_draws"] > 400
    assert float(tree["posterior"][NAME].mean()) == pytest.approx(posterior_of(0.1, 0.4)[0], abs=0.03)
    again = asked(tmp_path, old=old, new=new, fitted=fitted)
    assert again["posterior"].identical(tree["posterior"]) and fit_note(again) == note


def test_where_the_gate_fails_the_model_is_fitted_again_and_says_why(old, tmp_path):
    cached_fit(tmp_path, model="effects", key=key_of(old), fit=lambda: made_fit(0.0, 0.4))
    fitted: list[str] = []
    note = fit_note(asked(tmp_path, old=old, new=with_normal(old, 3.0, 0.1), fitted=fitted))
    assert fitted == ["again"] and note["made_by"] == "fitted" and "effective draws" in note["not_reweighted"]


def test_without_a_kept_fit_or_an_earlier_run_the_model_is_fitted(old, tmp_path):
    fitted: list[str] = []
    new = with_normal(old, 0.1, 0.4)
    assert fit_note(asked(tmp_path, old=old, new=new, fitted=fitted)) == {"made_by": "fitted"}
    asked(tmp_path, old=None, new=with_normal(old, 0.2, 0.4), fitted=fitted)
    assert fitted == ["again", "again"]


def test_a_fit_that_shows_its_prior_needs_it_worked_out_again(old, tmp_path):
    before = made_fit(0.0, 0.4)
    before["prior"] = xr.DataTree(xr.Dataset({"reach": ("sample", [0.1, 0.2])}))
    cached_fit(tmp_path, model="effects", key=key_of(old), fit=lambda: before)
    fitted: list[str] = []
    new = with_normal(old, 0.1, 0.4)
    redone = xr.Dataset({"reach": ("sample", [0.3, 0.4])})
    tree = reweighted_fit(
        tmp_path,
        model="effects",
        key=key_of(new),
        fit=lambda: pytest.fail("fitted again"),
        earlier=old,
        priors=new,
        seed=1,
        redo_prior=lambda: redone,
    )
    assert tree["prior"]["reach"].values.tolist() == [0.3, 0.4]
    other = with_normal(old, 0.05, 0.4)
    note = fit_note(asked(tmp_path, old=old, new=other, fitted=fitted))
    assert fitted == ["again"] and "before any study" in note["not_reweighted"]
