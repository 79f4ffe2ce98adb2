"""Every perspective is a sum of the same lines; transfers cancel; lives are valued once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.costs.account import GUARDIANSHIP_SUPPORT
from cba.costs.social_value import VALUED
from cba.discounting import discount_factors
from cba.errors import InputError
from cba.inputs.evidence import load_evidence
from cba.tables.society import (
    CARE_CLAIM,
    claimed_amount,
    perspectives_table,
    safe_child_years,
    social_lines,
    social_net_benefit,
    value_of_child_year,
    worth_of_lives,
)

LEAD = "care_review"


@pytest.fixture(scope="module")
def table(workings):
    return perspectives_table(workings).set_index(["option", "perspective"])


def test_the_fiscal_perspective_is_the_headline(workings, table):
    for option in workings.accounts:
        if option != "bau":
            npv = workings.arrays.npv.sel(option=option).values
            row = table.loc[(option, "fiscal")]
            assert row["mean"] == pytest.approx(npv.mean(), rel=1e-9)
            assert row["prob_positive"] == (npv > 0).mean()


def test_public_payers_and_families_make_up_the_social_total(table):
    means = table["mean"].unstack("perspective")
    both = means["council"] + means["central"]
    np.testing.assert_allclose(both, means["fiscal_with_benefits"], rtol=1e-9, atol=1.0)
    np.testing.assert_allclose(
        means["fiscal_with_benefits"] + means["families"], means["social"], rtol=1e-9, atol=1.0
    )


def test_social_less_fiscal_is_what_families_spend_and_what_is_only_moved(workings):
    """Worked from the draws again: transfers back, a child's keep off, line by line of nothing else."""
    years = np.array(workings.years)
    within = (years >= 2026) & (years < 2036)
    factors = discount_factors(years[within] - 2026)
    account = workings.accounts[LEAD]
    fewer = account.children.fewer_by_age.sum(axis=-1)
    lived = (np.concatenate([np.zeros((len(fewer), 1)), fewer[:, :-1]], axis=1) + fewer) / 2
    keep = lived[:, within] @ factors * workings.system.value("social.family_cost_per_child_year")
    moved = sum(
        line.amount[:, within] @ factors
        for line in account.costs
        if line.kind == "deadweight" or line.component == GUARDIANSHIP_SUPPORT
    )
    social = social_net_benefit(workings).sel(option=LEAD).values
    fiscal = workings.arrays.npv.sel(option=LEAD).values
    np.testing.assert_allclose(social - fiscal, moved - keep, rtol=1e-6, atol=1.0)


def test_benefits_are_a_transfer_and_cancel_in_every_draw(workings):
    lines = [g for g in social_lines(workings, LEAD) if g.kind == "benefits"]
    assert {g.payer for g in lines} == {"dwp_hmrc", "families"}
    np.testing.assert_array_equal(sum(g.amount for g in lines), 0.0)
    assert np.abs(lines[0].amount).max() > 0.0


def test_business_as_usual_changes_nothing(workings):
    assert (social_net_benefit(workings).sel(option="bau") == 0.0).all()


@pytest.mark.parametrize("measure", VALUED)
def test_the_lines_add_up_to_the_perspective(workings, table, measure):
    for option in (o for o in workings.accounts if o != "bau"):
        lines = [line.amount for line in social_lines(workings, option)]
        total = sum(amount.mean() for amount in (*lines, worth_of_lives(workings, option, measure)))
        assert total == pytest.approx(table.loc[(option, f"social_{measure}"), "mean"], rel=1e-9, abs=1.0)


def test_lives_are_discounted_by_what_they_are(workings):
    """Money with the analysis's schedule, health with 1.5% a year."""
    years = np.array(workings.years)
    lived = safe_child_years(workings, LEAD)
    within = (years >= 2026) & (years < 2036)
    for measure, schedule in (("lifetime_cost", "green_book_2026"), ("qaly", "green_book_2026_health")):
        by_hand = lived[:, within] @ discount_factors(years[within] - 2026, schedule)
        found = worth_of_lives(workings, LEAD, measure)
        np.testing.assert_allclose(found, by_hand * value_of_child_year(workings, measure), rtol=1e-12)


def test_safe_child_years_are_those_of_the_record(workings):
    arrays = workings.arrays
    net = (arrays.child_years_safe - arrays.child_years_harm).sel(option=LEAD).values
    worth = worth_of_lives(workings, LEAD, "lifetime_cost")
    np.testing.assert_allclose(worth, net * value_of_child_year(workings, "lifetime_cost"), rtol=1e-9)


def test_the_lifetime_cost_is_the_published_one_in_the_price_base(workings):
    index = workings.basis.index
    factor = float((index.index(2024) / index.index(2022)).mean())
    assert claimed_amount(workings, CARE_CLAIM) == pytest.approx(1_200_000 * factor)


def test_adding_the_two_lifetime_costs_is_refused(workings):
    with pytest.raises(InputError, match="two values of the same change would be added"):
        worth_of_lives(workings, LEAD, ["lifetime_cost", "need_cost"])


def test_a_figure_published_after_the_analysis_is_not_used(workings):
    early = dataclasses.replace(workings.inputs, evidence=load_evidence(until=2020))
    with pytest.raises(InputError, match="not known at the date of the analysis") as caught:
        claimed_amount(dataclasses.replace(workings, inputs=early), CARE_CLAIM)
    assert "published_claims.csv" in str(caught.value) and "move evidence_until" in str(caught.value)
