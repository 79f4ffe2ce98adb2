"""The same belief in other families, and in other units."""

from __future__ import annotations

import numpy as np
import pytest

from cba.inputs.prior_checks import MOST_OUTSIDE, alternative_fits, prior_alternatives
from cba.inputs.priors import load_priors
from cba.inputs.quantile_fits import elicit, fit_quantiles


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
