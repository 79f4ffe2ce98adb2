"""Text from outside reaches the terminal, and whoever reads the JSON there, without what would control it."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import pytest

from cba.cli import main
from cba.cli.answers import fail, say, tell, text_table
from cba.errors import GateError, InputError
from cba.runs.manifest import json_log
from tests.runs.test_damaged_store import MOMENT, resealed, store

EVIL = "A\x1b[31m\x9b2J\u202e\u200b\x07[/red][bold]x:smile:\ud800"


def harmless(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize("words", [["check", f"{EVIL}.toml"], ["runs", "--root", EVIL], ["report", EVIL], [EVIL],
                                   ["runs", "approve", "x", "--by", EVIL, "--note", "n"],
                                   ["council", EVIL, "--analysis", EVIL], ["update", EVIL], ["priors", EVIL],
                                   ["rerun", EVIL], ["run", EVIL, "--by", EVIL], ["compare", EVIL, "b"],
                                   ["refresh", EVIL]])  # fmt: skip
def test_a_word_typed_is_shown_and_not_sent(tmp_path, monkeypatch, capsys, words, as_json):
    monkeypatch.chdir(tmp_path)
    main([*words, *as_json])
    out, err = capsys.readouterr()
    assert out + err and harmless(out) and harmless(err)


def test_the_list_of_runs_shows_what_a_manifest_holds(tmp_path, capsys):
    store(tmp_path)
    run = store(tmp_path, moment=MOMENT + timedelta(days=1))
    resealed(code={"version": EVIL}, stances=[EVIL], title=EVIL)(run)
    for as_json in ([], ["--json"]):
        assert main(["runs", "--root", str(tmp_path), *as_json]) == 0
        out = capsys.readouterr().out
        assert run.name in out and harmless(out)
    assert json.loads(out)["runs"][1]["version"] == EVIL


@pytest.mark.parametrize("error", [InputError(EVIL, found=EVIL), GateError(EVIL, [EVIL]), RuntimeError(EVIL)])
@pytest.mark.parametrize("debug", [False, True])
def test_errors_of_every_kind(capsys, error, debug):
    for as_json in (False, True):
        fail(error, as_json=as_json, debug=debug)
    out, err = capsys.readouterr()
    assert harmless(out) and harmless(err) and "x1b" in err and json.loads(out)


def test_lines_tables_and_the_log(capsys):
    say(EVIL)
    say(EVIL, err=True)
    tell(EVIL, text_table([(EVIL, "b")], columns=("a", "b"), title=EVIL))
    json_log("-", spec=EVIL)("event", note=EVIL)
    out, err = capsys.readouterr()
    assert harmless(out) and harmless(err) and out.count(":smile:") == 4 and "[/red][bold]" in out


def test_no_command_writes_past_the_door():
    from pathlib import Path

    import cba.cli

    sources = {file.name: file.read_text() for file in Path(cba.cli.__file__).parent.glob("*.py")}
    for name, text in sources.items():
        if name != "answers.py":
            assert text.count("typer.echo(") == text.count('typer.echo(f"cba {') + text.count(
                'typer.echo(f"\\r'
            )
            assert not any(word in text for word in ("print(f", "sys.stdout", "sys.stderr", ".print("))
    assert sys.stdout
