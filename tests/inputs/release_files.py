"""Downloaded release files as the department's harmonised layout has them, made from the tables they became."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pandas as pd

from cba.inputs.files import shipped_published_folder

_BACK = {
    "return_home_single_code": "return_home_pre2014_code",
    "secure_childrens_homes_semi_independent": "secure_childrens_homes_semi_independent_pre2024",
    "living_independently_or_employment": "other_in_community_pre2024",
}


def table(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Read a shipped table as text."""
    return pd.read_csv(
        (folder or shipped_published_folder()) / f"{name}.csv", dtype=str, keep_default_na=False
    )


def write(frame: pd.DataFrame, file: Path) -> Path:
    frame.to_csv(file, index=False, lineterminator="\n")
    return file


def stripped_to(release: int, folder: Path) -> Path:
    """Copy the shipped tables as they would have been after a release, without anything later."""
    shutil.copytree(shipped_published_folder(), folder)
    authorities = table("authorities")
    known = authorities[authorities["first_year"].astype(int) <= release].copy()
    known["last_year"] = [str(min(int(year), release)) for year in known["last_year"]]
    write(known, folder / "authorities.csv")
    for name in ("england_children", "authority_children", "care_duration", "children_in_need"):
        rows = table(name)
        known_then = rows[rows["release"].astype(int) <= release]
        if known_then.empty:  # of the one vintage held: cut by year, not by what was known
            known_then = rows[rows["year"].astype(int) <= release]
        write(known_then, folder / f"{name}.csv")
    people = table("population_england")
    write(people[people["vintage"].astype(int) <= release], folder / "population_england.csv")
    for name, year in (
        ("population_authority", "mid_year"),
        ("spending_england", "year"),
        ("unit_costs", "year"),
    ):
        rows = table(name)
        rows = rows[rows[year].astype(int) <= release - (year == "mid_year")]
        if "authority" in rows:
            rows = rows[rows["authority"].isin(known["authority"])]
        write(rows, folder / f"{name}.csv")
    councils = table("spending_authority")
    kept = councils["authority"].isin(known["authority"]) & (councils["year"].astype(int) <= release)
    write(councils[kept], folder / "spending_authority.csv")
    return folder


def england_rows(release: int) -> pd.DataFrame:
    """Rows of one release in the harmonised layout, with breakdowns beside them that the tables do not take."""
    rows = table("england_children")
    rows = rows[rows["release"] == str(release)].rename(
        columns={"breakdown": "dimension", "source": "source_id"}
    )
    special = (rows["dimension"] == "reason") & (rows["category"] == "special_guardianship")
    rows = rows.assign(
        measure=rows["measure"].replace({"sgo_orders": "sgo"}),
        category=rows["category"].replace(_BACK).where(~special, "sgo_total"),
        label_as_published="label, as printed",
    )
    total = rows[
        (rows["measure"] == "stock") & (rows["dimension"] == "total") & (rows["year"] == str(release))
    ]
    unused = [
        total.assign(dimension="sex", category="female", children="40000"),
        total.assign(dimension="placement", category="residential_plus_independent_comparable", children="9"),
    ]
    columns = "release year measure dimension category label_as_published children flag source_id".split()
    return pd.concat([rows, *unused])[columns].reset_index(drop=True)


def authority_rows(release: int) -> pd.DataFrame:
    rows = table("authority_children")
    named = table("authorities")[["authority", "authority_name", "region"]]
    rows = rows[rows["release"] == str(release)].merge(named, on="authority")
    rows = rows.rename(columns={"authority": "la_code", "authority_name": "la_name", "source": "source_id"})
    columns = "release year la_code la_name region measure children flag source_id".split()
    return rows[columns].reset_index(drop=True)


def duration_rows(release: int) -> pd.DataFrame:
    rows = table("care_duration")
    rows = rows[rows["release"] == str(release)].rename(columns={"source": "source_id"})
    rows = rows.assign(label_as_published="Average duration", flag="")
    return rows["release year measure label_as_published days flag source_id".split()].reset_index(drop=True)


def needs_rows(release: int) -> pd.DataFrame:
    rows = table("children_in_need")
    return (
        rows[rows["release"] == str(release)].rename(columns={"source": "source_id"}).reset_index(drop=True)
    )


def population_rows(first: int, last: int) -> pd.DataFrame:
    rows = table("population_england")
    vintage = rows["vintage"].astype(int)
    rows = rows[(vintage >= first) & (vintage <= last)].rename(columns={"source": "source_id"})
    return rows["mid_year age_band population kind vintage source_id".split()].reset_index(drop=True)


def release_files(release: int, folder: Path) -> list[Path]:
    """Write the children-looked-after files of one release."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write(england_rows(release), folder / f"england_{release}.csv"),
        write(authority_rows(release), folder / f"authorities_{release}.csv"),
        write(duration_rows(release), folder / f"durations_{release}.csv"),
    ]


def rest_files(release: int, folder: Path) -> list[Path]:
    """Write what came out beside a release: population, spending, unit costs, need, and authorities."""
    folder.mkdir(parents=True, exist_ok=True)
    named = table("authorities")
    standing = set(named.loc[named["first_year"].astype(int) <= release, "authority"])
    last = 2100 if release == 2024 else release
    files = [write(population_rows(release, last), folder / "population_england.csv")]
    for name, year in (
        ("population_authority", "mid_year"),
        ("spending_england", "year"),
        ("spending_authority", "year"),
        ("unit_costs", "year"),
    ):
        rows = table(name)
        rows = rows[rows[year].astype(int) <= release - (year == "mid_year")]
        if "authority" in rows:
            rows = rows[rows["authority"].isin(standing)]
        files.append(write(rows, folder / f"{name}.csv"))
    if release == 2024:
        files += [
            write(needs_rows(2024), folder / "needs_2024.csv"),
            write(named, folder / "authorities.csv"),
        ]
    return files


def removable(folder: Path) -> None:
    """Let a store of read-only snapshots be deleted again."""
    for place in [folder, *folder.rglob("*")]:
        place.chmod(place.stat().st_mode | stat.S_IWUSR)
