"""Scoring on arrival: right outturns, scored once, revisions labelled, a record that is never edited."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.inputs.observations import load_observations
from cba.runs.forecasts import (
    COLUMNS,
    FORECASTS,
    SCORES,
    Score,
    arrival_record,
    not_scored,
    ordinal,
    outturn_of,
    read_scores,
    score_arrival,
    score_sentences,
)
from cba.runs.store import write_run
from cba.tables.children import POINTS, QUANTILES, forecast_table, quantile_rows

YEARS = (2024, 2025)


def observed(release: int = 2024, **changed: float) -> xr.Dataset:
    """A release with stock, starts and ceases of 2022 to its year; `stock_2024=` and the like change a figure."""
    years = list(range(2022, release + 1))
    stock = {2022: 82_000.0, 2023: 83_800.0, 2024: 83_600.0, 2025: 82_000.0}
    data = {
        "stock": ("year", [changed.get(f"stock_{y}", stock[y]) for y in years]),
        "starts": ("year", [33_000.0] * len(years)),
        "ceases": ("year", [32_000.0] * len(years)),
        "stock_by_age": (("year", "age"), np.full((len(years), 5), 16_000.0)),
    }
    return xr.Dataset(data, coords={"year": years, "age": list(AGE_BANDS)}, attrs={"release": release})


def stored(root: Path, *, release: int = 2023, day: int = 1, spread: float = 1_000.0):
    """A run with forecasts of 2024 and 2025: normal around the figures of 2023."""
    rng = np.random.default_rng(day)
    draws = {}
    for year in YEARS:
        for quantity, level in (("stock", 84_000.0), ("starts", 33_000.0), ("ceases", 32_000.0)):
            draws[quantity, "all", year] = level + spread * rng.standard_normal(4_000)
        draws |= {("stock", age, year): 16_000.0 + 100 * rng.standard_normal(4_000) for age in AGE_BANDS}
    table = quantile_rows(draws)
    table.insert(0, "stance", "evidence")

    def fill(folder: Path, name: str) -> None:
        (folder / "tables").mkdir()
        other = table.assign(stance="sceptical", **{q: 0.0 for q in QUANTILES})
        pd.concat([other, table]).to_csv(folder / FORECASTS, index=False, lineterminator="\n")

    return write_run(
        root,
        analysis="small",
        moment=datetime(2024, 1, day, tzinfo=UTC),
        fingerprint="0123abcd",
        manifest={"settings": {"release": release}, "stances": ["evidence", "sceptical"]},
        fill=fill,
    )


def test_the_new_figure_is_scored_where_it_fell(tmp_path):
    stored(tmp_path)
    added = score_arrival(tmp_path, "small", observed())
    assert {(s.quantity, s.age, s.year) for s in added} == {
        ("stock", "all", 2024),
        ("starts", "all", 2024),
        ("ceases", "all", 2024),
        *(("stock", age, 2024) for age in AGE_BANDS),
    }
    total = next(s for s in added if (s.quantity, s.age) == ("stock", "all"))
    # 83,600 under N(84,000, 1,000): percentile of -0.4 standard deviations, CRPS of a normal forecast in closed form
    assert total.percentile == pytest.approx(0.3446, abs=0.02)
    assert total.crps == pytest.approx(1_000.0 * 0.2974, rel=0.05)
    assert (total.horizon, total.made_from, total.release) == (1, 2023, 2024)
    assert (total.inside_50, total.inside_80, total.inside_90, total.revised) == (True, True, True, False)


def test_nothing_is_scored_twice(tmp_path):
    stored(tmp_path)
    first = score_arrival(tmp_path, "small", observed())
    text = (tmp_path / "small" / SCORES).read_bytes()
    assert first and score_arrival(tmp_path, "small", observed()) == []
    assert (tmp_path / "small" / SCORES).read_bytes() == text
    assert read_scores(tmp_path, "small") == first


def test_a_revised_figure_is_scored_again_and_labelled_and_an_unchanged_one_is_not(tmp_path):
    stored(tmp_path)
    first = score_arrival(tmp_path, "small", observed())
    later = score_arrival(tmp_path, "small", observed(2025, stock_2024=83_500.0))
    of_2024 = [s for s in later if s.year == 2024]
    assert [(s.quantity, s.age, s.outturn, s.revised) for s in of_2024] == [("stock", "all", 83_500.0, True)]
    assert {s.horizon for s in later if s.year == 2025} == {2} and not any(
        s.revised for s in later if s.year == 2025
    )
    record = read_scores(tmp_path, "small")
    assert record == [*first, *later], "rows are added, never changed"


def test_runs_of_the_same_release_have_no_outturn_yet(tmp_path):
    stored(tmp_path, release=2024)
    assert score_arrival(tmp_path, "small", observed()) == []
    assert (
        "no run of small was made from a release before 2024" in not_scored(tmp_path, "small", observed())[0]
    )
    assert not (tmp_path / "small" / SCORES).exists()


def test_a_run_that_foretold_no_year_of_the_release_is_named(tmp_path):
    run = stored(tmp_path, release=2021)
    observations = observed(2023)
    assert score_arrival(tmp_path, "small", observations) == []
    assert run.name in not_scored(tmp_path, "small", observations)[0]


def test_outturns_are_the_published_figures():
    known = load_observations(2024)
    assert outturn_of(known, ("stock", "all", 2024)) == 83_630.0
    assert outturn_of(known, ("starts", "all", 2024)) == float(known["starts"].sel(year=2024))
    assert outturn_of(known, ("stock", "16_plus", 2024)) == float(
        known["stock_by_age"].sel(year=2024, age="16_plus")
    )
    assert outturn_of(known, ("stock", "all", 2025)) is None
    assert outturn_of(known, ("adoptions", "all", 2024)) is None


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [(",True,", ",maybe,", "inside_50"), (",2024,", ",soon,", "release"), ("outturn", "figure", "outturn")],
)
def test_a_record_edited_by_hand_is_refused_and_left_as_it_is(tmp_path, old, new, column):
    stored(tmp_path, spread=10_000.0)
    score_arrival(tmp_path, "small", observed())
    file = tmp_path / "small" / SCORES
    edited = file.read_text(encoding="utf-8").replace(old, new, 1)
    file.write_text(edited, encoding="utf-8")
    with pytest.raises(InputError, match="not what was written") as refused:
        score_arrival(tmp_path, "small", observed(2025))
    assert refused.value.details["file"] == str(file)
    assert refused.value.details["field"] == f"row 2, column {column}"
    assert file.read_text(encoding="utf-8") == edited


def test_a_forecast_table_is_the_draws_of_business_as_usual():
    from tests.appraisal.made_workings import made_workings

    workings = made_workings()
    table = forecast_table(workings).set_index(["quantity", "age", "year"])
    first = int(workings.system.years[0])
    assert len(table) == 5 * (3 + len(AGE_BANDS))
    usual = workings.arrays.children.sel(option="bau", year=first)
    assert table.loc[("stock", "all", first), "mean"] == pytest.approx(float(usual.sum("age").mean()))
    kept = table.loc[("stock", "under_1", first), list(QUANTILES)].to_numpy(dtype=float)
    draws = usual.sel(age="under_1").values
    assert kept == pytest.approx(np.quantile(draws, (np.arange(POINTS) + 0.5) / POINTS))
    starts, ceases = (table.loc[(name, "all", first), "mean"] for name in ("starts", "ceases"))
    last = float(workings.inputs.observations["stock"].isel(year=-1))
    closure = float(workings.system.baseline["closure"].sel(year=first).mean())
    stock = table.loc[("stock", "all", first), "mean"]
    assert stock - last == pytest.approx(starts - ceases + closure, abs=20), (
        "the published stock is rounded to 10"
    )


ONE = Score("a", 2023, 2024, "stock", "all", 2024, 1, 83_630.0, 84_912.0, 900.0, 0.12, False, True, True)


def test_words_say_where_the_figure_fell():
    told = score_sentences([ONE])
    assert told == [
        "Children looked after at 31 March 2024: the new figure, 83,630, fell at the 12th percentile of last year's"
        " forecast (median 84,900)."
    ]
    far = replace(ONE, horizon=2, percentile=0.999, inside_90=False)
    assert "the highest percentile of the forecast made 2 years before" in score_sentences([far])[0]
    assert "outside its 90% interval" in score_sentences([far])[0]


def test_the_newest_run_speaks_and_revisions_are_counted():
    older = replace(ONE, run="0", made_from=2022, horizon=2, percentile=0.5)
    told = score_sentences([older, ONE, replace(ONE, revised=True)])
    assert "12th percentile of last year's" in told[0] and "1 forecasts scored before" in told[1]


def test_coverage_so_far_counts_a_revised_forecast_once():
    record = [replace(ONE, year=2024 + i, inside_90=i < 8) for i in range(10)]
    told = score_sentences([ONE], record=[*record, replace(record[9], revised=True, inside_90=True)])
    assert told[-1].startswith("Of 10 forecasts scored so far, 9 had the outturn in their 90% interval")


@pytest.mark.parametrize(
    ("share", "words"), [(0.01, "1st"), (0.02, "2nd"), (0.11, "11th"), (0.53, "53rd"), (0.0, "lowest")]
)
def test_percentiles_in_words(share, words):
    assert ordinal(share) == words


def test_a_record_of_an_arrival_holds_scores_words_and_reasons(tmp_path):
    stored(tmp_path)
    record = arrival_record(tmp_path, "small", observed())
    assert len(record["added"]) == 8 and set(record["added"][0]) == set(COLUMNS)
    assert "percentile of last year's forecast" in record["sentences"][0] and record["not_scored"] == []
