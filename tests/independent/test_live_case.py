"""The live central case, worked out by LibreOffice, agrees with the package: as written and with an input changed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import openpyxl
import pytest

from cba.appraisal.inputs import DrawsOfAnotherVersion, drawn_inputs, provenance
from cba.appraisal.quantities import headline_results
from cba.appraisal.record import Appraisal
from cba.inputs.priors import load_priors
from cba.tables.beliefs import priors_table
from cba.workbook.live_case import central_case
from cba.workbook.live_inputs import LIVE, cell_name
from cba.workbook.live_point import worked_point
from cba.workbook.sheets import write_workbook
from tests.appraisal.made_workings import made_workings

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
needs_libreoffice = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
CLOSE = 1e-9
CHANGES = {
    "family_help.cost_per_child": 1.5,
    "family_help.log_risk_ratio": 2.0,
    "delivery.start_delay": 0.5,
    "kinship.permanence_gain": 0.6,
    "cashable.rest_later": 1.3,
    "foster.attrition": 2.0,
    "reform.home_price_cut": 0.4,
}
"""Factors on inputs, one from each part of the chain."""


@pytest.fixture(scope="module")
def appraisal():
    found = made_workings("latest", 40, 14)
    arrays = found.arrays
    return Appraisal(
        analysis=found.inputs.analysis,
        stance="evidence",
        option_labels={option.id: option.label for option in found.inputs.options},
        parameters=found.system.parameters,
        children=arrays.children,
        placements=arrays.placements,
        cash_flow=arrays.cash_flow,
        system_cost=arrays.system_cost,
        npv=arrays.npv,
        npv_social=arrays.npv,  # not read here
        child_years_safe=arrays.child_years_safe,
        child_years_harm=arrays.child_years_harm,
        tables={"priors": priors_table(found.inputs.priors)},
        results=headline_results(found),
        provenance=provenance(found.inputs),
    )


@pytest.fixture(scope="module")
def book(appraisal, case, tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "workbook.xlsx"
    headline = {"results": dict(appraisal.results)}
    return write_workbook([appraisal], headline=headline, manifest={}, path=path, central=case)


@pytest.fixture(scope="module")
def before(appraisal):
    return worked_point(appraisal)


@pytest.fixture(scope="module")
def case(appraisal):
    return central_case(appraisal)


def recalculated(path, folder):
    """The workbook as LibreOffice works it out, in a profile of its own; openpyxl has dropped every stored value."""
    bare = folder / "bare.xlsx"
    openpyxl.load_workbook(path).save(bare)
    out = folder / "out"
    command = [
        SOFFICE,
        f"-env:UserInstallation=file://{folder}/profile",
        "--headless",
        "--convert-to",
        "xlsx",
    ]
    subprocess.run([*command, "--outdir", str(out), str(bare)], check=True, capture_output=True, timeout=240)
    return openpyxl.load_workbook(out / "bare.xlsx", data_only=True)


def live_results(book):
    sheet = book["live results"]
    rows = [row for row in sheet.iter_rows(values_only=True) if isinstance(row[1], int | float)]
    return {row[0]: row[1:5] for row in rows}


def by_package(appraisal, point, name):
    years = [int(year) for year in point.years]
    account = point.accounts[name]
    at = years.index(point.analysis.target_year)
    return point.npv(name), float(account.children.fewer_by_age[0, at].sum())


def test_the_stored_values_are_those_of_the_package(appraisal, book, before):
    point = before
    stored = live_results(openpyxl.load_workbook(book, data_only=True))
    for name in point.options:
        npv, fewer = by_package(appraisal, point, name)
        live = stored[appraisal.option_labels[name]]
        assert live[0] == pytest.approx(npv, rel=CLOSE) and live[3] == pytest.approx(npv, rel=1e-12)
        assert live[2] == pytest.approx(fewer, rel=CLOSE, abs=1e-9)
    assert len(stored) == len(point.options) >= 8


def test_mean_inputs_do_not_give_the_mean_result(appraisal, before):
    mean = appraisal.results["npv_fiscal.care_review"]["mean"]
    assert before.npv("care_review") != pytest.approx(mean, rel=1e-6)  # why the sheet shows both


@needs_libreoffice
@pytest.mark.slow
def test_libreoffice_comes_to_every_stored_value(book, tmp_path):
    stored = openpyxl.load_workbook(book, data_only=True)
    again = recalculated(book, tmp_path)
    formulas = openpyxl.load_workbook(book)
    compared = 0
    for name in (n for n in stored.sheetnames if n.startswith("live ")):
        for row in formulas[name].iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    ours, theirs = stored[name][cell.coordinate].value, again[name][cell.coordinate].value
                    assert theirs == pytest.approx(ours, rel=CLOSE, abs=1e-9), f"{name} {cell.coordinate}"
                    compared += 1
    assert compared > 5_000


@needs_libreoffice
@pytest.mark.slow
def test_changed_inputs_move_the_results_as_in_the_package(appraisal, book, before, tmp_path):
    changes = {name: before.value[name] * factor for name, factor in CHANGES.items()}
    edited = openpyxl.load_workbook(book)
    rows = {row[1].value: row[4] for row in edited["live inputs"].iter_rows()}
    for name, value in changes.items():
        rows[cell_name(name)].value = value
    path = tmp_path / "edited.xlsx"
    edited.save(path)
    live = live_results(recalculated(path, tmp_path))
    point = worked_point(appraisal, changes=changes)
    for name in point.options:
        npv, fewer = by_package(appraisal, point, name)
        found = live[appraisal.option_labels[name]]
        assert found[0] == pytest.approx(npv, rel=CLOSE)
        assert found[2] == pytest.approx(fewer, rel=CLOSE, abs=1e-9)
        assert abs(npv - before.npv(name)) > 1e3  # the change was felt
        assert found[3] == pytest.approx(before.npv(name), rel=1e-12)  # the package's figure stands still


def test_every_live_input_moves_some_result(case):
    """An input that no formula uses would mislead whoever changes it."""
    texts = [
        entry.text for grid in case.grids for row in grid.rows for entry in row if hasattr(entry, "text")
    ]
    joined = "\n".join(texts)
    unused = [name for name in LIVE if cell_name(name) not in joined]
    assert unused == ["kinship.all_children"]  # a scope of allowances that no shipped option has


def test_options_that_do_not_fit_say_why(case):
    left_out = case.left_out
    assert set(left_out) == {"care_review_reinvest"} and "savings" in left_out["care_review_reinvest"]


@pytest.mark.parametrize(
    "lost",
    [
        ("foster.attrition",),
        ("baseline.level_log_closure_rate",),
        ("system.safeguarding_surprise", "unit_costs.residential_growth"),
        ("family_help.log_risk_ratio", "delivery.start_delay"),
    ],
)
def test_draws_of_another_version_are_refused_by_name(appraisal, lost):
    older = replace(appraisal, parameters=appraisal.parameters.drop_vars(list(lost)))
    with pytest.raises(DrawsOfAnotherVersion, match="lack uncertain inputs") as caught:
        worked_point(older)
    assert caught.value.details["found"] == f"no draws of {', '.join(sorted(lost))}"
    assert "run the analysis again" in str(caught.value)


def test_a_mistake_in_the_calculation_is_no_other_version(appraisal, monkeypatch):
    def mistaken(*given, **named):
        raise KeyError("foster.atrition")

    monkeypatch.setattr("cba.workbook.live_point.care_system", mistaken)
    with pytest.raises(KeyError, match="atrition"):
        worked_point(appraisal)


def test_every_input_of_a_joint_draw_is_known_by_name(appraisal):
    assert drawn_inputs(load_priors()) == {str(name) for name in appraisal.parameters.data_vars}
