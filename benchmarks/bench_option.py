"""Time of one more option at 4,000 draws and 30 years: its account and its place in the labelled arrays.

Targets: 0.5 s for any option, one that reinvests its savings included. Business as usual and the prices are made
once and shared. The made fits of the tests stand in for sampled ones: the arrays have the same sizes.
"""

from __future__ import annotations

import numpy as np
import pytest

from cba.appraisal.workings import option_arrays
from cba.costs.account import total_saving
from cba.costs.option_account import cashed, option_account
from tests.appraisal.made_workings import made_workings

DRAWS, LONG_HORIZON, TARGET_S = 4000, 30, 0.5
REINVESTED_S = 3.0  # its account is repeated until its money has settled
OPTIONS = ("care_review", "care_review_reinvest", "kinship_only", "foster_only", "placement_reform")


@pytest.fixture(scope="module")
def workings():
    return made_workings("latest", DRAWS, LONG_HORIZON)


def option_of(workings, name):
    return next(o for o in workings.inputs.options if o.id == name)


@pytest.mark.parametrize("name", OPTIONS)
def bench_option_account(benchmark, workings, name):
    arguments = (option_of(workings, name), workings.system, workings.basis)
    account = benchmark.pedantic(option_account, args=arguments, rounds=7, warmup_rounds=1)
    assert np.isfinite(total_saving(account)).all()
    assert benchmark.stats.stats.median < (REINVESTED_S if name == "care_review_reinvest" else TARGET_S)
    if name == "care_review_reinvest":  # money that was not cashed is not spent
        overrun = workings.system.value("delivery.cost_overrun")[:, None]
        spare = np.maximum(cashed(arguments[0], account), 0.0)[:, :-1]
        assert (account.recurrent[:, 1:] * overrun <= spare + 2.0).all()


def bench_option_arrays_of_one_option(benchmark, workings):
    """What an option adds after its account: arrays of it and of business as usual, less those of the latter."""
    pair = {name: workings.accounts[name] for name in ("bau", "care_review")}
    arguments = (workings.inputs, workings.system, workings.basis, pair)
    benchmark.pedantic(option_arrays, args=arguments, rounds=5, warmup_rounds=1)
