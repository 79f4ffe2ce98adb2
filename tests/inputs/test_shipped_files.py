"""Shipped files are found in a source checkout and where a wheel packs them."""

from __future__ import annotations

import pytest

from cba.errors import InputError
from cba.inputs import files as shipped_files


def test_a_wheel_reads_what_it_packs(tmp_path, monkeypatch):
    (tmp_path / "_shipped" / "priors" / "options").mkdir(parents=True)
    monkeypatch.setattr(shipped_files, "_PACKED", tmp_path / "_shipped")
    assert shipped_files.options_folder() == tmp_path / "_shipped" / "priors" / "options"


def test_a_checkout_reads_its_top_level():
    assert shipped_files.priors_folder().parent.joinpath("pyproject.toml").is_file()


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped_files, "_PACKED", tmp_path)
    monkeypatch.setattr(shipped_files, "_PACKAGE", tmp_path / "cba")
    with pytest.raises(InputError, match="comes with the package is missing"):
        shipped_files.shipped_folder("priors")
    with pytest.raises(InputError, match="published table is missing"):
        shipped_files.published_file("evidence_effects.csv")


def test_an_analysis_in_the_working_folder_comes_first(tmp_path, monkeypatch):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "latest.toml").write_text("schema = 1", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert shipped_files.analysis_file("latest") == tmp_path / "reports" / "latest.toml"
    assert "latest" in shipped_files.analysis_names()
    assert shipped_files.analysis_file("no_such_analysis") is None
