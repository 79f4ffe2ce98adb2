"""The prior registry: fitted as stated, drawn reproducibly, and every mistake refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from cba.errors import InputError
from cba.inputs.priors import load_priors

HERE = Path(__file__).parent
VALID = HERE / "valid_priors"
MISTAKES = {  # file: (field, words of the problem, words of the next step)
    "quantiles_out_of_order.toml": ("foster.filled_share.quantiles", "out of order", "in order"),
    "quantile_nan.toml": ("foster.filled_share.quantiles.0.95", "NaN", "finite number"),
    "probability_above_one.toml": ("foster.filled_share.quantiles", "between 0 and 1", "write 5% as 0.05"),
    "probability_twice.toml": ("foster.filled_share.quantiles", "appears twice", "remove one"),
    "too_few_quantiles.toml": ("foster.filled_share.quantiles", "too few quantiles", "state more"),
    "unit_missing.toml": ("foster.filled_share.unit", "required field is missing", "add the field"),
    "price_year_missing.toml": ("costs.per_child.price_year", "no price year", "add price_year"),
    "price_year_without_money.toml": ("costs.per_child.price_year", "not money", "correct the unit"),
    "source_missing.toml": ("foster.filled_share.source", "required field is missing", "add the field"),
    "source_without_address.toml": ("foster.filled_share.source.0", "no address", "judgement:"),
    "owner_missing.toml": ("foster.filled_share.owner", "required field is missing", "`owner`"),
    "reviewed_missing.toml": ("foster.filled_share.reviewed", "required field is missing", "`reviewed`"),
    "distribution_unknown.toml": (
        "foster.filled_share.distribution",
        "unknown distribution",
        "allowed names",
    ),
    "quantiles_and_params.toml": ("foster.filled_share.quantiles", "both quantiles and params", "remove one"),
    "neither_quantiles_nor_params.toml": ("foster.filled_share.quantiles", "neither quantiles", "state"),
    "sd_negative.toml": ("costs.per_child.params.sigma", "above zero", "positive value"),
    "parameters_of_another_family.toml": ("foster.filled_share.params", "do not fit Beta", "exactly"),
    "field_unknown.toml": ("foster.filled_share.confidance", "unknown field", "did you mean confidence?"),
    "confidence_unknown.toml": ("foster.filled_share.confidence", "allowed words", "allowed words"),
    "key_twice.toml": (None, "appears twice", "remove or rename"),
    "bounds_violated.toml": ("costs.per_child.quantiles", "outside the bounds", "correct the bound"),
    "share_above_one.toml": ("foster.filled_share.quantiles", "outside 0 to 1", "use Beta"),
    "money_negative.toml": ("costs.per_child.quantiles", "negative", "positive"),
    "family_cannot_fit.toml": ("costs.per_child.quantiles", "cannot have these quantiles", "another family"),
    "shares_not_summing.toml": ("foster.filled_share, foster.vacant_share", "sum to 1", "never rescaled"),
    "stance_unknown.toml": ("foster.filled_share.stance.review", "allowed words", "allowed words"),
    "override_without_reason.toml": ("foster.filled_share.stance.sceptical.reason", "missing", "`reason`"),
    "override_out_of_order.toml": (
        "foster.filled_share.stance.sceptical.quantiles",
        "out of order",
        "in order",
    ),
    "stance_design_unknown.toml": ("stance.sceptical.evidence_designs", "study designs", "correct the table"),
    "group_left_out.toml": ("filled_share", "[group.name]", "group and name"),
    "truncated.toml": (None, "not valid TOML", "correct the line"),
    "not_utf8.toml": (None, "not UTF-8", "plain UTF-8"),
    "empty.toml": (None, "empty", "restore"),
    "entry_in_two_files": ("foster.filled_share", "two files", "remove one"),
}


def test_every_malformed_file_is_tested():
    assert {file.name for file in (HERE / "malformed_priors").iterdir()} == set(MISTAKES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_by_file_field_problem_and_remedy(name):
    field, problem, remedy = MISTAKES[name]
    file = HERE / "malformed_priors" / name
    with pytest.raises(InputError) as caught:
        load_priors(file)
    found = caught.value.details
    assert str(file) in str(found["file"])
    assert found["field"] == field
    assert problem in caught.value.problem
    assert remedy in str(found["next step"])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("stance", ["evidence", "sceptical"])
def test_mistakes_in_an_override_are_refused_under_any_stance(stance):
    with pytest.raises(InputError, match="out of order"):
        load_priors(HERE / "malformed_priors" / "override_out_of_order.toml", stance)


def test_stated_quantiles_are_the_fitted_ones():
    priors = load_priors(VALID)
    assert priors.quantile("costs.per_child", 0.05) == pytest.approx(1700, rel=1e-12)
    assert priors.quantile("costs.per_child", 0.95) == pytest.approx(9000, rel=1e-12)
    assert priors["costs.per_child"].fit_error < 1e-12
    assert priors["costs.per_child"].distribution == "LogNormal"


def test_stance_replaces_the_overridden_entry_only():
    evidence, sceptical = load_priors(VALID), load_priors(VALID, "sceptical")
    assert evidence["effects.log_ratio"].median == pytest.approx(-0.1)
    assert sceptical["effects.log_ratio"].median == pytest.approx(0.0)
    assert sceptical["effects.log_ratio"].reason == "trials only"
    assert sceptical["effects.log_ratio"].confidence == "red"
    assert evidence["effects.log_ratio"].overridden_by == ("sceptical",)
    assert sceptical["costs.per_child"].parameters == evidence["costs.per_child"].parameters
    assert (evidence.evidence_designs, sceptical.evidence_designs) == (None, ("rct",))
    assert evidence.fingerprint() != sceptical.fingerprint()


def test_review_is_not_a_set_of_priors():
    with pytest.raises(InputError, match="conditioned on the review's claims") as caught:
        load_priors(VALID, "review")
    assert 'cba.appraise(analysis, stance="review")' in str(caught.value.details["next step"])


def test_unknown_stance_and_entry_name_the_nearest():
    with pytest.raises(InputError, match="did you mean sceptical"):
        load_priors(VALID, "skeptical")
    with pytest.raises(InputError, match="did you mean costs.per_child"):
        load_priors(VALID)["costs.per_chld"]


def test_draws_follow_the_stated_distribution():
    """Kolmogorov's statistic of 20,000 draws stays below 1.95/sqrt(n), its 0.1% point."""
    n = 20_000
    priors = load_priors(VALID)
    draws = priors.sample(n, seed=3)
    for name in ("costs.per_child", "effects.log_ratio", "effects.share_lost"):
        probability = np.sort(priors[name].fitted.cdf(draws[name].to_numpy()))
        distance = np.max(np.abs(probability - (np.arange(n) + 0.5) / n))
        assert distance < 1.95 / np.sqrt(n)


def test_draws_are_reproducible_paired_and_independent():
    priors = load_priors(VALID)
    first, again, other = (
        priors.sample(4_000, seed=0),
        priors.sample(4_000, seed=0),
        priors.sample(4_000, seed=1),
    )
    assert first.identical(again)
    assert not np.allclose(first["costs.per_child"], other["costs.per_child"])
    correlation = np.corrcoef(first["costs.per_child"], first["effects.log_ratio"])[0, 1]
    assert abs(correlation) < 4 / np.sqrt(4_000)
    longer = priors.sample(8_000, seed=0).isel(sample=slice(4_000))
    np.testing.assert_array_equal(longer["effects.log_ratio"], first["effects.log_ratio"])


def test_adding_an_entry_leaves_the_draws_of_the_others(tmp_path):
    shutil.copytree(VALID, tmp_path / "priors")
    before = load_priors(tmp_path / "priors")
    extra = (VALID / "costs.toml").read_text(encoding="utf-8").replace("costs.per_child", "aaa.first")
    (tmp_path / "priors" / "added.toml").write_text(extra, encoding="utf-8")
    after = load_priors(tmp_path / "priors")
    assert len(after) == len(before) + 1
    for name in before:
        np.testing.assert_array_equal(before.sample(50, seed=7)[name], after.sample(50, seed=7)[name])
    assert before.fingerprint() != after.fingerprint()


def test_fingerprint_is_of_the_content_not_of_the_files(tmp_path):
    texts = [file.read_text(encoding="utf-8") for file in sorted(VALID.glob("*.toml"))]
    (tmp_path / "all.toml").write_text("\n".join(reversed(texts)), encoding="utf-8")
    assert load_priors(tmp_path / "all.toml").fingerprint() == load_priors(VALID).fingerprint()


def test_shares_of_one_whole_sum_to_one_in_every_draw():
    draws = load_priors(VALID).sample(500, seed=0)
    total = draws["mix.home"] + draws["mix.foster"] + draws["mix.other"]
    np.testing.assert_allclose(total, 1.0, rtol=1e-12)
    for name, (alpha, beta) in {"mix.home": (8, 72), "mix.foster": (56, 24), "mix.other": (16, 64)}.items():
        exact = stats.beta(alpha, beta)  # the parts of a Dirichlet are the Betas that are stated
        assert stats.kstest(draws[name].values, exact.cdf).pvalue > 0.01
    assert draws["mix.home"].attrs["shares_group"] == "placement_mix"


def test_money_carries_unit_and_price_year():
    draws = load_priors(VALID).sample(2, seed=0)
    assert draws["costs.per_child"].attrs["unit"] == "GBP per child"
    assert draws["costs.per_child"].attrs["price_year"] == 2022
    assert "price_year" not in draws["effects.log_ratio"].attrs


def test_table_has_every_paper_and_the_fitted_points():
    table = load_priors(VALID).table()
    assert {"description", "unit", "source", "url", "confidence", "owner", "reviewed", "basis"} <= set(
        table.columns
    )
    assert table.loc["costs.per_child", "p05"] == pytest.approx(1700)
    assert table.loc["effects.share_lost", "distribution"] == "TruncatedLogNormal"
    assert list(table.index) == sorted(table.index)


def test_shipped_priors_are_complete_under_both_stances():
    evidence, sceptical = load_priors(), load_priors(stance="sceptical")
    assert set(evidence) == set(sceptical)
    assert sceptical.evidence_designs == ("rct",)
    draws = evidence.sample(200, seed=0)
    assert all(np.isfinite(draws[name]).all() for name in evidence)
    assert any(entry.stance == "sceptical" for entry in sceptical.entries.values())


def test_empty_folder_and_missing_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="no prior files"):
        load_priors(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        load_priors(tmp_path / "none.toml")
