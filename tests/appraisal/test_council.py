"""One council: authorities add up to England, chance is Poisson, and a wrong name is helped along."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cba.appraisal.record import Appraisal
from cba.costs.prices import cash_index
from cba.errors import InputError
from cba.inputs.observations import load_observations
from cba.recipe import _asked
from cba.tables.council_groups import FIFTHS, council_profiles, council_summary, councils_by_group, fifths
from cba.tables.councils import (
    BASIS,
    care_shares,
    council_account,
    council_options,
    council_position,
    council_view,
    counted,
    find_authority,
    option_shares,
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
        one = council_account(w, code, LEAD, years=4, noise=False)
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
    people = workings.inputs.observations["population_by_authority"].sel(year=2024)
    assert table["children"].sum() == pytest.approx(float(people.sum()))
    code = "330"
    account = council_account(workings, code, LEAD, noise=False)
    fewer = account.fewer[:, list(account.years).index(2032)]
    assert table.loc[code, "fewer_mean"] == pytest.approx(fewer.mean(), rel=1e-9)
    grant = sum(m.sum(axis=1).mean() for (payer, _), m in account.lines.items() if payer == "dfe")
    assert table.loc[code, "grant"] == pytest.approx(grant, rel=1e-9)
    saving = -account.lines["council", "saving"].sum(axis=1)
    assert table.loc[code, "council_saving"] == pytest.approx(saving.mean(), rel=1e-9), (
        "the same draws of prices"
    )
    assert table.loc[code, "ons_code"] == "E08000025" and table.loc[code, "region"] == "West Midlands"
    per_child = table.loc[code, "council_net"] / float(people.sel(authority=code))
    assert table.loc[code, "net_per_child"] == pytest.approx(per_child)


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
    assert sorted(view["year"].unique()) == list(range(2026, 2036)), "the whole horizon"
    assert set(view["payer"]) == {"", "council", "dfe", "nhs", "justice", "all"}
    later = view[(view["payer"] == "council") & (view["kind"] == "recurrent") & (view["year"] > 2029)]
    assert (later["mean"] > 1e6).all(), "what councils pay begins after four years"


def test_no_row_is_of_noughts_and_each_says_what_is_its_own(workings):
    view = council_view(workings, "Rutland", LEAD)
    assert (
        (view[["mean", "lower", "upper"]].abs().sum(axis=1) > 0)
        .groupby([view["payer"], view["kind"]])
        .any()
        .all()
    )
    assert list(view["kind"][:2]) == ["in care", "fewer"] and (view["row"][:2] == "children").all()
    assert set(zip(view["own"], view["england_average"], strict=True)) <= set(BASIS.values())
    saving = view[view["kind"] == "saving"]
    assert saving["own"].str.contains("unit costs").all()


def test_a_council_without_unit_costs_is_told_that_they_are_an_average(workings):
    seen = workings.inputs.observations
    none = [
        code
        for code, (_, _, years) in price_moments(seen, "residential_care").items()
        if years == 0 and code in workings.system.authority_share
    ]
    view = council_view(workings, none[0], LEAD, years=6)
    saving = view[view["kind"] == "saving"]
    assert saving["england_average"].str.startswith("unit costs").all()
    assert not saving["own"].str.contains("unit costs").any()


def test_options_of_a_council_are_its_accounts_added_up(workings):
    table = council_options(workings, "Leeds").set_index("option")
    assert list(table.index) == [o.id for o in workings.inputs.options if o.id != "bau"]
    account = council_account(workings, "Leeds", LEAD)
    net = -sum(m.sum(axis=1) for (payer, _), m in account.lines.items() if payer == "council")
    row = table.loc[LEAD]
    found = [row[f"council_net_{end}"] for end in ("mean", "lower", "upper")]
    np.testing.assert_allclose(found, [net.mean(), *np.quantile(net, [0.05, 0.95])], rtol=1e-9)
    assert row["fewer_mean"] == account.fewer[:, 6].mean() and row["counted_in"] == 2032
    short = council_options(workings, "Leeds", years=3).set_index("option").loc[LEAD]
    assert (short["last_year"], short["counted_in"]) == (2028, 2028)


def test_groups_add_up_to_england_draw_by_draw(at_national_prices):
    """Both groupings hold every council once, and their means and money are the table of councils added up."""
    w = at_national_prices
    groups, councils = councils_by_group(w, LEAD), council_summary(w, LEAD)
    for _, held in groups.groupby("grouping"):
        assert held["councils"].sum() == len(councils) == 153
        for name in ("grant", "council_cost", "council_saving", "council_net"):
            assert held[f"{name}_mean"].sum() == pytest.approx(councils[name].sum(), rel=1e-9)
        assert held["fewer_mean"].sum() == pytest.approx(councils["fewer_mean"].sum(), rel=1e-9)
    fewer = w.accounts[LEAD].children.fewer_by_placement[:, w.target].sum(axis=-1)
    north = groups[groups["group"] == "North East"].iloc[0]
    share = sum(care_shares(w.inputs.observations)[0][c] for c in council_profiles(w, LEAD).query(
        "region == 'North East'").index)  # fmt: skip
    ends = np.quantile(fewer * share, [0.05, 0.95])
    np.testing.assert_allclose(north[["fewer_lower", "fewer_upper"]].astype(float), ends, rtol=1e-9)
    rate = north["fewer_mean"] * 1e4 / north["children"]
    assert north["fewer_per_10000_mean"] == pytest.approx(rate)


def test_own_prices_of_a_group_average_out(workings):
    """A region's saving is less uncertain, for its size, than one council's: errors of prices are independent."""
    groups = councils_by_group(workings, LEAD).set_index("group")
    code = "330"
    one = council_account(workings, code, LEAD, noise=False)
    drawn = -one.lines["council", "saving"].sum(axis=1)
    own = np.subtract(*np.quantile(drawn, [0.95, 0.05])) / drawn.mean()
    row = groups.loc["West Midlands"]
    assert (row["council_saving_upper"] - row["council_saving_lower"]) / row["council_saving_mean"] < own


def test_fifths_hold_a_fifth_of_the_children_each(workings):
    table = council_profiles(workings, LEAD)
    held = table.groupby("deprivation_fifth")["children"].sum() / table["children"].sum()
    assert set(held.index) == set(FIFTHS) and held.between(0.17, 0.23).all()
    worst = table.groupby("deprivation_fifth")["deprivation"].agg(["min", "max"]).loc[list(FIFTHS)]
    assert (worst["min"].to_numpy()[:-1] >= worst["max"].to_numpy()[1:]).all()


def test_fifths_by_hand():
    """Children 1, 3, 1: middles at 10%, 50% and 90%; one without an index belongs to none."""
    children = pd.Series([1.0, 3.0, 1.0, 9.0], index=list("abcd"))
    found = fifths(pd.Series([0.3, 0.2, 0.1, np.nan], index=list("abcd")), children)
    assert found.to_dict() == {"a": FIFTHS[0], "b": FIFTHS[2], "c": FIFTHS[4], "d": "not in the index"}


def test_every_council_of_today_has_an_index_and_those_of_a_divided_county_say_so(workings):
    table = council_profiles(workings, LEAD)
    assert table["deprivation"].notna().all()
    stands_in = table[table["deprivation_of"] != ""]
    assert set(stands_in.index) == {"940", "941", "942", "943"}
    assert (
        stands_in.loc["942", "deprivation"] == workings.inputs.authorities.loc["909", "deprivation"] == 0.138
    )
    assert table.loc["806", "deprivation"] == table["deprivation"].max() == 0.327, (
        "Middlesbrough, as published"
    )


def test_the_result_answers_for_one_council_and_for_all(workings):
    """The methods of an appraisal give the tables of its workings; one read from a folder says what to do."""
    inputs = workings.inputs
    asked = _asked(inputs, workings.baseline, workings.effects)
    found = asked["council"]("Leeds", option=LEAD, years=2)
    pd.testing.assert_frame_equal(found, council_view(workings, "Leeds", LEAD, years=2))
    result = Appraisal(
        **{f.name: None for f in dataclasses.fields(Appraisal)} | {"tables": {}, "asked": asked}
    )
    assert result.council("Leeds", years=2)["option"].tolist()[0] == LEAD
    table = result.councils()
    assert table["ons_code"].str.match(r"E\d{8}$").all() and len(table) == 153
    with pytest.raises(InputError, match="no such option"):
        result.councils("care_reveiw")
    stored = dataclasses.replace(result, asked={}, tables={"councils": table})
    assert stored.councils(table["option"].iloc[0]).equals(table)
    with pytest.raises(InputError, match="cannot be asked") as caught:
        stored.council("Leeds")
    assert "cba council NAME" in str(caught.value)


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
    with_chance = council_account(workings, "Leeds", LEAD, years=4)
    expected = council_account(workings, "Leeds", LEAD, years=4, noise=False)
    gap = with_chance.fewer[:, -1] - expected.fewer[:, -1]
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(gap.size)
    care = care_shares(workings.inputs.observations)[0]["383"]
    placed = workings.accounts[LEAD].children.fewer_by_placement[:, workings.years.index(2029)] * care
    mean_counted = np.abs(placed).sum(axis=-1).mean()
    assert gap.var() == pytest.approx(mean_counted, rel=0.6)
    np.testing.assert_array_equal(with_chance.fewer, np.rint(with_chance.fewer))


def test_a_small_council_is_relatively_less_certain(workings):
    """Rutland against Birmingham: coefficient of variation of the number in care by chance alone."""
    spread = {}
    for name in ("Rutland", "Birmingham"):
        position = council_position(workings, name)
        expected = usual_stock(workings, position, years=4, walks=False)[:, -1]
        found = usual_stock(workings, position, years=4)[:, -1]
        spread[name] = np.std((found - expected) / expected)
    assert spread["Rutland"] > 3 * spread["Birmingham"]


def test_usual_stock_starts_from_its_own_number(workings):
    position = council_position(workings, "330")
    own = float(workings.inputs.observations["stock_by_authority"].sel(authority="330", year=2024))
    assert position.stock == own == 2300.0
    national = workings.system.baseline["children"].sum("age").transpose("sample", "year").values
    stock = usual_stock(workings, position, years=2, walks=False)
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
    with pytest.raises(InputError, match="no year is asked for"):
        council_view(workings, "Leeds", LEAD, years=0)


def test_an_area_whose_children_are_not_published_is_refused_and_never_shared_out_to_others(workings):
    limited = workings.option(LEAD).model_copy(update={"areas": ("383", "999")})
    with pytest.raises(InputError, match="cannot be shared out") as caught:
        option_shares(workings, limited)
    assert "999" in str(caught.value)
    with pytest.raises(InputError, match="nobody in care"):
        option_shares(workings, limited.model_copy(update={"areas": ("420",)}))


def test_authorities_of_another_year_than_england_are_refused(workings):
    later = dataclasses.replace(
        workings,
        system=dataclasses.replace(
            workings.system, baseline=workings.system.baseline.isel(year=slice(1, None))
        ),
    )
    with pytest.raises(InputError, match="last published in different years"):
        usual_stock(later, council_position(workings, "Leeds"), years=4)


def test_a_pathfinder_programme_is_shared_by_its_areas_alone():
    w = made_workings("review_2022")
    areas = option("dfe_2023").areas
    shares = {code: council_account(w, code, "dfe_2023", years=4, noise=False) for code in areas}
    shown = slice(w.years.index(2023), w.years.index(2023) + 4)
    index = cash_index(w.years[shown], price_base=w.basis.price_base, prices=w.basis.index)
    factor = index.transpose("sample", "year").values if "sample" in index.dims else index.values
    money = sum(c.amount[:, shown] for c in w.accounts["dfe_2023"].costs if c.payer == "dfe") * factor
    found = sum(m for a in shares.values() for (payer, _), m in a.lines.items() if payer == "dfe")
    np.testing.assert_allclose(found, money, rtol=1e-9, atol=1e-3)
    with pytest.raises(InputError, match="limited to other authorities") as caught:
        council_view(w, "Leeds", "dfe_2023")
    assert "Leeds (383)" in str(caught.value) and "209" in str(caught.value)


def test_the_tables_of_an_option_of_some_areas_are_of_them_alone():
    """Its own children: money and change are divided among its areas, none is left and none is invented."""
    w = made_workings("review_2022")
    areas = option("dfe_2023").areas
    table = council_summary(w, "dfe_2023")
    assert set(table["authority"]) == set(areas)
    fewer = w.accounts["dfe_2023"].children.fewer_by_placement[:, w.target].sum(axis=-1).mean()
    assert table["fewer_mean"].sum() == pytest.approx(fewer, rel=1e-9)
    for code in (areas[0], areas[-1]):
        own = council_account(w, code, "dfe_2023", noise=False)
        grant = sum(m.sum(axis=1).mean() for (payer, _), m in own.lines.items() if payer == "dfe")
        assert table.set_index("authority").loc[code, "grant"] == pytest.approx(grant, rel=1e-9)
    groups = councils_by_group(w, "dfe_2023")
    assert (groups.groupby("grouping")["councils"].sum() == len(areas)).all()
    assert "dfe_2023" not in set(council_options(w, "Leeds")["option"])
