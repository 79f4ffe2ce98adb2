"""The observed series against published figures, raw rows read another way, and each other."""

import csv
import json
import shutil

import numpy as np
import pytest
import xarray as xr

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.inputs.files import published_folder
from cba.inputs.observations import load_authorities, load_observations, load_programme_rollout
from cba.inputs.reconciliation import check_reconciliation, closure_residual, reconcile
from cba.inputs.table_words import TABLES
from cba.inputs.tables import PUBLISHED

RELEASES = [*range(2010, 2020), *range(2021, 2025)]


@pytest.fixture(scope="module")
def newest():
    return load_observations()


@pytest.fixture(scope="module")
def by_release():
    return {release: load_observations(release=release) for release in RELEASES}


def rows(table):
    """Rows of a shipped table through the csv module, so that pandas is not tested with pandas."""
    with (PUBLISHED / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def best_known(release, **wanted):
    """Value of the latest release not after the one given, by a plain loop; NaN where withheld."""
    found = [
        (int(row["release"]), row["children"])
        for row in rows("england_children")
        if int(row["release"]) <= release and all(row[name] == str(value) for name, value in wanted.items())
    ]
    return float(max(found)[1] or "nan")


@pytest.mark.parametrize(
    "variable, year, published",
    [
        ("stock", 2024, 83_630),  # Children looked after in England, November 2024, headline
        ("stock", 1994, 47_590),
        ("starts", 2024, 33_050),
        ("ceases", 2024, 33_620),
        ("uasc_stock", 2024, 7_380),
        ("uasc_starts", 2024, 7_270),
        ("sgo_orders", 2024, 3_860),
        ("cao_orders", 2024, 1_150),
        ("adoptions", 2024, 2_980),
        ("adoptions", 2015, 5_360),
        ("mean_days_in_care", 2024, 864),
        ("population_0_17", 2024, 11_998_646),
    ],
)
def test_headline_figures(newest, variable, year, published):
    """Figures printed in the release of November 2024."""
    assert float(newest[variable].sel(year=year)) == published


def test_duration_of_ceases_is_under_a_year_for_47_percent(newest):
    """47% of 2023-24 exits ended a stay of under a year: (2,520+2,400+4,660+6,320) / 33,620."""
    short = newest["duration_upper_years"] <= 1
    share = newest["ceases_by_duration"].sel(year=2024)[short.values].sum() / newest["ceases"].sel(year=2024)
    assert float(share) == pytest.approx(0.473, abs=0.0005)


def test_stay_bands_follow_each_other(newest):
    """Bands run from birth to 18 without a gap or an overlap."""
    lower, upper = newest["duration_lower_years"].values, newest["duration_upper_years"].values
    assert lower[0] == 0 and upper[-1] == 18
    np.testing.assert_array_equal(lower[1:], upper[:-1])


@pytest.mark.parametrize("release", RELEASES)
def test_each_figure_is_the_latest_known_in_the_release(by_release, release):
    """The rule redone row by row without pandas, for totals, an age band and a length of stay."""
    observations = by_release[release]
    assert int(observations["year"].max()) == release == observations.attrs["release"]
    for year in {release, release - 3, 2010}:
        total = {"breakdown": "total", "category": "total", "year": year}
        assert float(observations["stock"].sel(year=year)) == best_known(release, measure="stock", **total)
        age = {"breakdown": "age", "category": "10_15", "year": year}
        found = float(observations["stock_by_age"].sel(year=year, age="10_15"))
        if year >= 2010:
            assert found == best_known(release, measure="stock", **age)
        else:
            assert np.isnan(found)


def test_first_revisions_of_the_stock():
    """SFR revisions: 80,850 to 80,780; 82,170 to 82,080; 83,840 to 83,760."""
    for release, first, then in [(2021, 80_850, 80_780), (2022, 82_170, 82_080), (2023, 83_840, 83_760)]:
        later = {2021: 2022, 2022: 2023, 2023: 2024}[release]
        assert float(load_observations(release=release)["stock"].sel(year=release)) == first
        assert float(load_observations(release=later)["stock"].sel(year=release)) == then


def test_release_without_flows_takes_them_from_earlier_ones(by_release):
    """Release 2019 printed no starts or ceases: those of 2018 stand, those of 2019 are missing."""
    then = by_release[2019]
    assert float(then["stock"].sel(year=2019)) == 78_150
    assert np.isnan(then["starts"].sel(year=2019)) and np.isnan(then["ceases"].sel(year=2019))
    assert float(then["starts"].sel(year=2018)) == float(by_release[2018]["starts"].sel(year=2018))


def test_error_of_2015_is_not_shown_as_a_figure(by_release):
    """2,030 unaccompanied children in 2015 contradicts its own authorities (2,515 and more): left missing."""
    for release in (2015, 2016, 2017):
        assert np.isnan(by_release[release]["uasc_stock"].sel(year=2015))
        assert np.isnan(by_release[release]["uasc_stock_by_authority_total"].sel(year=2015))
    assert float(by_release[2024]["uasc_stock"].sel(year=2015)) == 2_760


def test_unaccompanied_starts_only_where_published(by_release):
    """Starts of unaccompanied children are printed from 2019, in releases 2023 and 2024 only."""
    assert by_release[2022]["uasc_starts"].isnull().all()
    known = by_release[2024]["uasc_starts"].dropna("year")["year"].values
    np.testing.assert_array_equal(known, np.arange(2019, 2025))


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_reconciles(by_release, release):
    """Parts, flows and authorities agree within rounding in every release."""
    check_reconciliation(by_release[release])


def test_reconciliation_looks_at_every_kind_of_sum(newest):
    """A gate that compares nothing would pass everything: count the comparisons."""
    counted = reconcile(newest).groupby("check").size()
    assert counted["stock_by_age sums to the total"] == 15  # 2010 to 2024
    assert counted["closure residual between 0 and 2,000"] == 30  # 1995 to 2024
    assert counted["ceases_by_duration sums to the total"] == 12  # 2006-2010, 2018-2024
    assert counted["stock_by_placement sums to the total"] == 7  # 2018 to 2024
    assert counted["uasc_starts and non_uasc_starts sum to starts"] == 6
    assert counted["stock_by_authority sums to England"] == 19  # 2006 to 2024


def test_closure_residual_as_published(newest):
    """Change in stock less net starts: +800 to +1,920 to 2005, +420 to +890 since, +420 to +440 from 2021."""
    residual = closure_residual(newest)
    recent = residual.sel(year=slice(2006, None))
    assert (float(recent.min()), float(recent.max())) == (420, 890)
    latest = residual.sel(year=slice(2021, None))
    assert (float(latest.min()), float(latest.max())) == (420, 440)
    early = residual.sel(year=slice(1995, 2005))
    assert (float(early.min()), float(early.max())) == (800, 1_920)


def test_placements_bridge_the_recode_of_2023_24(newest):
    """Supported accommodation and `other` together: 9,800 then 10,040; apart they jump by thousands."""
    stock = newest["stock_by_placement"]
    assert list(stock["placement"].values) == list(PLACEMENTS)
    np.testing.assert_array_equal(stock.dropna("year")["year"].values, np.arange(2018, 2025))
    bridged = stock.sel(placement="supported_accommodation")
    assert float(bridged.sel(year=2023)) == 8_650 + 1_150 and float(bridged.sel(year=2024)) == 6_250 + 3_790
    apart = newest["stock_by_placement_published"].sel(placement_published="other")
    assert float(apart.sel(year=2024) - apart.sel(year=2023)) == 2_640


@pytest.mark.parametrize("measure", ["stock", "starts", "ceases"])
def test_placements_sum_to_the_total(newest, measure):
    """Eight placements rest on at most eleven printed cells, so they miss the total by 60 at most."""
    gap = newest[f"{measure}_by_placement"].sum("placement", skipna=False) - newest[measure]
    assert float(np.abs(gap.dropna("year")).max()) <= 60
    assert gap.notnull().sum() >= 6


def test_foster_split_keeps_the_published_groups(newest):
    """In-house and agency make up the published group; agency is its share of all fostering by provider."""
    stock = newest["stock_by_placement"].sel(year=2024)
    published = newest["stock_by_placement_published"].sel(year=2024)
    split = stock.sel(placement=["foster_in_house", "foster_agency"]).sum()
    assert float(split) == pytest.approx(42_740)
    share = (17_900 + 4_630) / (33_580 + 290 + 0 + 17_900 + 4_630)  # providers of foster placements, 2024
    agency = float(stock.sel(placement="foster_agency"))
    assert agency == pytest.approx(share * float(published.sel(placement_published="foster_all")))
    starts = newest["starts_by_placement"].sel(year=2024)
    ratio = float(starts.sel(placement="foster_agency") / starts.sel(placement="foster_in_house"))
    assert ratio == pytest.approx(agency / float(stock.sel(placement="foster_in_house")))


def test_withheld_sum_is_rebuilt_from_its_group(by_release):
    """Release 2022 withheld secure homes in starts of 2022: the wider group less semi-independent is used."""
    then = by_release[2022]
    groups = then["starts_by_placement_published"].sel(year=2022)
    assert np.isnan(groups.sel(placement_published="secure_and_childrens_homes"))
    rebuilt = groups.sel(placement_published="secure_childrens_homes_semi_independent") - groups.sel(
        placement_published="semi_independent_unregulated"
    )
    homes = then["starts_by_placement"].sel(year=2022, placement="childrens_home")
    assert float(homes) == float(rebuilt) == pytest.approx(1_290, abs=30)  # 1,290 once printed, release 2024


def test_population_has_no_step_from_the_census(by_release):
    """Levels printed side by side fall 2.6% in mid-2021; no spliced year moves more than 1.2%."""
    for release in (2018, 2019, 2021, 2022, 2023, 2024):
        people = by_release[release]["population_0_17"].dropna("year")
        growth = people / people.shift(year=1) - 1
        assert float(np.abs(growth).max()) < 0.012, release
        np.testing.assert_array_equal(people["year"].values, np.arange(2010, release + 1))


def test_population_level_is_the_newest_estimate_known(by_release):
    """Mid-2020 was 12,093,290 in release 2021; mid-2021 11,774,610 in 2022; mid-2023 11,998,646 in 2024."""
    for release, year, level in [
        (2021, 2021, 12_093_290),
        (2022, 2022, 11_774_610),
        (2024, 2024, 11_998_646),
    ]:
        assert float(by_release[release]["population_0_17"].sel(year=year)) == level
    # growth inside the vintage, not its own older level: mid-2020 / mid-2019 of vintages up to 2022
    people = by_release[2022]["population_0_17"]
    assert float(people.sel(year=2021) / people.sel(year=2020)) == pytest.approx(12_093_290 / 12_023_570)


def test_rebased_population_of_2013_to_2018_is_that_of_the_release(by_release):
    """The 2025 copy repeats mid-2018 to mid-2021 of releases 2023 and 2024; its earlier years are theirs."""
    copy = {
        int(row["mid_year"]): float(row["population"])
        for row in rows("population_england")
        if row["kind"] == "estimate" and row["age_band"] == "0_17" and row["vintage"] == "2025"
    }
    for release in (2023, 2024):
        people = by_release[release]["population_0_17"]
        for mid_year in range(2012, 2022):
            assert float(people.sel(year=mid_year + 1)) == pytest.approx(copy[mid_year])


def test_projection_joins_the_last_estimate_and_keeps_its_own_growth(newest):
    """Moved from 11,922,600 to 11,998,646 in mid-2023; growth is that of the single years, summed here."""
    ahead = newest["population_projection"]
    sums: dict[int, float] = {}
    for row in rows("population_england"):
        if row["kind"] == "projection":
            sums[int(row["mid_year"])] = sums.get(int(row["mid_year"]), 0.0) + float(row["population"])
    assert sums[2023] == 11_922_600
    assert float(ahead.sel(population_year=2024)) == pytest.approx(11_998_646)
    for year in (2025, 2032, 2053):
        expected = 11_998_646 * sums[year - 1] / sums[2023]
        assert float(ahead.sel(population_year=year)) == pytest.approx(expected)


def test_single_vintage_inputs_are_cut_and_named(by_release):
    """In an older frame the deflator ends a year after the release and each exception is named."""
    for release in (2015, 2021, 2023):
        observations = by_release[release]
        assert int(observations["deflator_year"].max()) == release + 1
        assert observations["population_projection"].isnull().all()
        sentences = json.loads(observations.attrs["single_vintage_exceptions"])
        for variable in (
            "gdp_deflator",
            "spending",
            "unit_cost_weekly",
            "population_projection",
            "population_0_17",
        ):
            assert any(sentence.startswith(variable) for sentence in sentences), (release, variable)
        assert observations["spending"].sizes["year"] == release - 1993


def test_deflator_is_chained_from_its_published_growth(newest):
    """Index 2023-24 = 100, each year the growth rate on the year before, to the three decimals printed."""
    growth = {int(row["year"]): float(row["growth_percent"]) for row in rows("gdp_deflator")}
    index = newest["gdp_deflator"]
    assert float(index.sel(deflator_year=2024)) == 100
    for year in range(2010, 2032):
        grown = float(index.sel(deflator_year=year - 1)) * (1 + growth[year] / 100)
        assert float(index.sel(deflator_year=year)) == pytest.approx(grown, abs=0.002)
    assert str(index.sel(deflator_year=2025)["deflator_status"].values) == "forecast"


def test_system_cost_as_published(newest):
    """Looked-after children, safeguarding, family support: GBP 10.5bn in 2021-22, 13.3bn in 2023-24, cash."""
    lines = ["total_cla", "total_safeguarding", "total_family_support"]
    total = newest["spending"].sel(line=lines).sum("line")
    assert float(total.sel(year=2022)) / 1000 == pytest.approx(10.5, abs=0.05)
    assert float(total.sel(year=2024)) / 1000 == pytest.approx(13.3, abs=0.05)


def test_unit_costs_as_published(newest):
    """Residential 6,775 and fostering 720 pounds a week in 2023-24; cla_all is spending / stock / 365 x 7."""
    costs = newest["unit_cost_weekly"].sel(year=2024)
    assert (
        float(costs.sel(service="residential_care")) == 6_775 and float(costs.sel(service="fostering")) == 720
    )
    spent = float(newest["spending"].sel(year=2024, line="total_cla")) * 1e6
    weekly = spent / float(newest["stock"].sel(year=2024)) / 365 * 7
    assert float(costs.sel(service="cla_all")) == pytest.approx(weekly, abs=5)


def test_authorities_carry_names_regions_and_their_years(newest):
    """Codes are text; an authority that did not exist in a year has no figure for it."""
    stock = newest["stock_by_authority"]
    leeds = stock.sel(authority="383")
    assert str(leeds["authority_name"].values) == "Leeds" and float(leeds.sel(year=2024)) == 1_549
    assert stock.sel(authority="909", year=2024).isnull() and stock.sel(authority="909", year=2023).notnull()
    for name, dims in [
        ("spending_by_authority", {"authority", "year", "line"}),
        ("population_by_authority", None),
    ]:
        assert set(newest[name].dims) == (dims or {"authority", "year"})
    people = newest["population_by_authority"].sum("authority").sel(year=slice(2020, 2024))
    np.testing.assert_array_equal(
        people.values, newest["population_0_17"].sel(year=slice(2020, 2024)).round().values
    )


@pytest.mark.parametrize("release", [2010, 2016, 2024])
def test_every_variable_says_what_it_is(by_release, release):
    """float64, with units, a source with its key and a long name; ages and years are those of the project."""
    observations = by_release[release]
    assert isinstance(observations, xr.Dataset)
    assert list(observations["age"].values) == list(AGE_BANDS)
    assert "Open Government Licence v3.0" in observations.attrs["licence"]
    for name, array in observations.data_vars.items():
        assert array.dtype == np.float64, name
        assert array.attrs["units"] and array.attrs["long_name"], name
        assert "[S" in array.attrs["source"], name
    assert observations["stock_by_age"].sel(year=slice(None, 2009)).isnull().all()


def test_another_folder_of_the_same_layout_gives_the_same(newest, tmp_path):
    """Tables copied elsewhere are read from there."""
    for file in PUBLISHED.glob("*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    xr.testing.assert_identical(load_observations(path=tmp_path), newest)


def test_shipped_tables_name_their_sources_and_stay_small():
    """Each row carries a key of sources.csv, each source is used, no table is above a megabyte."""
    known = {row["source"] for row in rows("sources")}
    used = set()
    for name in TABLES:
        if name != "sources":
            used |= {row["source"] for row in rows(name)}
        assert (PUBLISHED / f"{name}.csv").stat().st_size < 1_000_000, name
    assert used == known
    for row in rows("sources"):
        assert all(row[column] for column in ("title", "publisher", "licence", "date", "address"))


def test_programme_rollout_names_known_authorities():
    """Ten pathfinder authorities in two waves; dates are a year, a month, a day or nothing."""
    rollout = load_programme_rollout()
    pathfinder = rollout[rollout["programme"] == "Families First for Children pathfinder"]
    assert sorted(pathfinder["role"].value_counts().to_dict().items()) == [("wave 1", 3), ("wave 2", 7)]
    assert rollout["date"].dropna().str.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?").all()


def test_authorities_of_a_snapshot_made_before_the_index_are_not_in_it(tmp_path):
    before = shutil.copytree(published_folder(), tmp_path / "published")
    (before / "deprivation.csv").unlink()
    found, now = load_authorities(before), load_authorities()
    assert found["deprivation"].isna().all() and list(found.columns) == list(now.columns)
    assert found["authority_name"].equals(now["authority_name"]) and now["deprivation"].notna().sum() == 155
