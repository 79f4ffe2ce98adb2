"""A file beside the report belongs to the run: its hash is in the manifest and a damaged one is named."""

from __future__ import annotations

from cba.runs.files_beside import store_beside
from cba.runs.stored_runs import verify_run
from tests.runs.test_store import store


def test_a_file_beside_the_report_is_sealed_with_the_run(tmp_path):
    run = store(tmp_path)
    with_pdf = store_beside(run, "report.pdf", b"%PDF-1")
    assert (run.path / "report.pdf").read_bytes() == b"%PDF-1"
    assert verify_run(run.path) == []
    others = {name: entry for name, entry in with_pdf.manifest["files"].items() if name != "report.pdf"}
    assert others == run.manifest["files"]


def test_it_is_replaced_whole_and_damage_is_named(tmp_path):
    run = store(tmp_path)
    store_beside(run, "report.pdf", b"%PDF-1")
    store_beside(run, "report.pdf", b"%PDF-22")
    assert verify_run(run.path) == []
    assert not [file for file in run.path.iterdir() if file.name.startswith(".")]
    (run.path / "report.pdf").write_bytes(b"%PDF-23")
    assert verify_run(run.path) == ["report.pdf: damaged, its SHA-256 is not the one stored"]
