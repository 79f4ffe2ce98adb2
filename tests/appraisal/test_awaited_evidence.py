"""Awaited results: never pooled, errors by design, and what each would do to the headline before it is read."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

from cba.errors import InputError
from cba.inputs.evidence import load_evidence
from cba.inputs.files import published_folder
from cba.inputs.priors import load_priors
from cba.models.sampling import normal_settings
from cba.models.studies import studies_used
from cba.tables import studies
from cba.tables.studies import RATIOS_FOUND, awaited_errors, awaited_tables, stepped_wedge_error
from tests.appraisal.made_workings import made_workings

TRIALS = ("SFPC_FAMILY_SAFEGUARDING", "SFPC_FAMILY_VALUED", "SFPC_NO_WRONG_DOOR")


# --- the list ---------------------------------------------------------------------------------------------


def changed_copy(folder, *, old, new):
    shutil.copytree(published_folder(), folder)
    file = folder / "evidence_awaited.csv"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return load_evidence(folder)


def test_awaited_studies_are_never_pooled(tmp_path):
    """No row of them is a study of the synthesis, and a change in them changes no fit."""
    evidence = load_evidence()
    used = studies_used(evidence, load_priors())
    assert not set(evidence.awaited["study_id"]) & set(evidence.effects["study_id"])
    other = changed_copy(tmp_path / "published", old="51000", new="99000")
    assert other.awaited["children"].max() == 99000
    assert other.fingerprint() == evidence.fingerprint()
    pd.testing.assert_frame_equal(studies_used(other, load_priors()), used)


def test_the_three_trials_are_listed_with_their_size_and_a_dated_search():
    awaited = load_evidence(until=2022).awaited.set_index("study_id")
    assert awaited.loc[list(TRIALS), "children"].sum() == 147_000
    assert (awaited["searched_on"] >= "2026-01-01").all() and (awaited["registry"] != "").all()
    assert set(awaited["status"]) == {"awaited", "unread"} and len(awaited) == 5


def test_tables_of_a_time_before_the_list_have_none(tmp_path):
    shutil.copytree(published_folder(), tmp_path / "old")
    (tmp_path / "old" / "evidence_awaited.csv").unlink()
    assert load_evidence(tmp_path / "old").awaited.empty


@pytest.mark.parametrize(
    "old, new, problem",
    [
        (",awaited,", ",awaitd,", "an unknown status"),
        (",edge_of_care,", ",edge,", "an unknown class of service"),
        (",51000,", ",-51000,", "not positive"),
        (",2026-12-01,", ",,", "a required cell is empty"),
    ],
)
def test_a_mistake_in_the_list_is_refused(tmp_path, old, new, problem):
    with pytest.raises(InputError, match=problem) as caught:
        changed_copy(tmp_path / "published", old=old, new=new)
    assert "evidence_awaited.csv" in str(caught.value.details["file"])


# --- standard errors --------------------------------------------------------------------------------------


DESIGN = {"steps": 4, "step_years": 0.5, "children": 24_000.0, "risk": 0.05}


def test_the_error_is_that_of_estimates_from_made_up_trials():
    """Five authorities in four steps made up 4,000 times: spread of ordinary weighted least squares estimates."""
    rng, clusters, sd = np.random.default_rng(3), 5, 0.15
    periods = DESIGN["steps"] + 1
    m = DESIGN["children"] / (clusters * periods)
    after = np.array(
        [[t > i % DESIGN["steps"] for t in range(periods)] for i in range(clusters)], dtype=float
    )
    design = [after.ravel()]
    design += [np.repeat(np.eye(clusters)[i], periods) for i in range(clusters)]
    design += [np.tile(np.eye(periods)[t], clusters) for t in range(1, periods)]
    x = np.array(design).T
    step = sd * np.sqrt(DESIGN["step_years"])
    one = np.array([[step**2 * min(s, t) for t in range(periods)] for s in range(periods)])
    one += np.eye(periods) * (1 - DESIGN["risk"]) / (m * DESIGN["risk"])
    root = np.linalg.inv(np.linalg.cholesky(np.kron(np.eye(clusters), one)))
    found = []
    for _ in range(4000):
        walk = np.concatenate([np.zeros((clusters, 1)), rng.normal(0, step, (clusters, periods - 1))], axis=1)
        level = rng.normal(0, 0.2, (clusters, 1)) + rng.normal(0, 0.1, (1, periods))
        risk = DESIGN["risk"] * np.exp(level + walk.cumsum(axis=1) - 0.2 * after)
        log = np.log(rng.binomial(int(m), np.minimum(risk, 1.0)) / int(m))
        found.append(np.linalg.lstsq(root @ x, root @ log.ravel(), rcond=None)[0][0])
    se = stepped_wedge_error(clusters, **DESIGN, yearly_sd=sd)
    assert np.mean(found) == pytest.approx(-0.2, abs=4 * se / np.sqrt(4000) + 0.005)
    # risks differ by authority and period, which the design's error does not know: a few per cent
    assert np.std(found) == pytest.approx(se, rel=4 / np.sqrt(2 * 4000) + 0.05)


def test_without_a_walk_the_error_is_that_of_hussey_and_hughes():
    """Their equation 8 with a spread between authorities so large that it tells nothing."""
    clusters, sizes = 4, DESIGN
    periods = sizes["steps"] + 1
    x = np.array([[t > i for t in range(periods)] for i in range(clusters)], dtype=float)
    u, w, v = x.sum(), (x.sum(axis=0) ** 2).sum(), (x.sum(axis=1) ** 2).sum()
    s2, tau2 = (1 - sizes["risk"]) / (sizes["risk"] * sizes["children"] / (clusters * periods)), 1e6
    top = clusters * s2 * (s2 + periods * tau2)
    bottom = (clusters * u - w) * s2 + (u**2 + clusters * periods * u - periods * w - clusters * v) * tau2
    found = stepped_wedge_error(clusters, **sizes, yearly_sd=0.0)
    assert found == pytest.approx(np.sqrt(top / bottom), rel=1e-5)


def test_more_children_authorities_and_steadier_ones_make_it_sharper():
    base = stepped_wedge_error(5, **DESIGN, yearly_sd=0.15)
    assert stepped_wedge_error(5, **DESIGN | {"children": 48_000.0}, yearly_sd=0.15) < base
    assert stepped_wedge_error(10, **DESIGN | {"children": 48_000.0}, yearly_sd=0.15) < base
    assert (
        stepped_wedge_error(5, **DESIGN, yearly_sd=0.05)
        < base
        < stepped_wedge_error(5, **DESIGN, yearly_sd=0.3)
    )


# --- answers worked out before the results ------------------------------------------------------------------


COUNT = 6000


@pytest.fixture(scope="module")
def toy():
    """Workings whose class mean is a known normal, heterogeneity none, and whose headline is linear in it."""
    workings = made_workings("latest", 100, 14)
    rng = np.random.default_rng(4)
    mean = rng.normal(-0.1, 0.15, COUNT)
    posterior = workings.effects["posterior"].to_dataset()
    flat = posterior[["class_mean", "heterogeneity"]].isel(chain=0, draw=0, drop=True)
    grown = flat.expand_dims(chain=2, draw=COUNT // 2).copy(deep=True)
    grown["class_mean"][:] = mean.reshape(2, -1)[..., None]
    grown["heterogeneity"][:] = 0.0
    return workings, mean, type(workings.effects).from_dict({"posterior": grown})


def answered(toy, *, bias=None):
    """The table where the effect is exp(mean), fewer children and value are so many times the mean, less than 0."""
    workings, mean, effects = toy
    npv = workings.arrays.npv.isel(sample=np.zeros(COUNT, dtype=int)).copy()
    npv[:] = -1e9 * (mean[:, None] if npv.dims[0] == "sample" else mean[None, :])
    parameters = workings.system.parameters.isel(sample=np.zeros(COUNT, dtype=int)).copy()
    parameters["family_help.log_risk_ratio"] = ("sample", mean)
    made = dataclasses.replace(
        workings,
        effects=effects,
        arrays=dataclasses.replace(workings.arrays, npv=npv),
        system=dataclasses.replace(workings.system, parameters=parameters),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "fewer_children", lambda workings, option: -1e4 * mean)
        if bias is not None:
            patch.setattr(studies, "normal_settings", lambda priors, entry: bias)
        return awaited_tables(made)["awaited_evidence"].dropna(subset="se")


@pytest.fixture(scope="module")
def answers(toy):
    return answered(toy)


@pytest.mark.parametrize("bias", [None, (0.2, 0.15)], ids=["as shipped", "large"])
def test_answers_are_the_conjugate_posterior_of_a_normal(toy, bias):
    """Prior N(-0.1, 0.15^2) and a result with error and bias: precisions add; four Monte Carlo errors."""
    workings, mean, _ = toy
    answers = answered(toy, bias=bias)
    bias, bias_sd = bias or normal_settings(workings.inputs.priors, "effects.area_bias_rct")
    assert set(answers["study_id"]) == set(TRIALS) and len(answers) == len(TRIALS) * len(RATIOS_FOUND)
    for row in answers.itertuples():
        variance = row.se**2 + bias_sd**2
        precision = np.array([mean.std() ** -2, 1.0 / variance])
        middle = precision @ [mean.mean(), np.log(row.risk_ratio_found) + bias] / precision.sum()
        sd = precision.sum() ** -0.5
        error = 4.0 * sd / np.sqrt(row.effective_draws)
        assert row.fewer_children_mean == pytest.approx(-1e4 * middle, abs=1e4 * error)
        assert row.npv_upper == pytest.approx(-1e9 * (middle - 1.645 * sd), abs=2.5e9 * error)
        assert row.effect_mean == pytest.approx(np.exp(middle + sd**2 / 2), abs=error)
        assert 0.0 < row.prob_npv_positive < 1.0


def test_a_worse_result_leaves_fewer_children_out_of_care(answers):
    for _, rows in answers.groupby("study_id"):
        assert (
            rows["fewer_children_mean"].is_monotonic_decreasing
            and rows["effect_mean"].is_monotonic_increasing
        )


def test_a_result_equal_to_the_mean_moves_little_and_a_trial_in_the_table_is_the_wider_the_smaller(
    toy, answers
):
    """RR 0.9 is all but the mean of the toy: fewer children stay within a tenth of a standard deviation."""
    _, mean, _ = toy
    near = answers[answers["risk_ratio_found"] == 0.9]
    assert (np.abs(near["fewer_children_mean"] + 1e4 * mean.mean()) < 0.1 * 1e4 * mean.std() + 60).all()
    se = answers.groupby("study_id")["se"].first()
    assert se["SFPC_FAMILY_VALUED"] < se["SFPC_FAMILY_SAFEGUARDING"] < se["SFPC_NO_WRONG_DOOR"]


def test_with_too_few_effective_draws_there_is_no_answer(monkeypatch):
    """100 draws cannot hold 101 effective ones; the row says how many there were."""
    monkeypatch.setattr(studies, "FEWEST_EFFECTIVE", 101)
    table = awaited_tables(made_workings("latest", 100, 14))["awaited_evidence"]
    values = [name for name in table.columns if name.startswith(("effect_", "fewer_", "npv_", "prob_"))]
    assert table[values].isna().all(axis=None) and (table["effective_draws"].dropna() > 1).all()


def test_a_study_without_a_published_size_is_listed_and_has_no_answer():
    tables = awaited_tables(made_workings("latest", 100, 14))
    listed = tables["awaited_studies"].set_index("study_id")["se"]
    assert set(listed.index[listed.isna()]) == {"FAMILY_SAFEGUARDING_ROUND_2", "FAMILIES_FIRST_EVALUATION"}
    answers = tables["awaited_evidence"]
    unsized = answers[answers["study_id"].isin(listed.index[listed.isna()])]
    assert len(unsized) == 2 * len(RATIOS_FOUND)
    assert unsized.drop(columns=["study_id", "risk_ratio_found"]).isna().all(axis=None)
    np.testing.assert_array_equal(awaited_errors(made_workings("latest", 100, 14)), listed.to_numpy())


def test_a_release_without_referrals_gives_no_answer():
    """The review's own frame: children referred were not published with it then."""
    table = awaited_tables(made_workings("review_2022", 40, 12))["awaited_evidence"]
    assert len(table) and table["npv_mean"].isna().all() and table["se"].isna().all()
