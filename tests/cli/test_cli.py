"""The command line: exit codes, JSON, where things are written, and what each command says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cba.cli import main
from cba.errors import GateError
from cba.inputs.files import priors_folder
from tests.fakes import made_up, small_analysis, stages_of

SMALL = """
schema = 1
name = "small"
title = "A small analysis"
release = 2024
evidence_until = 2024
stances = ["evidence", "sceptical"]
options = ["bau", "care_review", "kinship_only"]
start_year = 2026
target_year = 2032
price_base = 2024
draws = 400
tune = 400
chains = 4
seed = 0
"""
ERROR_FIELDS = {"problem", "file", "field", "found", "allowed", "usual cause", "next step"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder with one small analysis in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def fast(here, monkeypatch):
    """Put made-up stages in the place of the models."""
    monkeypatch.setattr("cba.runs.stages.ordinary_stages", lambda **_: stages_of())
    return here


def answer(capsys, *words: str) -> tuple[int, dict]:
    """Run a command with --json and read its one document."""
    code = main([*words, "--json"])
    out, err = capsys.readouterr()
    assert err == ""
    content = json.loads(out)
    assert content.get("exit_code", 0) == code
    return code, content


# -- run -----------------------------------------------------------------------------------------------------


def test_run_stores_prints_both_framings_and_the_path(fast, capsys):
    assert main(["run", "small.toml"]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # no progress bar where it is not a terminal
    (report,) = Path("reports/small").glob("2*/report.html")
    assert f"Report: {report}\n" in out
    results = made_up(small_analysis()).results
    chance = results["prob_npv_positive.care_review"]["mean"]
    assert re.search(
        rf"has a {chance:.0%} chance of a net saving .* and a {1 - chance:.0%} chance of a net cost",
        flat(out),
    )
    assert "<1% chance of at least 30,000 fewer" in flat(out) and ">99% chance of less than that" in flat(out)
    rows = [line for line in out.splitlines() if re.match(r"│ (bau|care_review|kinship_only) ", line)]
    assert [line.split()[1] for line in rows] == [
        "care_review",
        "kinship_only",
    ]  # business as usual has no row
    assert "never: " in rows[0] and "not defined" not in rows[0]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_figures_are_rounded_to_their_monte_carlo_error(fast, capsys):
    main(["run", "small.toml"])
    out = flat(capsys.readouterr().out)
    entry = made_up(small_analysis()).results["npv_fiscal.care_review"]
    assert 1e7 < entry["mcse"] < 1e8  # so the mean is printed to the nearest 0.1 billion
    assert f"a net cost of £{-entry['mean'] / 1e9:.1f} billion" in out


def test_run_in_json_is_one_document_with_the_results(fast, capsys):
    code, content = answer(capsys, "run", "small.toml")
    assert code == 0 and content["published"] is True
    stored = json.loads((Path(content["path"]) / "headline.json").read_text())
    assert content["results"] == stored["results"] and set(content["results_by_stance"]) == {"sceptical"}
    assert Path(content["report"]).is_file()


def test_root_draws_and_publish(fast, capsys):
    _, first = answer(capsys, "run", "small.toml", "--root", "elsewhere")
    assert Path(first["path"]).parent == Path("elsewhere/small") and not Path("reports").exists()
    _, second = answer(capsys, "run", "small.toml", "--root", "elsewhere", "--draws", "800")
    assert second["published"] is False
    manifest = json.loads((Path(second["path"]) / "manifest.json").read_text())
    assert manifest["draws"] == 800 and manifest["settings"]["draws"] == 800
    _, third = answer(capsys, "run", "small.toml", "--root", "elsewhere", "--publish")
    assert third["published"] is True
    _, listed = answer(capsys, "runs", "--root", "elsewhere")
    assert [row["run"] for row in listed["runs"] if row["published"]] == [third["run"]]


def test_a_shipped_analysis_runs_by_name_from_any_folder(here, capsys, monkeypatch):
    (here / "small.toml").unlink()
    seen = []

    def appraise(analysis, *, stance, **fits):
        seen.append(analysis.name)
        return made_up(analysis, stance=stance)

    monkeypatch.setattr("cba.runs.stages.ordinary_stages", lambda **_: stages_of(appraise=appraise))
    code, content = answer(capsys, "run", "latest")
    assert code == 0 and seen == ["latest"] * 3
    assert Path(content["path"]).parent == Path("reports/latest") and Path(content["path"]).is_dir()


@pytest.mark.parametrize(
    "words, says",
    [
        (["run", "nosuch"], ["nosuch", "latest", "review_2022"]),
        (["run", "missing.toml"], ["missing.toml", "does not exist"]),
        (["run", "small.toml", "--draws", "801"], ["multiple of chains", "801", "--draws"]),
        (["run", "small.toml", "--draws", "-4"], ["draws", "-4"]),
        (["run", "bad.toml"], ["bad.toml", "not valid TOML"]),
        (["priors", "--stance", "hopeful"], ["hopeful", "sceptical"]),
        (["priors", "--stance", "review"], ["review", "cba.appraise"]),
        (["priors", "family_help.stay_ration"], ["family_help.stay_ratio"]),
        (["report", "nosuch"], ["nosuch", "cba runs"]),
    ],
)
def test_bad_input_exits_2_says_what_and_writes_nothing(here, capsys, words, says):
    Path("bad.toml").write_text("schema = \n")
    before = sorted(path.name for path in here.iterdir())
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and "next step: " in err
    assert all(part in err for part in says), err
    code, content = answer(capsys, *words)
    assert code == 2 and set(content["error"]) == ERROR_FIELDS
    assert content["error"]["problem"] and content["error"]["next step"]
    assert sorted(path.name for path in here.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["run"], ["run", "small.toml", "--nonsense"], ["run", "small.toml", "--draws", "many"]],
)
def test_bad_usage_exits_2_in_text_and_json(here, capsys, words):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and len(err.splitlines()) == 1
    code, content = answer(capsys, *words)
    assert code == 2 and set(content["error"]) == ERROR_FIELDS


def test_no_command_prints_the_help_and_exits_2(capsys):
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().out


def test_a_failed_gate_exits_3_and_prints_diagnostics_only(here, capsys, monkeypatch):
    failure = "R-hat: found 1.2, required 1.01 (last_level)"

    def fails(analysis, *, stance, **fits):
        raise GateError("the baseline model has not converged", [failure])

    monkeypatch.setattr("cba.runs.stages.ordinary_stages", lambda **_: stages_of(appraise=fails))
    assert main(["run", "small.toml"]) == 3
    out, err = capsys.readouterr()
    (place,) = Path("reports/small/failed").glob("*/diagnostics.json")
    assert out == "" and failure in err and str(place) in err
    code, content = answer(capsys, "run", "small.toml")
    assert code == 3 and content["error"]["failures"] == [failure]
    assert Path(content["error"]["diagnostics"]).is_file() and "results" not in content
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []


def test_a_file_where_the_reports_belong_is_a_wrong_input_and_is_untouched(fast, capsys):
    Path("reports").write_text("mine")
    assert main(["run", "small.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "not a folder" in err and "--root" in err and "Traceback" not in err
    code, content = answer(capsys, "run", "small.toml")
    assert code == 2 and set(content["error"]) == ERROR_FIELDS
    assert Path("reports").read_text() == "mine"


def test_a_full_disk_exits_1_and_leaves_no_run(here, capsys, monkeypatch):
    def full(appraisals, *, headline, manifest):
        with open("/dev/full", "wb", buffering=0) as device:
            device.write(b"0")

    monkeypatch.setattr("cba.runs.stages.ordinary_stages", lambda **_: stages_of(render=full))
    assert main(["run", "small.toml"]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert {path.name for path in Path("reports/small").iterdir()} == {".lock"}


def test_a_bug_is_one_line_and_exit_1_with_the_traceback_on_request(here, capsys, monkeypatch):
    def bug(analysis, *, stance, **fits):
        raise ZeroDivisionError("division by zero\nand more")

    monkeypatch.setattr("cba.runs.stages.ordinary_stages", lambda **_: stages_of(appraise=bug))
    assert main(["run", "small.toml"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err == (
        "error: ZeroDivisionError: division by zero (run again with --debug and report what it prints)\n"
    )
    assert main(["run", "small.toml", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    code, content = answer(capsys, "run", "small.toml")
    assert code == 1 and set(content["error"]) == ERROR_FIELDS


def test_an_interrupt_leaves_nothing(here, capsys, monkeypatch):
    def interrupted(analysis, *, stance, **fits):
        raise KeyboardInterrupt

    monkeypatch.setattr("cba.runs.stages.ordinary_stages", lambda **_: stages_of(appraise=interrupted))
    assert main(["run", "small.toml"]) == 130
    assert "interrupted" in capsys.readouterr().err and not Path("reports").exists()


# -- runs, check of a run ------------------------------------------------------------------------------------


def test_runs_lists_and_verifies(fast, capsys):
    assert main(["runs"]) == 0
    assert "cba run latest" in capsys.readouterr().out
    _, first = answer(capsys, "run", "small.toml")
    code, content = answer(capsys, "runs", "--verify")
    (row,) = content["runs"]
    assert (
        code == 0 and row["published"] and row["damage"] == [] and row["stances"] == ["evidence", "sceptical"]
    )
    assert main(["runs"]) == 0
    out = capsys.readouterr().out
    assert first["run"] in out and "sound" in out
    draws = Path(first["path"]) / "stances" / "evidence" / "draws.nc"
    draws.write_bytes(draws.read_bytes()[:-8])
    code, content = answer(capsys, "runs", "--verify")
    assert code == 1 and content["runs"][0]["damage"][0].startswith("stances/evidence/draws.nc: damaged")
    assert main(["check", first["path"]]) == 1
    assert "stances/evidence/draws.nc: damaged" in capsys.readouterr().out
    assert main(["report", "small"]) == 1
    assert "stances/evidence/draws.nc: damaged" in capsys.readouterr().err


def test_check_of_a_sound_run(fast, capsys):
    _, first = answer(capsys, "run", "small.toml")
    code, content = answer(capsys, "check", first["path"])
    assert code == 0 and content["checks"][0]["what"] == "run"


# -- check ---------------------------------------------------------------------------------------------------


def test_check_of_everything_that_ships(here, capsys):
    code, content = answer(capsys, "check")
    assert code == 0, [row for row in content["checks"] if row["exit_code"]]
    kinds = {row["what"] for row in content["checks"]}
    shipped = {
        "priors",
        "plausibility",
        "claims",
        "study costs",
        "options",
        "evidence",
        "observed series",
        "analysis",
    }
    assert kinds == shipped
    assert {"latest", "review_2022"} <= {row["place"] for row in content["checks"]}
    assert "release 2021 and 2024" in next(
        r["found"] for r in content["checks"] if r["what"] == "observed series"
    )
    assert sorted(path.name for path in here.iterdir()) == ["small.toml"]


def test_check_tells_files_apart_and_checks_all_of_them(here, capsys):
    from cba.inputs.tables import PUBLISHED

    option = priors_folder() / "options" / "dfe_2023.toml"
    Path("broken.toml").write_text("[group.entry]\ndescription = 'no more'\n")
    Path("table.csv").write_text("a,b\n1,2\n")
    given = [
        "broken.toml",
        "small.toml",
        "table.csv",
        "absent.toml",
        str(option),
        str(priors_folder() / "delivery.toml"),
        str(PUBLISHED / "unit_costs.csv"),
        str(PUBLISHED / "evidence_effects.csv"),
    ]
    code, content = answer(capsys, "check", *given)
    assert code == 2
    found = {(row["place"], row["what"]): row["exit_code"] for row in content["checks"]}
    assert found == {
        ("broken.toml", "priors"): 2,
        ("small.toml", "analysis"): 0,
        ("table.csv", "input file"): 2,
        ("absent.toml", "input file"): 2,
        (given[4], "option"): 0,
        (given[5], "priors"): 0,
        (given[6], "published table"): 0,
        (given[7], "evidence"): 0,
    }
    for row in content["checks"]:
        if row["exit_code"]:
            assert set(row["error"]) == ERROR_FIELDS and row["error"]["file"] and row["error"]["next step"]
    assert main(["check", *given]) == 2
    out = capsys.readouterr().out
    assert "10 checked, 4 failed" in out and "description" not in out.splitlines()[0]


BAD_FILES = {  # two files that cannot be parsed, nested too deep, or refused only when they are read
    "unparsable": ("[group\n", "id = \n"),
    "too deep": ("a = " + "[" * 5_000, "a = " + "[" * 5_000),
    "refused": (
        '[a.b]\ndescription = "\\u200b"\nbase = "none"\nid = "aaa"\n',
        '[a.b]\ndescription = ""\nbase = "none"\nid = "zzz"\n',
    ),
}


@pytest.mark.parametrize("bad", BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("kind", ["priors", "options"])
def test_check_of_a_folder_lists_every_bad_file_beside_the_sound_ones(here, capsys, kind, bad):
    import shutil

    shipped = priors_folder() if kind == "priors" else priors_folder() / "options"
    whole = {file.name for file in shipped.glob("*.toml")}
    Path("mine").mkdir()
    for name in whole:
        shutil.copy(shipped / name, Path("mine"))
    assert answer(capsys, "check", "mine")[0] == 0
    Path("mine/aaa.toml").write_text(bad[0])
    Path("mine/zzz.toml").write_text(bad[1])
    code, content = answer(capsys, "check", "mine")
    assert code == 2
    sound = {Path(row["place"]).name for row in content["checks"] if row["exit_code"] == 0}
    failed = {Path(row["place"]).name for row in content["checks"] if row["exit_code"]}
    assert failed == {"aaa.toml", "zzz.toml"} and sound == whole


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ("[hold]\nbanana = 1.0", "hold.banana"),
        ("[hold]\nprob = 5.0", "hold.prob"),
        ("long = 'a.csv'", "long"),
    ],
)
def test_check_refuses_what_a_run_would_refuse_and_takes_names_as_a_run_does(here, capsys, lines, field):
    assert answer(capsys, "check", "latest")[0] == 0
    text = Path("small.toml").read_text()
    Path("small.toml").write_text(f"{text}\n{lines}\n" if lines[0] == "[" else f"{lines}\n{text}")
    code, content = answer(capsys, "check", "small.toml")
    assert code == 2 and content["checks"][0]["error"]["field"] == field
    assert content["checks"][0]["error"]["file"]


def test_check_of_figures_that_disagree_exits_3(here, capsys):
    import shutil

    from cba.inputs.tables import PUBLISHED

    shutil.copytree(PUBLISHED, here / "mine")
    table = here / "mine" / "england_children.csv"
    lines = table.read_text().splitlines(keepends=True)
    row = next(i for i, line in enumerate(lines) if line.startswith("2024,2024,stock,age,10_15,"))
    cells = lines[row].split(",")
    cells[5] = str(int(cells[5]) + 1000)
    lines[row] = ",".join(cells)
    table.write_text("".join(lines))
    code, content = answer(capsys, "check", "mine")
    assert code == 3
    failed = next(row for row in content["checks"] if row["exit_code"] == 3)
    assert any("stock_by_age" in line and "2024" in line for line in failed["error"]["failures"])


# -- priors --------------------------------------------------------------------------------------------------


def test_priors_are_listed_in_full(capsys):
    from cba.inputs.priors import load_priors

    code, content = answer(capsys, "priors")
    assert code == 0 and [row["name"] for row in content["priors"]] == list(load_priors())
    assert main(["priors"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in load_priors())


def test_an_entry_is_explained_in_words_with_its_override(capsys):
    from cba.inputs.priors import load_priors

    entry, other = (load_priors(stance=stance)["effects.attenuation"] for stance in ("evidence", "sceptical"))
    assert main(["priors", "effects.attenuation"]) == 0
    out = capsys.readouterr().out
    low, middle, high = (f"{value:.4g}" for value in entry.fitted.ppf([0.05, 0.5, 0.95]))
    assert f"as likely above as below {middle}; 9 chances in 10 that it lies from {low} to {high}" in out
    assert entry.description in out and entry.confidence in out and entry.reviewed.isoformat() in out
    assert all(source.title in out for source in entry.source) and other.reason in out
    assert f"{float(other.fitted.ppf(0.5)):.4g}" in out
    assert main(["priors", "effects.attenuation", "--stance", "sceptical"]) == 0
    assert f"as sceptical holds it: {other.reason}" in capsys.readouterr().out


def test_every_prior_can_be_explained():
    from cba.cli.priors import explain
    from cba.inputs.priors import load_priors

    for stance in ("evidence", "sceptical"):
        registry = load_priors(stance=stance)
        for name in registry:
            text = explain(registry[name], registry=registry)
            assert "nan" not in text.lower().split() and text.startswith(name)


# -- from outside --------------------------------------------------------------------------------------


def cba(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cba.cli", *words]
    place = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, check=False, env={**os.environ, "PYTHONPATH": place}
    )


def test_help_names_every_command():
    done = cba("--help")
    assert done.returncode == 0
    for command in ("run", "check", "runs", "priors", "report"):
        assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", ["run", "check", "runs", "priors", "report"])
def test_the_help_of_a_command_stops_before_its_parameters(command, capsys):
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "--json" in out and "Parameters" not in out and "-------" not in out


def test_help_imports_nothing_that_computes():
    code = (
        "import sys; from cba.cli import main; main(['--help']);"
        "heavy = {'numpy','pandas','xarray','pymc','matplotlib','preliz','pydantic','pandera','scipy'};"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_exit_codes_reach_the_shell(tmp_path):
    assert cba("runs", cwd=tmp_path).returncode == 0
    assert cba("run", "nosuch", cwd=tmp_path).returncode == 2
    (tmp_path / "file").write_text("")
    assert cba("run", "smoke", "--root", "file", cwd=tmp_path).returncode == 2


def test_a_closed_pipe_is_no_error(tmp_path):
    place = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        f"{sys.executable} -m cba.cli priors --json | head -1",
        shell=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        env={**os.environ, "PYTHONPATH": place},
    )
    assert done.stdout == "{\n" and done.stderr == ""
