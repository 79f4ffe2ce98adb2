"""The record: what it holds, what it refuses, and that saving and reading change nothing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cba.appraisal.record import ARRAYS, Appraisal
from cba.errors import InputError
from cba.recipe import appraise
from tests.appraisal.made_workings import made_fits, made_inputs


@pytest.fixture(scope="module")
def folder(appraisal, tmp_path_factory):
    return appraisal.to_directory(tmp_path_factory.mktemp("run") / "stances" / "evidence")


@pytest.fixture(scope="module")
def read(folder):
    return Appraisal.from_directory(folder)


def test_dimensions_are_those_of_the_contract(appraisal):
    assert appraisal.children.dims == ("sample", "option", "year", "age")
    assert appraisal.placements.dims == ("sample", "option", "year", "placement")
    assert appraisal.cash_flow.dims == ("sample", "option", "year", "line")
    assert {"payer", "kind", "component"} <= set(appraisal.cash_flow.coords)
    assert appraisal.system_cost.dims == ("sample", "option", "year")
    assert appraisal.npv.dims == ("sample", "option")
    assert set(appraisal.parameters.dims) == {"sample"}


def test_years_run_from_the_first_projected_to_the_horizon_or_the_target(appraisal):
    analysis = appraisal.analysis
    last = max(analysis.start_year + analysis.horizon - 1, analysis.target_year)
    for name in ("children", "placements", "cash_flow", "system_cost"):
        assert getattr(appraisal, name)["year"].values.tolist() == list(range(analysis.release + 1, last + 1))


def test_draws_are_paired_and_finite(appraisal):
    for name in ARRAYS:
        array = getattr(appraisal, name)
        assert array.sizes["sample"] == appraisal.parameters.sizes["sample"] == appraisal.analysis.draws
        assert bool(np.isfinite(array).all()), name


# --- net benefit ----------------------------------------------------------------------------------------


def test_net_benefit_is_linear_in_both_values(appraisal):
    zero = appraisal.net_benefit()
    xr.testing.assert_allclose(zero, appraisal.npv.rename("net_benefit"))
    for safe, harm in ((1e5, 0.0), (0.0, 2e5), (1e5, 2e5)):
        found = appraisal.net_benefit("fiscal", safe, harm)
        expected = zero + safe * appraisal.child_years_safe - harm * appraisal.child_years_harm
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    one, two = (
        appraisal.net_benefit(value_per_child_year=1e5),
        appraisal.net_benefit(value_per_child_year=2e5),
    )
    np.testing.assert_allclose(two - zero, 2.0 * (one - zero), rtol=1e-9, atol=1.0)
    assert zero.dims == ("sample", "option")


def test_safe_and_harmful_child_years_split_one_total(appraisal):
    total = appraisal.child_years_safe + appraisal.child_years_harm
    share = appraisal.parameters["family_help.harm_share"]
    np.testing.assert_allclose(
        appraisal.child_years_harm, (total * share).transpose("sample", "option"), rtol=1e-9
    )


def test_an_unknown_perspective_is_refused(appraisal):
    with pytest.raises(InputError) as caught:
        appraisal.net_benefit("municipal")
    for value in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="not a finite number"):
            appraisal.net_benefit(value_per_child_year=value)
        with pytest.raises(InputError, match="not a finite number"):
            appraisal.net_benefit(value_per_harm_year=value)
    text = str(caught.value)
    assert "perspective" in text and "municipal" in text and "fiscal" in text


def test_an_unknown_stance_is_refused():
    with pytest.raises(InputError) as caught:
        appraise(made_inputs().analysis, stance="optimistic", progress=False)
    assert "optimistic" in str(caught.value) and "sceptical" in str(caught.value)


# --- saving and reading (C14-14) ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_to_the_last_bit(appraisal, read, name):
    found, saved = getattr(read, name), getattr(appraisal, name)
    assert found.dims == saved.dims and found.dtype == saved.dtype
    np.testing.assert_array_equal(found.values, saved.values)
    for coord in saved.coords:
        assert found[coord].values.tolist() == saved[coord].values.tolist(), coord


def test_parameters_come_back_with_their_price_base(appraisal, read):
    assert set(read.parameters.data_vars) == set(appraisal.parameters.data_vars)
    for name in appraisal.parameters.data_vars:
        np.testing.assert_array_equal(read.parameters[name].values, appraisal.parameters[name].values)
    assert read.parameters["legal.cost_per_case"].attrs["price_base"] == appraisal.analysis.price_base


def test_tables_come_back_in_order_with_the_same_numbers(appraisal, read):
    assert list(read.tables) == list(appraisal.tables)
    for name, table in appraisal.tables.items():
        found = read.tables[name]
        assert list(found.columns) == list(table.columns), name
        assert len(found) == len(table), name
        for column in table:
            if pd.api.types.is_numeric_dtype(table[column]):
                np.testing.assert_array_equal(
                    found[column].to_numpy(float), table[column].to_numpy(float), err_msg=name
                )
            else:
                left = ["" if pd.isna(v) else str(v) for v in found[column]]
                assert left == ["" if pd.isna(v) else str(v) for v in table[column]], f"{name}.{column}"


def test_results_provenance_and_analysis_come_back(appraisal, read):
    assert json.loads(json.dumps(dict(appraisal.results))) == read.results
    assert dict(read.provenance) == json.loads(json.dumps(dict(appraisal.provenance)))
    assert read.analysis == appraisal.analysis and read.stance == appraisal.stance
    assert dict(read.option_labels) == dict(appraisal.option_labels)
    assert read.headline == json.loads(json.dumps(appraisal.headline))


def test_what_was_read_can_be_saved_again_without_change(read, folder, tmp_path):
    again = read.to_directory(tmp_path / "again")
    assert (again / "appraisal.json").read_bytes() == (folder / "appraisal.json").read_bytes()
    second = Appraisal.from_directory(again)
    xr.testing.assert_identical(second.npv, read.npv)
    for name in read.tables:
        pd.testing.assert_frame_equal(second.tables[name], read.tables[name])


@pytest.mark.parametrize("missing", ["appraisal.json", "draws.nc", "tables/npv.csv"])
def test_a_folder_that_is_not_whole_is_refused(appraisal, tmp_path, missing):
    place = appraisal.to_directory(tmp_path / "run")
    (place / missing).unlink()
    with pytest.raises(InputError) as caught:
        Appraisal.from_directory(place)
    assert "run" in str(caught.value) and "to_directory" in str(caught.value)


def test_a_truncated_record_is_refused(appraisal, tmp_path):
    place = appraisal.to_directory(tmp_path / "run")
    text = (place / "appraisal.json").read_text(encoding="utf-8")
    (place / "appraisal.json").write_text(text[:500], encoding="utf-8")
    with pytest.raises(InputError, match="truncated"):
        Appraisal.from_directory(place)


@pytest.mark.parametrize("change", [{"halo": 1}, {"release": None}])
def test_the_record_of_another_version_is_refused_as_such(appraisal, tmp_path, change):
    place = appraisal.to_directory(tmp_path / "run")
    record = json.loads((place / "appraisal.json").read_text(encoding="utf-8"))
    record["analysis"] |= change
    (place / "appraisal.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match="do not fit this version") as caught:
        Appraisal.from_directory(place)
    details = caught.value.details
    assert details["file"] == str(place / "appraisal.json")
    assert details["field"] == f"analysis.{next(iter(change))}"
    assert details["usual cause"] == "stored by another version" and details["next step"]


@pytest.mark.parametrize("lost", ["analysis", "stance", "provenance", "draws"])
def test_a_record_that_lacks_a_part_is_refused(appraisal, tmp_path, lost):
    place = appraisal.to_directory(tmp_path / "run")
    record = json.loads((place / "appraisal.json").read_text(encoding="utf-8"))
    del record[lost]
    (place / "appraisal.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match="no readable appraisal") as caught:
        Appraisal.from_directory(place)
    assert lost in caught.value.details["found"]


def test_card_and_summary_name_every_option(appraisal):
    summary = appraisal.summary()
    assert list(summary.index) == list(appraisal.option_labels)
    assert summary.loc["care_review", "npv_mean"] == appraisal.results["npv_fiscal.care_review"]["mean"]
    card = appraisal._repr_html_()
    labels = [label for option, label in appraisal.option_labels.items() if option != "bau"]
    assert all(label in card for label in labels) and "£" in card


# --- which tables are read ---------------------------------------------------------------------------------


class _Read(Exception):
    """Raised in place of reading."""


EVENLY = {"evidence": 0.5, "sceptical": 0.5}


@pytest.mark.parametrize("stance, weights", [("evidence", None), ("review", None), ("mixture", EVENLY)])
def test_the_tables_are_those_of_the_snapshot_that_the_analysis_names(monkeypatch, tmp_path, stance, weights):
    from cba.inputs.files import published_folder, reading_from, shipped_published_folder
    from cba.inputs.releases.snapshots import current_snapshot
    from cba.inputs.releases.update import update_from_files
    from tests.inputs import release_files as made

    held = made.table("care_duration")
    row = dict(held[held["release"] == "2024"].iloc[-1]) | {"release": "2025", "year": "2025"}
    newer = made.pd.concat([held, made.pd.DataFrame([row])])
    store = tmp_path / "store"
    update_from_files([made.write(newer, tmp_path / "care_duration.csv")], store=store)
    shipped = made_inputs("latest", 40, 12).analysis
    data = shipped.data.model_copy(update={"snapshot": "current", "store": str(store)})
    newest = shipped.model_copy(update={"data": data})
    seen = []

    def read(*given, **named):
        seen.append(published_folder())
        raise _Read

    monkeypatch.setattr("cba.recipe.read_inputs", read)
    monkeypatch.setattr("cba.stances.mixture.read_inputs", read)
    for analysis in (newest, shipped):
        with pytest.raises(_Read):
            appraise(analysis, stance=stance, weights=weights, progress=False)
    with reading_from(published=tmp_path), pytest.raises(_Read):  # what is in force stays so
        appraise(newest, stance=stance, weights=weights, progress=False)
    assert seen == [current_snapshot(store).folder, shipped_published_folder(), tmp_path]
    made.removable(store)


# --- another analysis, and another stance ---------------------------------------------------------------


def test_the_review_of_2022_is_worked_out_as_known_then():
    """Its price base lies after the last deflator known then: conversions differ by draw, and all is finite."""
    inputs = made_inputs("review_2022", 40, 12)
    baseline, effects = made_fits("review_2022", 40, 12)
    found = appraise(inputs.analysis, baseline=baseline, effects=effects, progress=False)
    assert set(found.npv["option"].values) == set(inputs.analysis.options)
    assert found.results["npv_fiscal.dfe_2023"]["mean"] < 0
    spent = found.cash_flow.isel(line=np.flatnonzero(found.cash_flow["kind"].values == "programme"))
    total = spent.sel(option="care_review").sum(["line", "year"])
    kept = found.cash_flow.isel(line=np.flatnonzero(found.cash_flow["kind"].values == "deadweight"))
    total = total + kept.sel(option="care_review").sum(["line", "year"])
    led = 120e6 * found.parameters["kinship.allowance_share"]  # of the kinship money, which alone overruns
    total = total - led * (found.parameters["delivery.cost_overrun"] - 1.0)
    np.testing.assert_allclose(total, 2523e6, rtol=1e-6)  # price year and price base are both 2022
