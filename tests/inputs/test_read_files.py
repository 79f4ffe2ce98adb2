"""Every file of inputs passes one door: ordinary, of a size and depth a person writes, text that can be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cba.errors import InputError
from cba.inputs import files
from cba.inputs.evidence_rules import read_table as read_evidence
from cba.inputs.files import read_toml
from cba.inputs.tables import read_table

BAD_TOML = {
    "deep lists": ("a = " + "[" * 5_000, None),
    "deep dotted keys": (".".join("a" * 5_000) + " = 1", "a.a"),
    "5,000 digits": ('[a.b]\nquantiles = { "0.05" = 1.0, "0.95" = ' + "9" * 5_000 + " }", 'line 2, "0.95"'),
    "hexadecimal beyond 64 bits": ("[a]\nseed = 0x" + "f" * 5_000, "a.seed"),
    "19 digits": ("draws = 99999999999999999999", "draws"),
    "a colour code": ('[a]\nnote = "a\\u001b[31mRED"', "a.note"),
    "a list of unseen text": ('names = ["a", "\\u200b"]', "names.1"),
    "an unseen key": ('"a\\u200b" = 1', "u200b"),
    "an endless text": (f'note = "{"x" * 3_000}"', "note"),
}


@pytest.mark.parametrize(("text", "field"), BAD_TOML.values(), ids=BAD_TOML)
def test_what_toml_can_say_and_no_field_can_mean_is_refused(tmp_path: Path, text: str, field: str | None):
    file = tmp_path / "x.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_toml(file)
    said = refused.value.details
    assert said["file"] == str(file) and said["allowed"] and said["next step"]
    assert field is None or field in said["field"]


def _evidence(path: Path) -> object:
    return read_evidence(path, name="evidence_costs")


def _table(path: Path) -> object:
    path.parent.mkdir(exist_ok=True)
    return read_table(path.stem, folder=path.parent)


@pytest.mark.parametrize("read", [read_toml, _evidence, _table])
def test_a_reader_ends_at_a_pipe_a_folder_a_large_file_and_a_path_that_cannot_be(read, tmp_path, monkeypatch):
    pipe, folder, large = (tmp_path / one / "sources.csv" for one in ("pipe", "folder", "large"))
    for place in (pipe, folder, large):
        place.parent.mkdir()
    os.mkfifo(pipe)
    folder.mkdir()
    large.write_bytes(b"#" * 2_000)
    monkeypatch.setattr(files, "MOST_BYTES", 1_000)
    for place, problem in ((pipe, "not an ordinary"), (folder, "not an ordinary"), (large, "too large")):
        with pytest.raises(InputError, match=problem) as refused:
            read(place)
        assert refused.value.details["file"] == str(place)
    with pytest.raises(InputError, match="cannot be read"):
        files.file_bytes(Path("a\0.toml"))
