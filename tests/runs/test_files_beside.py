"""A file beside the report belongs to the run: its hash is in the manifest and a damaged one is named."""

from __future__ import annotations

import errno
import os

import pytest

from cba.errors import StoreError
from cba.runs.reading import read_run, verify_run
from cba.runs.store import put_file
from tests.runs.test_store import fill, store


def test_a_file_beside_the_report_is_sealed_with_the_run(tmp_path):
    run = store(tmp_path)
    with_pdf = put_file(run, "report.pdf", b"%PDF-1")
    assert (run.path / "report.pdf").read_bytes() == b"%PDF-1"
    assert verify_run(run.path) == []
    others = {name: entry for name, entry in with_pdf.manifest["files"].items() if name != "report.pdf"}
    assert others == run.manifest["files"]


def test_it_is_replaced_whole_and_damage_is_named(tmp_path):
    run = store(tmp_path)
    put_file(run, "report.pdf", b"%PDF-1")
    put_file(run, "report.pdf", b"%PDF-22")
    assert verify_run(run.path) == []
    assert not [file for file in run.path.iterdir() if file.name.startswith(".")]
    (run.path / "report.pdf").write_bytes(b"%PDF-23")
    assert verify_run(run.path) == ["report.pdf: damaged, its SHA-256 is not the one stored"]


def test_a_report_written_from_an_older_reading_of_the_run_keeps_what_was_added_meanwhile(tmp_path):
    run = store(tmp_path)
    put_file(run, "report.pdf", b"%PDF-1")
    again = put_file(run, "report.html", b"<html>new</html>")  # `run` was read before the PDF was stored
    assert verify_run(run.path) == [] and "report.pdf" in again.manifest["files"]


def test_a_file_in_a_folder_of_the_run_is_forced_to_disk_where_it_lies(tmp_path, monkeypatch):
    def with_tables(folder, name):
        fill(folder, name)
        (folder / "tables").mkdir()
        (folder / "tables" / "a.csv").write_text("a\n")

    run, forced, real = store(tmp_path, fill=with_tables), [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (forced.append(os.fstat(handle).st_ino), real(handle))[1])
    put_file(run, "tables/checklist.csv", b"a\n")
    assert (run.path / "tables").stat().st_ino in forced and run.path.stat().st_ino in forced
    assert verify_run(run.path) == []


@pytest.mark.parametrize("write", ["pdf", "report"])
def test_a_disk_that_fills_up_leaves_the_run_as_it_was(tmp_path, monkeypatch, write):
    run = store(tmp_path)

    def refuse(*names):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match="could not be"):
        put_file(run, "report.pdf", b"%PDF") if write == "pdf" else put_file(
            run, "report.html", b"<html></html>"
        )
    monkeypatch.undo()
    assert verify_run(run.path) == [] and read_run(run.path).manifest == run.manifest
    assert not [file for file in run.path.rglob(".*")]
