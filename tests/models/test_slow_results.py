"""Kept results: a key of what code does, tables and priors; stale when it moves, and kept whole."""

from __future__ import annotations

import dataclasses
import json
import shutil
from types import MappingProxyType

import pandas as pd
import pytest

import cba
from cba.errors import InputError, StoreError
from cba.models import slow_results
from cba.models.slow_results import (
    SLOW_RESULTS,
    backtest_tables,
    calibration_tables,
    code_reached,
    how_made,
    keep_result,
    kept_table,
    made_from,
    provenance_of_slow_results,
    provenance_words,
    slow_results_named,
)
from cba.runs.stages import observe

FIT = '''
from cba.other import used
RATE = 2.0
def fit(x: int) -> int:
    """Doc."""
    if x < 0:
        raise ValueError("too small")
    return helper(used(x)) * RATE
def helper(x):
    return x + 1
def unused():
    return fit(3)
'''
USED = "def used(x):\n    return 3 * x\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two files, and its code as reached from `fit`."""
    monkeypatch.setattr(slow_results, "PACKAGE", tmp_path)

    def reached(fit=FIT, used=USED, **more):
        for name, text in {"one": fit, "other": used, **more}.items():
            (tmp_path / f"{name}.py").write_text(text)
        slow_results._definitions.cache_clear()
        slow_results._reached.cache_clear()
        return code_reached(("cba.one:fit",))

    yield reached
    slow_results._definitions.cache_clear()
    slow_results._reached.cache_clear()


def test_words_layout_annotations_and_what_is_not_used_do_not_count(package):
    first = package()
    others = FIT.replace("Doc.", "Other words.").replace("x: int) -> int", "x: float) -> float")
    others = others.replace("too small", "below nought").replace("return fit(3)", "return fit(4)")
    assert package(others.replace("\ndef ", "\n\n# why\ndef ")) == first


def test_where_a_function_stands_does_not_count(package):
    first = package()
    moved = FIT.replace("def helper(x):\n    return x + 1\n", "from cba.third import helper\n")
    assert package(moved, third="def helper(x):\n    return x + 1\n") == first


@pytest.mark.parametrize(
    ("old", "new"), [("x + 1", "x + 2"), ("RATE = 2.0", "RATE = 2.5"), ("x < 0", "x < 1")]
)
def test_what_code_does_counts_at_any_depth(package, old, new):
    assert package(FIT.replace(old, new)) != package()
    assert package(FIT, USED.replace("3 * x", "4 * x")) != package()


@pytest.mark.parametrize("use", ["other.used(x)", "getattr(other, name)(x)"])
def test_what_is_read_of_an_imported_file_counts(package, use):
    by_file = FIT.replace("from cba.other import used", "from cba import other").replace("used(x)", use)
    assert package(by_file, USED.replace("3 * x", "4 * x")) != package(by_file, USED)
    beside = USED + "def beside(x):\n    return x\n"
    # what is beside it counts only where the whole file is passed on
    assert (package(by_file, beside) == package(by_file, USED)) == use.startswith("other")


def test_a_maker_that_is_gone_is_named(package):
    with pytest.raises(ValueError, match="does not define fit"):
        package(FIT.replace("def fit(", "def gone("))


def test_every_maker_stands_and_each_result_has_a_key_of_its_own():
    keys = [made_from(name) for name in SLOW_RESULTS]
    assert len(set(keys)) == len(SLOW_RESULTS) and keys == [made_from(name) for name in SLOW_RESULTS]


@pytest.mark.parametrize(
    ("entry", "moves"),
    [
        ("panel.effect", {"panel", "authorities", "calibration_authorities"}),
        ("baseline.uasc_half_life", {"backtest", "authorities", "calibration_baseline"}),
        ("effects.transport", {"calibration_effects"}),
        ("family_help.children_per_family", set()),
    ],
)
def test_a_moved_prior_makes_stale_what_reads_it(monkeypatch, entry, moves):
    before = {name: made_from(name) for name in SLOW_RESULTS}
    priors = cba.load_priors()
    numbers = {name: value + 0.001 for name, value in priors[entry].parameters.items()}
    moved = dataclasses.replace(
        priors[entry], fitted=dataclasses.replace(priors[entry].fitted, parameters=numbers)
    )
    entries = MappingProxyType({**priors.entries, entry: moved})
    monkeypatch.setattr(slow_results, "load_priors", lambda: dataclasses.replace(priors, entries=entries))
    # The curve is made from every prior.
    assert {name for name in SLOW_RESULTS if made_from(name) != before[name]} == moves | {"curve"}


def test_a_result_is_current_until_its_key_moves(tmp_path, monkeypatch):
    table = pd.DataFrame({"a": [1, 2]})
    keep_result("panel", {"path": table}, release=2024, folder=tmp_path / "kept", sets=500)
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == ["panel.json", "path.csv"]
    kept = how_made("panel", tmp_path / "kept")
    assert kept["current"] and (kept["sets"], kept["release"], kept["version"]) == (
        500,
        2024,
        cba.__version__,
    )
    assert kept_table("panel", "path", folder=tmp_path / "kept").equals(table) and "files" not in kept
    words = f"England's panel of authorities: made from release 2024, version {cba.__version__}"
    assert provenance_words(SLOW_RESULTS["panel"], kept) == words
    monkeypatch.setattr(slow_results, "made_from", lambda name: "another state")
    stale = provenance_words(SLOW_RESULTS["panel"], how_made("panel", tmp_path / "kept"))
    assert stale == f"{words}; stale: `cba refresh panel` makes it again"


def test_what_is_not_kept_says_how_to_make_it(tmp_path):
    assert how_made("backtest", tmp_path) == {}
    assert backtest_tables(tmp_path) == {} and calibration_tables(tmp_path) == {}
    assert "`cba refresh backtest`" in provenance_words(SLOW_RESULTS["backtest"], {})


def test_every_shipped_result_is_whole_and_of_the_newest_release(monkeypatch):
    newest = int(cba.load_observations().attrs["release"])
    for name, result in SLOW_RESULTS.items():
        record = json.loads((result.folder / result.record).read_text())
        assert {"made", "release", "version", "made_from"} <= set(record), name
        assert record["release"] == newest, f"{name} is of an older release: run `{result.command}`"
    monkeypatch.setattr(slow_results, "made_from", lambda name: "another state")
    assert len(provenance_of_slow_results(stale=True)) == len(SLOW_RESULTS)
    assert {"cba", "drift", "former: pace"} <= set(backtest_tables()["backtest_headline"]["forecast"])


def test_names_are_those_of_the_results_and_calibration_is_all_models():
    assert [one.name for one in slow_results_named("calibration")] == [
        "calibration_baseline",
        "calibration_effects",
        "calibration_authorities",
    ]
    assert len(slow_results_named("all")) == len(SLOW_RESULTS)
    with pytest.raises(InputError, match="choose one of these"):
        slow_results_named("panels")


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("headline.csv", lambda text: text.replace("1", "2", 1)),
        ("scores.csv", lambda text: text[:-40]),
        ("backtest.json", lambda text: text[:-40]),
        ("backtest.json", lambda text: "[" * 100_000),
        ("backtest.json", lambda text: text.replace('"release"', '"released"')),
    ],
)
def test_an_edited_or_damaged_result_is_named_and_never_read(tmp_path, file, change):
    shutil.copytree(SLOW_RESULTS["backtest"].folder, tmp_path / "kept")
    place = tmp_path / "kept" / file
    assert backtest_tables(tmp_path / "kept")
    place.write_text(change(place.read_text()))
    with pytest.raises(StoreError, match="a kept result is damaged") as refused:
        backtest_tables(tmp_path / "kept")
    assert refused.value.details["file"] == str(place)
    assert "cba refresh backtest" in refused.value.details["next step"]
    said = provenance_words(SLOW_RESULTS["backtest"], how_made("backtest", tmp_path / "kept"))
    assert f"damaged ({file}" in said and "`cba refresh backtest` makes it again" in said


def test_a_run_refuses_a_damaged_result_before_it_fits(tmp_path, monkeypatch):
    shutil.copytree(SLOW_RESULTS["panel"].folder, tmp_path / "kept")
    (tmp_path / "kept" / "path.csv").unlink()
    moved = dataclasses.replace(SLOW_RESULTS["panel"], folder=tmp_path / "kept")
    monkeypatch.setitem(slow_results.SLOW_RESULTS, "panel", moved)
    with pytest.raises(StoreError, match="damaged"):
        observe(None)
