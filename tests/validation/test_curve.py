"""The specification curve: its design, what each kind of level changes, and that it does not depend on the workers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from cba.models.effects_areas import START_SHARES, overall_reach
from cba.tables import assumptions
from cba.validation import curve
from cba.validation.calibration import run_replicates
from tests.appraisal.made_workings import made_draws, made_fits, made_inputs, made_workings


def fraction() -> pd.DataFrame:
    rows = [setting for kind, setting in curve.specifications() if kind == "fraction"]
    return pd.DataFrame(rows, columns=list(curve.plan()["axis"]), dtype=object).fillna("")


def test_the_plan_holds_what_it_must():
    kinds = Counter(kind for kind, _ in curve.specifications())
    settings = [frozenset(setting.items()) for _, setting in curve.specifications()]
    assert len(set(settings)) == len(settings)
    assert kinds["headline"] == 1 and kinds["alone"] == len(curve.levels())
    assert kinds["less_favourable"] == kinds["more_favourable"] == 1
    assert kinds["fraction"] >= 96
    assert len(curve.fits()) <= 18  # the headline's and 17: the panel takes five
    for axis, written in curve.plan()["axis"].items():
        directions = {level.direction for level in curve.levels() if level.axis == axis}
        both = directions | ({"less"} if "none_less" in written else set())
        assert {"less", "more"} <= both or directions == {"extra"}, axis


def test_axes_without_fits_are_balanced_beside_every_fit_and_against_each_other():
    rows, fitted = fraction(), {level.axis for level in curve.levels() if level.fits}
    free = [axis for axis in rows if axis not in fitted and (rows[axis] != "").any()]
    for axis in free:
        beside = rows.groupby([*fitted, axis]).size()
        assert set(beside) == {3}, axis
    for one, other in combinations(free, 2):
        table = pd.crosstab(rows[one], rows[other])
        assert table.shape == (3, 3)
        assert abs(table.to_numpy() - len(rows) / 9).max() <= 3, (
            one,
            other,
        )  # one fit more in one of three cosets


def test_no_level_says_what_no_code_reads():
    known = {
        "params",
        "designs",
        "without",
        "small",
        "panel",
        "specification",
        "values",
        "quantiles",
        "reach",
        "scenarios",
        "worth",
    }
    drawn, inputs = made_draws(), made_inputs()
    for level in curve.levels():
        assert set(level.change) <= known and level.change, level.name
        for name in (*level.change.get("values", ()), *level.change.get("quantiles", ())):
            assert name in drawn, name
        assert set(level.change.get("without", ())) <= set(inputs.evidence.effects["study_id"])


def test_priors_change_in_what_a_level_states_and_in_nothing_else():
    priors = made_inputs().priors
    level = next(level for level in curve.levels() if level.name == "none_on_average")
    found = curve.changed_priors(priors, (level,))
    for name in priors:
        same = dict(found[name].parameters) == dict(priors[name].parameters)
        assert same == (name not in level.change["params"]), name
    assert (
        found["effects.bias_matched"].parameters["sigma"]
        == priors["effects.bias_matched"].parameters["sigma"]
    )
    trials = next(level for level in curve.levels() if level.name == "trials_only")
    assert curve.changed_priors(priors, (trials,)).evidence_designs == ("rct",)


@pytest.mark.parametrize("median", [0.35, 0.65])
def test_reach_is_moved_to_its_median_and_its_parts_stay_shares(median):
    rng = np.random.default_rng(5)
    parts = rng.dirichlet((4.0, 9.0, 6.0, 5.0), 400)
    draws = dict(zip(START_SHARES, parts.T, strict=True))
    draws |= {name: rng.beta(8.0, 3.0, 400) for name in curve._REACH if name not in draws}
    moved = curve.with_reach(draws, median)
    assert np.median(overall_reach(moved)) == pytest.approx(median, abs=1e-9)
    assert np.sum([moved[name] for name in START_SHARES], axis=0) == pytest.approx(np.ones(400), abs=1e-12)
    assert all(((value > 0) & (value < 1)).all() for value in moved.values())
    before, after = (d[START_SHARES[0]] / d[START_SHARES[1]] for d in (draws, moved))
    assert after == pytest.approx(before, rel=1e-12)  # the mix of tiers stays


def found(setting: dict[str, str], option: str = "care_review") -> dict[str, float]:
    inputs, (baseline, effects) = made_inputs(), made_fits()
    work = curve.worked(inputs, setting, baseline=baseline, effects=effects, options=("bau", option))
    return curve.found_of(work, option, setting)


def test_the_headline_of_the_curve_is_that_of_an_appraisal():
    workings, here = made_workings(), found({})
    assert here["npv_mean"] == pytest.approx(
        float(workings.arrays.npv.sel(option="care_review").mean()), rel=1e-12
    )
    years = workings.arrays.children.sel(year=workings.inputs.analysis.target_year).sum("age")
    gap = years.sel(option="bau") - years.sel(option="care_review")
    assert here["fewer_mean"] == pytest.approx(float(gap.mean()), rel=1e-9)
    assert here["prob_more_children"] == pytest.approx(float((gap < 0).mean()))


def test_every_level_without_a_fit_moves_something():
    usual = {option: found({}, option) for option in ("care_review", "placement_reform")}
    for level in curve.levels():
        if not level.fits:
            setting = {level.axis: level.name}
            assert any(found(setting, option) != before for option, before in usual.items()), level


def test_deferral_from_the_first_year_on_leaves_fewer_starts_averted_sooner():
    """A deferred start returns in equal parts in four years: two years earlier where follow-up counts for nothing."""
    inputs, (baseline, effects) = made_inputs(), made_fits()
    how = {"baseline": baseline, "effects": effects, "options": ("bau", "care_review_injection_only")}
    late, soon = (curve.worked(inputs, setting, **how) for setting in ({}, {"stay": "throughout"}))
    assert late.system.returns == (3, 4, 5, 6) and soon.system.returns == (1, 2, 3, 4)


def test_the_tables_say_what_stands_in_the_kept_curve(monkeypatch):
    """Three specifications and a fraction of two by two, worked by hand."""
    fewer = {"": 100.0, "a": 60.0, "b": 130.0}
    rows = [
        {"kind": "headline", "axis": "", "level": "", "x": "", "y": "", "fewer_mean": fewer[""]},
        {"kind": "alone", "axis": "x", "level": "a", "x": "a", "y": "", "fewer_mean": fewer["a"]},
        {"kind": "alone", "axis": "y", "level": "b", "x": "", "y": "b", "fewer_mean": fewer["b"]},
        *({"kind": "fraction", "x": x, "y": y, "fewer_mean": m} for x, y, m in (
            ("", "", 100.0), ("", "b", 140.0), ("a", "", 50.0), ("a", "b", 70.0))),
    ]  # fmt: skip
    every = pd.DataFrame(rows).assign(option="o", number=range(7), panel_of_curve=True)
    every = every.assign(fewer_lower=every["fewer_mean"] - 10, fewer_upper=every["fewer_mean"] + 20)
    for end in ("mean", "lower", "upper"):
        every[f"npv_{end}"] = -every[f"fewer_{end}"]
    levels = pd.DataFrame(
        [
            {"axis": axis, "level": level, "fits": axis == "x"}
            for axis in "xy"
            for level in ("", "a" if axis == "x" else "b")
        ]
    )
    kept = {"specifications": every, "levels": levels, "notes": pd.DataFrame({"kind": [], "words": []})}
    monkeypatch.setattr(assumptions, "kept_table", lambda _, name: kept[name])
    tables = assumptions.specification_tables(made_workings())
    summary = tables["specification_summary"].set_index("quantity").loc["fewer"]
    assert (summary["least"], summary["median"], summary["greatest"]) == (50.0, 100.0, 140.0)
    assert (summary["headline"], summary["headline_place"], summary["between"], summary["within"]) == (
        100.0,
        4,
        90.0,
        30.0,
    )
    by_level = tables["specification_levels"].set_index(["axis", "level"])
    assert by_level.loc[("x", "a"), "fewer_mean_alone"] == -40.0
    assert by_level.loc[("x", "a"), "fewer_mean_average"] == 60.0 - 120.0
    assert by_level.loc[("y", "b"), "fewer_mean_average"] == 105.0 - 75.0
    assert by_level.loc[("y", "b"), "npv_mean_alone"] == -30.0


def test_the_curve_is_shown_only_where_its_options_are():
    workings = made_workings()
    assert assumptions.holds_curve(workings)
    fewer = {
        name: account for name, account in workings.accounts.items() if name != "care_review_injection_only"
    }
    assert not assumptions.holds_curve(replace(workings, accounts=fewer))
    other = replace(workings.inputs, stance="sceptical")
    assert not assumptions.holds_curve(replace(workings, inputs=other))


@pytest.mark.slow
def test_another_process_gives_the_same_bits():
    baseline = made_inputs_baseline()
    number, kept = len(curve.fits()) - 3, {}
    here = curve.rows_of_fit(number, baseline=baseline)
    run_replicates(partial(curve.rows_of_fit, baseline=baseline), [number], keep=kept.__setitem__, workers=2)
    assert here["rows"] and kept[number] == here


def made_inputs_baseline():
    from tests.made_fits import made_baseline

    inputs = curve.curve_inputs()
    return made_baseline(inputs.observations, inputs.priors, draws=inputs.analysis.draws // 4, chains=4)
