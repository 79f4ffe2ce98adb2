"""Nothing is read without limit: no device, no pipe, no file larger than a stated size, wherever it is named."""

from __future__ import annotations

import ast
import os
import shutil
from pathlib import Path

import pytest

from cba.cli import main
from cba.inputs import files
from cba.inputs.files import bytes_of, ordinary

ROOT = Path(__file__).resolve().parents[2]
MAY_READ = {
    "inputs/files.py": "the readers themselves",
    "inputs/leftovers.py": "opens a folder to hold it, and reads nothing of it",
    "inputs/releases/downloads.py": "unpacks in memory what a reader has read, up to the same limit",
    "discounting.py": "a list of the package, which stands above the readers",
    "reporting/explorer.py": "a script of the package",
    "reporting/sections.py": "a list of the package",
    "models/authority_findings.py": "results that ship with the package",
    "runs/fingerprints.py": "hashes a file that has an end, a part at a time",
    "runs/stages.py": "opens what it has just written, to force it to disk",
    "runs/manifest.py": "appends to a log",
    "validation/calibration.py": "writes a replicate",
}
"""Files that open others themselves, and why."""


def test_every_file_is_read_by_one_of_the_readers():
    found = {}
    for path in sorted((ROOT / "cba").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "attr", getattr(called, "id", ""))
            text = name == "read_csv" and ast.unparse(node.args[0]).startswith(
                ("io.StringIO", "io.BytesIO(bytes_of")
            )
            if name in ("read_bytes", "read_text", "open", "read_csv") and not text:
                found.setdefault(path.relative_to(ROOT / "cba").as_posix(), []).append(node.lineno)
    assert {name: lines for name, lines in found.items() if name not in MAY_READ} == {}


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_only_ordinary_files_are_read(tmp_path, pipe):
    for place in (Path("/dev/zero"), pipe, tmp_path):
        with pytest.raises(OSError, match="a folder|a device, a pipe or a socket"):
            bytes_of(place)
    (tmp_path / "empty").write_bytes(b"")
    assert bytes_of(ordinary(tmp_path / "empty")) == b""


def test_a_file_is_read_up_to_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_BYTES", 256)
    (tmp_path / "a").write_bytes(b"x" * 256)
    assert len(bytes_of(tmp_path / "a")) == 256
    (tmp_path / "a").write_bytes(b"x" * 257)
    with pytest.raises(OSError, match="more than 256 bytes"):
        bytes_of(tmp_path / "a")


SMALL = (ROOT / "reports" / "latest.toml").read_text(encoding="utf-8")


def linked(folder: Path, name: str) -> str:
    (folder / name).symlink_to("/dev/zero")
    return str(folder / name)


def table_of_tables(folder: Path) -> str:
    shutil.copytree(ROOT / "cba" / "inputs" / "published", folder / "tables")
    (folder / "tables" / "unit_costs.csv").unlink()
    linked(folder / "tables", "unit_costs.csv")
    return str(folder / "tables")


def option_of_analysis(folder: Path) -> str:
    linked(folder, "own.toml")
    (folder / "mine.toml").write_text(SMALL.replace('"kinship_only"', '"kinship_only", "./own.toml"', 1))
    return str(folder / "mine.toml")


DOORS = {
    "update": lambda folder: ["update", "--from", "/dev/zero", "--store", str(folder / "store")],
    "update, a pipe": lambda folder: ["update", "--from", str(folder / "pipe"), "--store", str(folder / "s")],
    "update, a spec": lambda folder: ["update", linked(folder, "spec.toml"), "--store", str(folder / "s")],
    "check, a spec": lambda folder: ["check", linked(folder, "spec.toml")],
    "check, a table": lambda folder: ["check", linked(folder, "unit_costs.csv")],
    "check, tables": lambda folder: ["check", table_of_tables(folder)],
    "check, an option": lambda folder: ["check", option_of_analysis(folder)],
    "run": lambda folder: ["run", linked(folder, "spec.toml"), "--root", str(folder / "reports")],
    "rerun": lambda folder: ["rerun", linked(folder, "spec.toml"), "--root", str(folder / "reports")],
    "rerun, an option": lambda folder: [
        "rerun",
        option_of_analysis(folder),
        "--root",
        str(folder / "reports"),
    ],
}


@pytest.mark.parametrize("door", DOORS)
def test_a_device_is_refused_at_every_door(tmp_path, pipe, monkeypatch, capsys, door):
    monkeypatch.chdir(tmp_path)
    assert main(DOORS[door](tmp_path)) == 2
    said = " ".join("".join(capsys.readouterr()).split())
    assert "next step" in said and "--debug" not in said


@pytest.mark.parametrize("words", [["check", "mine.csv"], ["update", "--from", "mine.csv", "--store", "s"]])
def test_what_is_larger_than_is_read_is_refused(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("a,b\n" + "1,2\n" * 30_000)
    monkeypatch.setattr(files, "MOST_BYTES", 100_000)
    assert main(words) == 2
    said = "".join(capsys.readouterr())
    assert "mine.csv" in said and "more than 100,000 bytes" in said and "allowed: an ordinary file" in said


@pytest.mark.parametrize("ending", ["toml", "csv"])
def test_a_pipe_is_called_what_it_is(tmp_path, capsys, ending):
    """Never a folder, and nobody waits for what never comes."""
    os.mkfifo(tmp_path / f"a.{ending}")
    assert main(["check", str(tmp_path / f"a.{ending}")]) == 2
    assert "a device, a pipe or a socket" in capsys.readouterr().out
