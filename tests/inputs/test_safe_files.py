"""What is written and shown does no harm: no formula in any CSV, no control of a terminal, nothing left in the way."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest

import cba
from cba.inputs.safe_files import as_before_csv, csv_text, json_text, shown, strict_json, write_csv

FORMULAS = (
    "=cmd|calc",
    "+1+cmd",
    "-1+cmd",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    "\n=1",
    "＝1",
    "'=1",
    "-",
    "''+x",
)
PLAIN = ("plain", "it's", "'quoted'", "a=b", "-1.5", "+2", "-3e-05", "'x", "")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_and_no_heading_is_a_formula_and_reading_gives_the_text_back(text):
    table = pd.DataFrame({"a": [text, "plain"], text + "b": [1.5, 2.0]})
    written = csv_text(table)
    for cell in pd.read_csv(io.StringIO(written), header=None, dtype=str).loc[:1].to_numpy().ravel():
        assert re.match(r"['\w]", cell), cell
    again = as_before_csv(pd.read_csv(io.StringIO(written, newline="")))
    pd.testing.assert_frame_equal(again, table, check_dtype=False)


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_and_numbers_stay_as_they_are(text):
    table = pd.DataFrame({"a": [text, "plain"], "n": [-1.5, None], "mixed": [1, None]})
    assert csv_text(table) == table.to_csv(index=False, lineterminator="\n")
    read = pd.read_csv(io.StringIO(csv_text(table)), keep_default_na=False, dtype=str)
    assert as_before_csv(read)["a"].tolist() == [text, "plain"]


def test_no_other_place_of_the_package_writes_csv():
    package = Path(cba.__file__).parent
    writes = re.compile(r"\.to_csv\(|csv\.writer|DictWriter")
    found = {file.name for file in package.rglob("*.py") if writes.search(file.read_text())}
    assert found == {"safe_files.py"}


def test_the_tables_of_a_stance_hold_no_formula_and_are_read_as_they_were(tmp_path):
    from cba.appraisal.record import _read_table

    table = pd.DataFrame({"name": ["=cmd|calc", "plain", None], "q50": [0.1, 1 / 3, 2e-300]})
    write_csv(table, tmp_path / "priors.csv")
    assert ",=cmd" not in (tmp_path / "priors.csv").read_text() and "\n=cmd" not in csv_text(table)
    pd.testing.assert_frame_equal(_read_table(tmp_path / "priors.csv"), table, check_dtype=False)


@pytest.mark.parametrize(
    "text, seen",
    [
        ("A\x1b[31m", "A\\x1b[31m"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb\x07\x08", "a\\rb\\x07\\x08"),
        ("Ann\u200b", "Ann\\u200b"),
        ("\u202eevil", "\\u202eevil"),
        ("x\u2028y\ud800", "x\\u2028y\\ud800"),
        ("£5bn – Zoë 日本\n\tsecond line\xa0", "£5bn – Zoë 日本\n\tsecond line\xa0"),
    ],
)
def test_control_characters_are_shown_and_not_sent(text, seen):
    assert shown(text) == seen
    written = json_text({"a": text})
    assert strict_json(written) == {"a": text} and shown(written) == written


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a": NaN}', "-Infinity", "1e999", b"\xff\xfe\x00", "1" * 5000, ""]
)
def test_json_that_is_damaged_in_any_way_is_one_error(text):
    with pytest.raises(ValueError):
        strict_json(text)
