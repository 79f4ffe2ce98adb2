"""Forecasts to be frozen: what the workings say, quantile by quantile, and simple ones from each series alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.tables.children import QUANTILES
from cba.validation import freeze
from cba.validation.authority_skill import CONSTANT, DRIFT, LAST
from cba.validation.scores import SHIPPED
from tests.appraisal.made_workings import made_workings


@pytest.fixture(scope="module")
def workings():
    return made_workings()


@pytest.fixture(scope="module")
def england(workings):
    return freeze.england_forecasts(workings).set_index(["forecast", "flow", "age", "unaccompanied", "year"])


def test_it_is_what_the_workings_say(england, workings):
    usual = workings.system.baseline
    for flow, name in (("stock", "children"), ("starts", "starts"), ("ceases", "ceases")):
        for age in AGE_BANDS:
            row = england.loc[SHIPPED, flow, age, "all", 2027]
            draws = usual[name].sel(year=2027, age=age).values
            assert row["mean"] == pytest.approx(draws.mean())
            assert row["q050"] == pytest.approx(np.quantile(draws, 49.5 / 200))


def test_kinds_and_ages_add_up_to_all_children(england):
    means = england["mean"].loc[SHIPPED]
    for year in (2025, 2032):
        kinds = means["stock", "all", "yes", year] + means["stock", "all", "no", year]
        assert kinds == pytest.approx(means["stock", "all", "all", year])
        assert sum(means["stock", age, "all", year] for age in AGE_BANDS) == pytest.approx(
            means["stock", "all", "all", year]
        )
        assert means["starts", "all", "no", year] <= means["starts", "all", "all", year]


def test_every_method_of_the_record_stands_beside_it(england, workings):
    names = set(england.index.get_level_values("forecast"))
    assert names == {SHIPPED, "last value", "drift", "ETS", "ARIMA"}
    last = england.sort_index().loc[("last value", "stock", "all", "all")]
    error = (last["q169"] - last["q032"]) / 2.0 / np.sqrt(workings.system.reach.size)
    assert ((last["mean"] - 83_630).abs() < 5.0 * error).all()


def test_authorities_add_up_to_england_and_simple_ones_follow_their_own_past(england, workings):
    found = freeze.authority_forecasts(workings)
    for name in (SHIPPED, CONSTANT):
        total = found[found["forecast"] == name].groupby("year")["mean"].sum()
        np.testing.assert_allclose(
            total, england["mean"].sort_index().loc[SHIPPED, "stock", "all", "all"].loc[:2029]
        )
    usual = workings.inputs.observations["stock_by_authority"].sel(authority="383").dropna("year").values
    row = found.set_index(["forecast", "authority", "year"]).loc[DRIFT, "383", 2026]
    expected = usual[-1] + 2 * np.diff(usual).mean()
    assert row["mean"] == pytest.approx(expected, abs=15) and row["q0.025"] < expected < row["q0.975"]
    # authorities too new for a past of their own have a share of England and no simple forecast
    assert set(found[found["forecast"] == LAST]["authority"]) < set(
        found[found["forecast"] == SHIPPED]["authority"]
    )


def test_a_forecast_is_never_written_over(tmp_path, workings, monkeypatch):
    monkeypatch.setattr(freeze, "work_through", lambda inputs: workings)
    written = freeze.write_forecasts(tmp_path)
    assert [file.name for file in written] == ["2024_frozen.csv", "2024_frozen_authorities.csv"]
    assert len(pd.read_csv(written[0]).columns) == 206
    with pytest.raises(InputError, match="written once"):
        freeze.write_forecasts(tmp_path)


# -- what happened ------------------------------------------------------------------------------------------


def stored_table(rows):
    """Forecasts that are all but certain: every quantile within a thousandth of a child."""
    table, near = pd.DataFrame(rows), np.linspace(-1e-3, 1e-3, len(QUANTILES))
    quantiles = {name: table["mean"] + off for name, off in zip(QUANTILES, near, strict=True)}
    return pd.concat([table, pd.DataFrame(quantiles)], axis=1)


def a_release(year, *, authorities):
    """What one release says of its own year: England 1,000 children, of whom 100 unaccompanied, and authorities."""
    ages = xr.DataArray(np.full((1, 5), 200.0), dims=("year", "age"), coords={"age": list(AGE_BANDS)})
    values = {flow: ("year", [1000.0]) for flow in ("stock", "starts", "ceases")}
    values |= {f"{flow}_by_age": ages for flow in ("stock", "starts")}
    values["ceases_by_age"] = ages.where(ages["age"] != "16_plus")
    own = xr.DataArray(
        np.array([list(authorities.values())]).T,
        dims=("authority", "year"),
        coords={"authority": list(authorities), "first_year": ("authority", [1997] * len(authorities))},
    )
    made = xr.Dataset(values | {"uasc_stock": ("year", [100.0]), "stock_by_authority": own})
    return made.assign_coords(year=[year]).assign_attrs(release=year)


def test_a_certain_forecast_scores_how_far_it_was_off_and_nothing_else_is_scored(tmp_path):
    base = {"year": 2025, "flow": "stock", "age": "all"}
    rows = [
        base | {"unaccompanied": "all", "mean": 1010.0},
        base | {"unaccompanied": "no", "mean": 880.0},
        base | {"unaccompanied": "yes", "mean": 100.0},
        base | {"unaccompanied": "all", "mean": 1.0, "year": 2026},
        base | {"unaccompanied": "all", "mean": 1.0, "flow": "ceases", "age": "16_plus"},
    ]
    stored_table(rows[:1]).to_csv(tmp_path / "2024_shipped.csv", index=False)
    stored_table([row | {"forecast": "cba"} for row in rows]).to_csv(
        tmp_path / "2024_frozen.csv", index=False
    )
    share = {"forecast": "cba", "authority": "201", "year": 2025, "mean": 5.0, "q0.25": 4.9, "q0.75": 5.1}
    several = [share | {"authority": str(201 + i), "mean": 5.0 + i} for i in range(8)]
    pd.DataFrame(several).to_csv(tmp_path / "2024_frozen_authorities.csv", index=False)
    release = a_release(2025, authorities={str(201 + i): 5.0 + i for i in range(8)})
    england = freeze.outcomes(tmp_path, release, origin=2024)["outcome"]
    assert list(england["written"]) == ["shipped", "frozen", "frozen", "frozen"]
    assert list(england["outturn"]) == [1000.0, 1000.0, 900.0, 100.0]
    assert england["crps"].to_numpy() == pytest.approx([10.0, 10.0, 20.0, 0.0], abs=0.01)
    assert list(england["inside_90"]) == [0.0, 0.0, 0.0, 1.0]


def test_authorities_are_scored_by_size_and_beside_each_simple_forecast():
    """Certain forecasts of 10, 20, ... 80 children; the simple one is off by 1 more, but for one authority by 5."""

    def near(mean):
        return {"q0.25": mean - 1e-3, "q0.75": mean + 1e-3}

    codes = [str(201 + i) for i in range(8)]
    rows = []
    for place, code in enumerate(codes):
        for forecast, off in (("cba", 2.0), ("drift", 7.0 if place == 7 else 3.0)):
            mean = 10.0 * (place + 1) + off
            rows.append({"forecast": forecast, "authority": code, "year": 2025, "mean": mean} | near(mean))
    rows.append(rows[0] | {"authority": "999"})  # never published
    release = a_release(2025, authorities={c: 10.0 * (i + 1) for i, c in enumerate(codes)})
    found = freeze.authority_outcomes(pd.DataFrame(rows), release).set_index(["forecast", "quarter"])
    assert found.loc[("cba", "all"), ["authorities", "crps"]].tolist() == [8, pytest.approx(2.0, abs=0.01)]
    gaps = np.array([1.0] * 7 + [5.0])
    assert found.loc[("cba", "all"), "less_drift"] == pytest.approx(-gaps.mean(), abs=0.01)
    assert found.loc[("cba", "all"), "less_drift_se"] == pytest.approx(
        gaps.std(ddof=1) / np.sqrt(8), abs=0.01
    )
    assert (
        found.loc[("drift", "4"), "crps"] == pytest.approx(5.0, abs=0.01)
        and found.loc[("cba", "1"), "authorities"] == 2
    )
