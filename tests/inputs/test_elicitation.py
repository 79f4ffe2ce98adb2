"""Beliefs of several experts as one prior, and the same belief in other families."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from cba.errors import InputError
from cba.inputs.experts import POOLED_AT, elicit
from cba.inputs.prior_checks import MOST_OUTSIDE, alternative_fits, prior_alternatives
from cba.inputs.priors import load_priors
from cba.inputs.quantile_fits import fit_quantiles

ENTRY = """
[kinship.uncovered_share]
description = "Share of the route not already offered a family-network meeting"
distribution = "Normal"
pool = "{pool}"
experts = [
  {{ name = "A", distribution = "Normal", quantiles = {{ "0.05" = {a[0]}, "0.95" = {a[1]} }}, weight = {w[0]} }},
  {{ name = "B", distribution = "Normal", quantiles = {{ "0.05" = {b[0]}, "0.95" = {b[1]} }}, weight = {w[1]} }},
]
unit = "ratio"
confidence = "red"
owner = "analysis"
reviewed = 2026-11-21
source = [{{ title = "judgement: two experts, asked apart", url = "" }}]
basis = "judgement"
"""
Z = stats.norm.ppf(0.95)


def written(tmp_path, *, pool="logarithmic", a=(-1.0, 1.0), b=(1.0, 5.0), w=(0.5, 0.5), text=ENTRY) -> Path:
    file = tmp_path / "kinship.toml"
    file.write_text(text.format(pool=pool, a=a, b=b, w=w), encoding="utf-8")
    return file


def test_a_logarithmic_pool_of_normal_experts_is_the_normal_of_weighted_precisions(tmp_path):
    entry = load_priors(written(tmp_path, w=(0.25, 0.75)))["kinship.uncovered_share"]
    sds = np.array([1.0, 2.0]) / Z
    precision = np.array([0.25, 0.75]) / sds**2
    mean = (precision * [0.0, 3.0]).sum() / precision.sum()
    assert entry.parameters["mu"] == pytest.approx(mean, abs=2e-4)
    assert entry.parameters["sigma"] == pytest.approx(precision.sum() ** -0.5, abs=2e-4)
    assert entry.fit_error < 1e-3


def test_a_linear_pool_has_the_quantiles_of_the_mixture(tmp_path):
    entry = load_priors(written(tmp_path, pool="linear", b=(0.0, 2.0)))["kinship.uncovered_share"]
    for probability, value in entry.quantiles.items():
        mixture = 0.5 * stats.norm.cdf(value, 0, 1 / Z) + 0.5 * stats.norm.cdf(value, 1, 1 / Z)
        assert mixture == pytest.approx(probability, abs=1e-4)
    assert tuple(entry.quantiles) == POOLED_AT


def test_a_family_that_cannot_follow_the_pool_says_by_how_much_it_misses(tmp_path):
    """Two experts far apart make two humps; a normal through them misses, and the miss is kept."""
    near = load_priors(written(tmp_path, pool="linear", b=(-0.9, 1.1)))["kinship.uncovered_share"]
    apart = load_priors(written(tmp_path, pool="linear", b=(1.0, 3.0)))["kinship.uncovered_share"]
    assert near.fit_error < 0.01 < apart.fit_error
    worst = max(abs(float(apart.fitted.ppf(p)) - value) for p, value in apart.quantiles.items())
    spread = apart.quantiles[0.95] - apart.quantiles[0.05]
    assert apart.fit_error == pytest.approx(worst / spread, rel=1e-6)


def test_the_experts_are_kept_with_the_entry_and_change_its_fingerprint(tmp_path):
    one = load_priors(written(tmp_path))
    assert (
        "A (weight 0.5, Normal, fit error 0.0%): 5% at -1, 95% at 1" in one["kinship.uncovered_share"].experts
    )
    before = one.fingerprint()
    assert load_priors(written(tmp_path, w=(0.4, 0.6))).fingerprint() != before


@pytest.mark.parametrize(
    "change, field, problem, remedy",
    [
        (("weight = 0.5", "weight = 0.4"), "experts.weights", "do not sum to 1", "never rescaled"),
        (('pool = "linear"', 'pool = "loudest"'), "pool", "allowed words", "allowed words"),
        (('pool = "linear"\n', ""), "pool", "required field is missing", "`pool`"),
        (('name = "A", ', ""), "experts.0.name", "required field is missing", "`name`"),
        (
            ('unit = "ratio"', 'unit = "ratio"\nparams = { mu = 0.0, sigma = 1.0 }'),
            "experts",
            "of its own",
            "remove",
        ),
        (('"0.95" = 1.0', '"0.95" = -2.0'), "experts.quantiles", "out of order", "in order"),
    ],
)
def test_mistakes_about_experts_are_refused_by_file_field_problem_and_remedy(
    tmp_path, change, field, problem, remedy
):
    file = written(tmp_path, pool="linear")
    text = file.read_text(encoding="utf-8")
    assert change[0] in text
    file.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_priors(file)
    found = caught.value.details
    assert found["file"] == str(file) and found["field"] == f"kinship.uncovered_share.{field}"
    assert problem in caught.value.problem and remedy in found["next step"]


# --- the same belief in other families ------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    return prior_alternatives(load_priors())


def test_alternatives_answer_the_same_quantiles_and_stay_where_the_entry_may_be(table):
    registry = load_priors()
    fewest = table.groupby("name")["rank"].max()
    assert (fewest == 2).all(), fewest[fewest < 2]
    for name in ("family_help.cost_per_family_in_need", "foster.filled_share", "delivery.start_delay"):
        entry = registry[name]
        for fit in alternative_fits(entry):
            assert fit.distribution.family != entry.fitted.family
            low, high = entry.support
            outside = 1 - float(fit.distribution.cdf(high) - fit.distribution.cdf(low))
            assert outside <= MOST_OUTSIDE
            answers = fit.distribution.ppf(list(entry.quantiles))
            spread = max(entry.quantiles.values()) - min(entry.quantiles.values())
            miss = np.abs(answers - list(entry.quantiles.values())).max() / spread
            assert fit.error == pytest.approx(miss, abs=1e-9)


def test_alternatives_come_best_first_and_the_own_family_leads(table):
    for _, rows in table.groupby("name"):
        assert rows["rank"].tolist() == list(range(len(rows)))
        errors = rows["fit_error"].round(6).tolist()[1:]
        assert errors == sorted(errors)


def test_an_entry_stated_by_parameters_has_no_alternative():
    assert alternative_fits(load_priors()["effects.heterogeneity"]) == ()


UNITS = (1.0, 7.0, 1e-9, 1e-3, 1e6, 1e9)


def _in_first_unit(found, unit: float):
    """The quantiles of a fit, taken back to the unit it was first stated in."""
    return np.asarray(found.distribution.ppf([0.05, 0.25, 0.5, 0.75, 0.95])) / unit


@pytest.mark.parametrize("family", ["Normal", "LogNormal", "Gamma", "Uniform", "Triangular"])
def test_a_judgement_does_not_depend_on_its_unit(family):
    first = _in_first_unit(elicit(family, mass=0.9, lower=2.0, upper=3.0), 1.0)
    for unit in UNITS:
        found = elicit(family, mass=0.9, lower=2.0 * unit, upper=3.0 * unit)
        assert _in_first_unit(found, unit) == pytest.approx(first, rel=1e-7)
        if family == "Gamma":  # greatest entropy by a search over the shape, outside the package
            assert found.distribution.parameters["alpha"] == pytest.approx(67.1434, abs=2e-3)


@pytest.mark.parametrize(
    ("family", "stated", "bounds"),
    [
        *(
            (family, (2.0, 2.4, 3.0), {})
            for family in ("Normal", "LogNormal", "Gamma", "Uniform", "Triangular", "PERT")
        ),
        ("TruncatedNormal", (2.0, 2.4, 3.0), {"lower": 1.9}),
        ("Normal", (2.0, 2.4, 3.0), {"lower": 1.9}),
        ("Gamma", (2.0, 2.4, 3.0), {"upper": 3.5}),
        ("BetaScaled", (2.0, 2.4, 3.0), {"lower": 1.0, "upper": 4.0}),
        ("Normal", (2.0, 3.0), {"lower": 1.5}),
    ],
)
def test_a_fit_to_quantiles_does_not_depend_on_their_unit(family, stated, bounds):
    probabilities = (0.05, 0.5, 0.95) if len(stated) == 3 else (0.05, 0.95)

    def fitted(unit: float):
        said = dict(zip(probabilities, (value * unit for value in stated), strict=True))
        ends = {end: value * unit for end, value in bounds.items()}
        return fit_quantiles(family, quantiles=said, largest_error=np.inf, **ends)

    first = _in_first_unit(fitted(1.0), 1.0)
    for unit in UNITS:
        assert _in_first_unit(fitted(unit), unit) == pytest.approx(first, rel=1e-6)
