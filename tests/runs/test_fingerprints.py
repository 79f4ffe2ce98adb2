"""Fingerprints: they move with every input, and asking for them is cheap."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from cba.runs import fingerprints as prints


def test_file_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    assert prints.file_sha256(tmp_path / "a") == hashlib.sha256(b"x" * 100_000).hexdigest()


def test_every_input_file_is_in(tmp_path):
    from cba.inputs.files import options_folder, priors_folder, published_file

    found = prints.input_fingerprints()
    for file in [*priors_folder().glob("*.toml")]:
        assert found[f"priors/{file.name}"] == prints.file_sha256(file)
    assert {f"options/{file.name}" for file in options_folder().glob("*.toml")} <= set(found)
    for name in ("england_children.csv", "evidence_effects.csv", "gdp_deflator.csv"):
        assert found[f"published/{name}"] == prints.file_sha256(published_file(name))
    assert "costs/schedules.toml" in found


def test_the_run_fingerprint_moves_with_each_part():
    base = prints.Fingerprints({"priors/a.toml": "1"}, code="c", settings="s", environment="e")
    others = [
        prints.Fingerprints({"priors/a.toml": "2"}, code="c", settings="s", environment="e"),
        prints.Fingerprints({"priors/b.toml": "1"}, code="c", settings="s", environment="e"),
        prints.Fingerprints({"priors/a.toml": "1"}, code="d", settings="s", environment="e"),
        prints.Fingerprints({"priors/a.toml": "1"}, code="c", settings="t", environment="e"),
        prints.Fingerprints({"priors/a.toml": "1"}, code="c", settings="s", environment="f"),
    ]
    assert len({base.run, *(other.run for other in others)}) == 6


def test_code_moves_with_one_byte_and_with_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(prints, "PACKAGE", tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.py").write_text("x = 1\n")
    first = prints.code_fingerprint()
    (tmp_path / "models" / "a.py").write_text("x = 2\n")
    second = prints.code_fingerprint()
    (tmp_path / "models" / "a.py").rename(tmp_path / "models" / "b.py")
    third = prints.code_fingerprint()
    (tmp_path / "models" / "notes.txt").write_text("not code")
    assert len({first, second, third}) == 3 and prints.code_fingerprint() == third
    assert prints.code_fingerprint(["models"]) == third
    (tmp_path / "schedules.toml").write_text("x = 1\n")  # an input of its own
    assert prints.code_fingerprint() == third
    (tmp_path / "models" / "lists.toml").write_text("x = 1\n")
    assert prints.code_fingerprint() == prints.code_fingerprint(["models"]) != third


def test_settings_move_it_and_the_order_of_keys_does_not():
    one = prints.run_fingerprints({"seed": 0, "draws": 4})
    assert one.run == prints.run_fingerprints({"draws": 4, "seed": 0}).run
    assert one.run != prints.run_fingerprints({"draws": 4, "seed": 1}).run
    with pytest.raises(ValueError):
        prints.run_fingerprints({"level": float("nan")})


def test_asking_imports_no_numerical_library():
    """The way to "no change" must not pay for NumPy, let alone PyMC."""
    code = (
        "import sys; from cba.runs.fingerprints import run_fingerprints; run_fingerprints({});"
        "print(sorted({'numpy','pandas','xarray','pymc','scipy','pydantic','matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
