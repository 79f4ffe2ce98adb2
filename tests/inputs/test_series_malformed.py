"""One malformed table per mistake: each is refused, and the message says where, what, why and what next."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cba.errors import GateError, InputError
from cba.inputs.observations import load_observations
from cba.inputs.reconciliation import check_reconciliation
from cba.inputs.releases.arrival_rules import refuse_lacking
from cba.inputs.table_words import TABLES
from cba.inputs.tables import PUBLISHED, read_table

MALFORMED = Path(__file__).parent / "malformed_series"

# file -> (what is wrong, field, found, what the message must offer)
REFUSED = {
    "england_children__year_gap": ("a year is missing from a series", "column year", "year=2023", "restore"),
    "england_children__duplicated_key": (
        "a key occurs twice",
        "release+measure",
        "year=2022",
        "keep the row",
    ),
    "england_children__negative_count": ("negative", "column children", "-82090", "published counts"),
    "england_children__nan_text": ("not a number", "column children", "'NaN'", "leave the cell empty"),
    "england_children__empty_without_flag": ("empty without a reason", "column children", "nan", "`flag`"),
    "england_children__withheld_and_given": ("withheld and yet given", "column children", "82090", "`flag`"),
    "england_children__unknown_age_band": ("unknown category or age band", "category", "16_17", "16_plus"),
    "england_children__unknown_measure": ("an unknown word", "column measure", "stocks", "uasc_stock"),
    "england_children__missing_column": ("a column is missing", "column children", "thousand_", "convert"),
    "england_children__cut_mid_row": ("cut off", "row 31", "2024,2024,stock,to", "fetch the file again"),
    "england_children__short_row": ("fewer cells than the header", "row 31", "6 cells", "restore the row"),
    "england_children__cut_between_rows": (
        "no stock for its own year",
        "release",
        "2024",
        "restore the miss",
    ),
    "england_children__release_2020": ("no such release", "column release", "release 2020", "2010 to 2019"),
    "england_children__year_after_release": ("no such release", "release", "year 2025", "take the release"),
    "england_children__unknown_source": ("not in sources.csv", "column source", "S99", "add the source"),
    "england_children__fractional_count": (
        "not a whole number",
        "column children",
        "82.09",
        "published count",
    ),
    "authority_children__unknown_authority": ("authority code", "authority", "E08000035", "three-digit code"),
    "spending_england__negative_money": ("negative", "column gbp_million", "-6127.41", "gross expenditure"),
    "spending_england__in_pounds": ("wrong unit", "column gbp_million", "6127410000", "GBP million"),
    "spending_england__real_prices": ("an unknown word", "column price_basis", "2021-22 prices", "cash"),
    "unit_costs__yearly_cost": ("too large", "column gbp_per_child_week", "353300", "convert to the unit"),
    "gdp_deflator__other_base_year": ("not 100 in its base year", "column deflator", "112.647", "divide by"),
    "gdp_deflator__year_gap": ("a year is missing", "column year", "year=2017", "restore the missing row"),
    "population_england__in_thousands": ("too small", "column population", "11999", "convert to the unit"),
    "population_england__financial_year": ("not a whole number", "mid_year", "'2023-24'", "restore"),
    "care_duration__extra_column": ("not part of the table", "column label", "label", "remove the column"),
    "care_duration__stray_comma": ("more cells than the header", "row 6", "6 cells", "quote the text"),
    "children_in_need__not_text": ("cannot be read as text", "children_in_need", "codec", "fetch the file"),
    "sources__empty": ("holds no rows", "sources.csv", "1 line(s)", "restore the file"),
    "authorities__duplicated_code": ("a key occurs twice", "authority", "authority=203", "keep the row"),
}

# file -> (failed comparison, figure found, figure required, file to look at)
UNRECONCILED = {
    "england_children__ages_not_summing": ("stock_by_age", "86,330", "83,630", "england_children.csv"),
    "authority_children__not_summing_to_england": (
        "stock_by_authority",
        "84,028",
        "83,630",
        "authority_children",
    ),
}


@pytest.fixture
def folder_with(tmp_path):
    """Give a copy of the shipped tables in which one is replaced by a malformed one."""

    def build(name: str) -> Path:
        folder = tmp_path / "published"
        shutil.copytree(PUBLISHED, folder)
        shutil.copy(MALFORMED / f"{name}.csv", folder / f"{name.split('__')[0]}.csv")
        return folder

    return build


def test_every_malformed_file_has_a_test():
    """A file nobody reads would pass for a case covered."""
    assert {file.stem for file in MALFORMED.iterdir()} == set(REFUSED) | set(UNRECONCILED)


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_and_says_what_to_do(name, folder_with):
    """File, field, problem, what was found and the next step all stand in the message."""
    folder = folder_with(name)
    with pytest.raises(InputError) as refusal:
        load_observations(path=folder)
    message = str(refusal.value)
    problem, field, found, offered = REFUSED[name]
    assert str(folder / f"{name.split('__')[0]}.csv") in message
    for part in (problem, field, found, offered, "allowed:", "usual cause:", "next step:"):
        assert part in message, f"{part!r} is not in:\n{message}"
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("name", UNRECONCILED)
def test_gate_names_the_sum_that_fails(name, folder_with):
    """Well-formed tables whose figures contradict each other load, and are stopped at the gate."""
    observations = load_observations(path=folder_with(name))
    with pytest.raises(GateError) as refusal:
        check_reconciliation(observations)
    message = str(refusal.value)
    check, found, required, file = UNRECONCILED[name]
    for part in (check, "year 2024", found, required, file, "usual cause", "next step"):
        assert part in message, f"{part!r} is not in:\n{message}"
    assert refusal.value.exit_code == 3


def test_closure_outside_its_limits_is_stopped():
    """Starts of one year typed with a digit too many leave a residual no release ever printed."""
    observations = load_observations()
    observations["starts"].loc[{"year": 2003}] *= 10
    with pytest.raises(GateError, match="closure residual between 0 and 2,000, year 2003"):
        check_reconciliation(observations)


def test_missing_table_is_named(tmp_path):
    """A folder without one of the tables is refused by the name of the table."""
    folder = tmp_path / "published"
    shutil.copytree(PUBLISHED, folder)
    (folder / "unit_costs.csv").unlink()
    with pytest.raises(InputError) as refusal:
        load_observations(path=folder)
    for part in ("a published table is missing", str(folder / "unit_costs.csv"), "copy unit_costs.csv"):
        assert part in str(refusal.value)


@pytest.mark.parametrize("release", [2009, 2020, 2025])
def test_unknown_release_lists_those_that_exist(release):
    """Release 2020 does not exist; neither does one before the series or one not out yet."""
    with pytest.raises(InputError) as refusal:
        load_observations(release=release)
    message = str(refusal.value)
    for part in (
        f"there is no release {release}",
        "england_children.csv",
        "field: release",
        "2018, 2019, 2021, 2022",
    ):
        assert part in message
    assert "next step:" in message


def edited(folder: Path, table: str, change: Callable[[list[str]], list[str]]) -> Path:
    """A copy of the shipped tables with the lines of one of them changed."""
    shutil.copytree(PUBLISHED, folder)
    file = folder / f"{table}.csv"
    file.write_text("".join(change(file.read_text(encoding="utf-8").splitlines(True))), encoding="utf-8")
    return folder


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("kind", "problem", "field"),
    [
        ("header alone", "holds no rows", None),
        ("a cell too many in the first row", "more cells", "row 2"),
        ("a cell too few in the last row", "fewer cells", "row"),
    ],
)
def test_a_table_without_rows_or_with_uneven_ones_is_refused(table, kind, problem, field, tmp_path):
    """One cell too many in the first row makes pandas shift the columns; one too few is filled with nothing."""
    changes = {
        "header alone": lambda lines: lines[:1],
        "a cell too many in the first row": lambda lines: [lines[0], f"1,{lines[1]}", *lines[2:]],
        "a cell too few in the last row": lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + "\n"],
    }
    folder = edited(tmp_path / "x", table, changes[kind])
    with pytest.raises(InputError, match=problem) as refused:
        read_table(table, folder=folder)
    said = refused.value.details
    assert said["file"] == str(folder / f"{table}.csv") and said["next step"]
    assert field is None or field in said["field"]


def replaced(start: str, old: str, new: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        at = next(i for i, line in enumerate(lines) if line.startswith(start))
        assert old in lines[at]
        return [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]

    return change


@pytest.mark.parametrize(
    ("table", "start", "old", "new", "problem"),
    [
        ("unit_costs", "england,England,residential_care,2024,", "6775", "67750", "another unit"),
        ("england_children", "2024,2024,stock,total,", "83630", "836300", "another unit|too large"),
        ("gdp_deflator", "2010,", "70.458", "170.458", "does not grow"),
        ("gdp_deflator", "2031,", "117.793", "117.939", "does not grow"),
        ("sources", "S01,", "https://", "javascript:", "no web address"),
        ("sources", "S01,", "Department", "Depart\u200bment", "cannot see"),
        ("authorities", "202,", "Camden", "   ", "empty"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(table, start, old, new, problem, tmp_path):
    folder = edited(tmp_path / "x", table, replaced(start, old, new))
    with pytest.raises(InputError, match=problem) as refused:
        read_table(table, folder=folder)
    assert str(folder / f"{table}.csv") == refused.value.details["file"]
    assert refused.value.details["field"] and refused.value.details["next step"]


def test_check_refuses_a_newest_release_that_an_update_would_refuse(tmp_path):
    """A category lost from the newest release: the rule of arrivals holds for tables edited by hand too."""
    folder = edited(
        tmp_path / "x",
        "england_children",
        lambda lines: [
            line for line in lines if not line.startswith("2024,2024,stock,placement,foster_other")
        ],
    )
    with pytest.raises(InputError, match="release 2024 lacks") as refused:
        refuse_lacking(folder)
    assert str(folder) in str(refused.value.details["file"])
    refuse_lacking(PUBLISHED)


def test_a_release_whose_sums_can_no_longer_be_checked_is_refused_as_an_update_refuses_it(tmp_path):
    """Every row is there, and a figure that used to be printed is withheld: nothing says what the parts come to."""
    folder = edited(
        tmp_path / "x",
        "england_children",
        lambda lines: [
            line.replace(",3730,,", ",,suppressed,")
            if line.startswith("2024,2024,stock,age,under_1,")
            else line
            for line in lines
        ],
    )
    with pytest.raises(InputError, match="a sum of release 2024 can no longer be checked") as refused:
        refuse_lacking(folder)
    assert refused.value.details["file"] == str(folder / "england_children.csv")
    assert "stock_by_age" in refused.value.details["found"]
