"""One council: authorities add up to England, chance is Poisson, and a wrong name is helped along."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from cba.costs.prices import cash_index
from cba.errors import InputError
from cba.inputs.observations import load_observations
from cba.tables.councils import (
    care_shares,
    council_account,
    council_position,
    council_summary,
    council_view,
    counted,
    find_authority,
    price_moments,
    usual_stock,
)
from tests.appraisal.made_workings import made_workings, option

LEAD = "care_review"


@pytest.fixture(scope="module")
def at_national_prices(workings):
    """The same release with every authority at England's unit costs, so that money must add up too."""
    seen = workings.inputs.observations.copy()
    own, national = seen["unit_cost_weekly_by_authority"], seen["unit_cost_weekly"]
    seen["unit_cost_weekly_by_authority"] = own.where(False, national).transpose(*own.dims)
    inputs = dataclasses.replace(workings.inputs, observations=seen)
    return dataclasses.replace(workings, inputs=inputs)


def test_authorities_add_up_to_england(at_national_prices):
    """Money, savings and children of all 153, without chance, are the national account in cash."""
    w = at_national_prices
    account = w.accounts[LEAD]
    shown = slice(w.years.index(2026), w.years.index(2026) + 4)
    index = cash_index(w.years[shown], price_base=2024, prices=w.basis.index).values
    lines: dict[tuple[str, str], np.ndarray] = {}
    fewer = 0.0
    for code in w.system.authority_share:
        one = council_account(w, code, LEAD, noise=False)
        fewer = fewer + one.fewer
        for key, amount in one.lines.items():
            lines[key] = lines.get(key, 0.0) + amount
    children = account.children.fewer_by_placement.sum(axis=-1)[:, shown]
    np.testing.assert_allclose(fewer, children, rtol=1e-9, atol=1e-9)
    for payer, kind in lines:
        national = sum(c.amount[:, shown] for c in account.costs if (c.payer, c.kind) == (payer, kind))
        if kind == "saving":
            national = -sum(s.amount[:, shown] for s in account.savings if s.payer == payer)
        np.testing.assert_allclose(lines[payer, kind], national * index, rtol=1e-9, atol=1e-3)
    assert ("council", "saving") in lines and ("dfe", "programme") in lines


def test_the_table_of_all_councils_is_the_mean_of_each(workings):
    table = council_summary(workings, LEAD).set_index("authority")
    assert len(table) == 153
    assert table["children_share"].sum() == pytest.approx(1.0) == pytest.approx(table["care_share"].sum())
    code = "330"
    account = council_account(workings, code, LEAD, years=workings.inputs.analysis.horizon, noise=False)
    fewer = account.fewer[:, list(account.years).index(2032)]
    assert table.loc[code, "fewer_mean"] == pytest.approx(fewer.mean(), rel=1e-9)
    grant = sum(m.sum(axis=1).mean() for (payer, _), m in account.lines.items() if payer == "dfe")
    assert table.loc[code, "grant"] == pytest.approx(grant, rel=1e-9)
    saving = -account.lines["council", "saving"].sum(axis=1)
    error = saving.std() / np.sqrt(saving.size)
    assert abs(table.loc[code, "council_saving"] - saving.mean()) < 4 * error


def test_all_councils_together_are_the_national_account_in_cash(at_national_prices):
    """Over the whole horizon, by years of the calendar typed here: cost, grant, saving and children of England."""
    w = at_national_prices
    account, years = w.accounts[LEAD], range(2026, 2036)
    table = council_summary(w, LEAD)
    index = w.basis.index
    level = {y: np.asarray(index.index(y)) / float(index.index(2024)) for y in years}

    def in_cash(lines):
        return sum((line.amount[:, w.years.index(y)] * level[y]).mean() for line in lines for y in years)

    paid = in_cash(c for c in account.costs if c.payer == "council")
    saved = in_cash(s for s in account.savings if s.payer == "council")
    granted = in_cash(c for c in account.costs if c.payer == "dfe")
    assert table["council_cost"].sum() == pytest.approx(paid, rel=1e-9)
    assert table["grant"].sum() == pytest.approx(granted, rel=1e-9)
    assert table["council_saving"].sum() == pytest.approx(saved, rel=1e-9)
    at_2032 = account.children.fewer_by_placement[:, w.years.index(2032)].sum(axis=-1).mean()
    assert table["fewer_mean"].sum() == pytest.approx(at_2032, rel=1e-9)
    span = table[["first_year", "last_year", "counted_in"]].drop_duplicates().to_numpy().tolist()
    assert span == [[2026, 2035, 2032]]


def test_the_account_of_every_council_holds_what_begins_after_the_grants(workings):
    """Councils pay more than a billion a year from 2029-30: four years would end before it and show a gain instead."""
    whole = council_summary(workings, LEAD)
    account = workings.accounts[LEAD]
    since = workings.years.index(2026)
    early = sum(
        c.amount[:, since : since + 4].sum(axis=1).mean() for c in account.costs if c.payer == "council"
    )
    assert whole["council_cost"].sum() > 5e9 > 20 * early
    assert (whole["council_net"] < 0).all()


def test_lines_add_up_to_payers_and_payers_to_the_total(workings):
    view = council_view(workings, "Leeds", LEAD)
    total = view[view["row"] == "total"].groupby("year")["mean"].sum()
    for row in ("line", "payer"):
        np.testing.assert_allclose(view[view["row"] == row].groupby("year")["mean"].sum(), total, rtol=1e-9)
    assert sorted(view["year"].unique()) == [2026, 2027, 2028, 2029]
    assert set(view["payer"]) == {"council", "dfe", "nhs", "justice", "all"}


def test_counted_children_are_poisson_in_every_year():
    """Against the Poisson law itself, and neighbouring years correlate as thinning says."""
    rng = np.random.default_rng(5)
    expected = np.tile([2.0, 5.0, 4.0, 0.0], (40_000, 1))
    found = counted(expected, stay=np.full(40_000, 0.8), rng=rng)
    for year, mean in enumerate([2.0, 5.0, 4.0]):
        values, counts = np.unique(found[:, year], return_counts=True)
        law = stats.poisson(mean).pmf(values)
        kept = law * len(found) > 20
        pulls = (counts[kept] - law[kept] * len(found)) / np.sqrt(law[kept] * len(found))
        assert np.abs(pulls).max() < 4.5
    assert (found[:, 3] == 0).all()
    covariance = np.cov(found[:, 0], found[:, 1])[0, 1]
    assert covariance == pytest.approx(0.8 * 2.0, abs=0.1), "a child counted in both years"
    assert np.cov(found[:, 1], found[:, 2])[0, 1] == pytest.approx(0.8 * 5.0, abs=0.25)


def test_chance_widens_and_does_not_move(workings):
    """Means agree within Monte Carlo error; the variance grows by the mean number counted."""
    with_chance = council_account(workings, "Leeds", LEAD)
    expected = council_account(workings, "Leeds", LEAD, noise=False)
    gap = with_chance.fewer[:, -1] - expected.fewer[:, -1]
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(gap.size)
    care = expected.position.care_share
    placed = workings.accounts[LEAD].children.fewer_by_placement[:, workings.years.index(2029)] * care
    mean_counted = np.abs(placed).sum(axis=-1).mean()
    assert gap.var() == pytest.approx(mean_counted, rel=0.6)
    np.testing.assert_array_equal(with_chance.fewer, np.rint(with_chance.fewer))


def test_a_small_council_is_relatively_less_certain(workings):
    """Rutland against Birmingham: coefficient of variation of the number in care by chance alone."""
    rng = np.random.default_rng(1)
    spread = {}
    for name in ("Rutland", "Birmingham"):
        position = council_position(workings, name)
        expected = usual_stock(workings, position, years=4, rng=None)[:, -1]
        found = usual_stock(workings, position, years=4, rng=rng)[:, -1]
        spread[name] = np.std((found - expected) / expected)
    assert spread["Rutland"] > 3 * spread["Birmingham"]


def test_usual_stock_starts_from_its_own_number(workings):
    position = council_position(workings, "330")
    own = float(workings.inputs.observations["stock_by_authority"].sel(authority="330", year=2024))
    assert position.stock == own == 2300.0
    national = workings.system.baseline["children"].sum("age").transpose("sample", "year").values
    stock = usual_stock(workings, position, years=2, rng=None)
    np.testing.assert_allclose(stock / own, national[:, :2] / 83_630, rtol=1e-12)


def test_own_prices_are_the_published_ones(workings):
    """Leeds fosters at about two thirds of England's cost: mean of log ratios of three published years."""
    seen = workings.inputs.observations
    ratio = seen["unit_cost_weekly_by_authority"].sel(authority="383", service="fostering") / seen[
        "unit_cost_weekly"
    ].sel(service="fostering")
    by_hand = float(np.log(ratio.sel(year=[2022, 2023, 2024])).mean())
    mean, spread, years = price_moments(seen, "fostering")["383"]
    assert (mean, years) == (pytest.approx(by_hand), 3)
    draws = council_position(workings, "Leeds").price_ratio["fostering"]
    assert abs(np.log(draws).mean() - by_hand) < 4 * spread / np.sqrt(draws.size)


def test_an_authority_without_unit_costs_is_as_uncertain_as_authorities_differ():
    seen = load_observations(2024)
    moments = price_moments(seen, "residential_care")
    missing = [code for code, (_, _, years) in moments.items() if years == 0]
    assert missing, "some authority has none"
    known = [m for m in moments.values() if m[2] == 3]
    for code in missing:
        assert moments[code][1] > 1.2 * np.mean([spread for _, spread, _ in known])


def test_suppressed_numbers_never_make_a_share_negative():
    for release in (2019, 2021, 2024):
        shares, _ = care_shares(load_observations(release))
        assert min(shares.values()) >= 0.0 and sum(shares.values()) == pytest.approx(1.0)


def test_the_same_question_has_the_same_answer(workings):
    first, second = (council_view(workings, name, LEAD) for name in ("Leeds", "383"))
    assert first.equals(second)


@pytest.mark.parametrize(
    "asked, message, near",
    [
        ("Leds", "an unknown authority", "did you mean Leeds"),
        ("E08000035", "an unknown authority", "authorities.csv"),
        ("Northamptonshire", "the authority no longer exists", "West Northamptonshire"),
    ],
)
def test_an_unknown_authority_is_refused_with_near_names(workings, asked, message, near):
    with pytest.raises(InputError, match=message) as caught:
        find_authority(workings.inputs.observations, asked)
    assert f"found: {asked}" in str(caught.value) and near in str(caught.value)


def test_an_unknown_option_or_horizon_is_refused(workings):
    with pytest.raises(InputError, match="no such option") as caught:
        council_view(workings, "Leeds", "care_reveiw")
    assert "care_review" in str(caught.value)
    with pytest.raises(InputError, match="more years are asked for") as caught:
        council_view(workings, "Leeds", LEAD, years=99)
    assert "lengthen long_horizon" in str(caught.value)


def test_a_pathfinder_programme_is_shared_by_its_areas_alone():
    w = made_workings("review_2022")
    areas = option("dfe_2023").areas
    shares = {code: council_account(w, code, "dfe_2023", noise=False) for code in areas}
    shown = slice(w.years.index(2023), w.years.index(2023) + 4)
    index = cash_index(w.years[shown], price_base=w.basis.price_base, prices=w.basis.index)
    factor = index.transpose("sample", "year").values if "sample" in index.dims else index.values
    money = sum(c.amount[:, shown] for c in w.accounts["dfe_2023"].costs if c.payer == "dfe") * factor
    found = sum(m for a in shares.values() for (payer, _), m in a.lines.items() if payer == "dfe")
    np.testing.assert_allclose(found, money, rtol=1e-9, atol=1e-3)
    with pytest.raises(InputError, match="limited to other authorities") as caught:
        council_view(w, "Leeds", "dfe_2023")
    assert "Leeds (383)" in str(caught.value) and "209" in str(caught.value)
