"""Draws are added until the asked Monte Carlo error is met; where the limit comes first, the run says so."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import cba
from cba.inputs.analyses import Precision
from cba.runs.execute import with_precision
from cba.tables.fit_checks import draws_needed, precision_missed


def asking(**changes):
    asked = Precision(**({"npv": 1e7, "probability": 0.01, "most_draws": 64_000} | changes))
    return cba.load_analysis("smoke").model_copy(update={"precision": asked})


def found_at(analysis, *, sd=1e9, chance=0.2):
    """Headline errors as independent draws would have them: the square root law."""
    return {
        "npv_fiscal.care_review": {"mcse": sd / np.sqrt(analysis.draws)},
        "prob_npv_positive.care_review": {"mcse": np.sqrt(chance * (1 - chance) / analysis.draws)},
        "npv_fiscal.bau": {"mcse": 0.0},
        "bcr.care_review": {"mcse": None},
    }


def asked_for(analysis, monkeypatch):
    """The draws of each round, and what the manifest says of them."""
    made = []

    def appraised_stances(asked, **how):
        made.append(asked.draws)
        return SimpleNamespace(appraisals={asked.stances[0]: SimpleNamespace(results=found_at(asked))})

    monkeypatch.setattr("cba.runs.execute.appraised_stances", appraised_stances)
    _, record = with_precision(analysis, root=None, stages=None, tell=None, prints=None)
    return made, record


def test_draws_are_added_until_the_precision_is_met(monkeypatch):
    """An error of 1e9/sqrt(n) needs n = 10,000 for 1e7; the record holds what was asked and made."""
    made, record = asked_for(asking(), monkeypatch)
    assert made[0] == cba.load_analysis("smoke").draws and made[-1] >= 10_000
    assert made[-1] <= 1.3 * 10_000 and made[-1] % asking().chains == 0
    assert record["met"] and record["missed"] == [] and record["draws"] == made[-1]


def test_the_most_draws_are_not_passed_and_the_run_says_what_it_missed(monkeypatch):
    made, record = asked_for(asking(most_draws=4000), monkeypatch)
    assert max(made) == 4000
    assert not record["met"]
    assert record["missed"][0].startswith(
        "npv_fiscal.care_review: Monte Carlo error 1.58e+07, asked for at most 1e+07"
    )


def test_nothing_is_added_where_the_precision_is_met_or_not_asked(monkeypatch):
    for analysis in (asking(npv=1e10, probability=0.4), cba.load_analysis("smoke")):
        made, _ = asked_for(analysis, monkeypatch)
        assert made == [analysis.draws]


def test_draws_needed_follow_the_square_root_law():
    wanted = asking().precision
    for draws in (1000, 2000, 5000):
        results = found_at(asking().model_copy(update={"draws": draws}))
        assert draws_needed(results, wanted, draws=draws, chains=4) == pytest.approx(12_000, abs=4)
    met = found_at(asking().model_copy(update={"draws": 20_000}))
    assert precision_missed(met, wanted) == [] and draws_needed(met, wanted, draws=20_000, chains=4) == 20_000


@pytest.mark.parametrize(
    ("field", "value"), [("npv", 0.0), ("probability", 0.5), ("most_draws", 0), ("npv", float("nan"))]
)
def test_a_precision_that_cannot_be_met_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Precision(**({"npv": 1e7, "probability": 0.01, "most_draws": 8000} | {field: value}))
