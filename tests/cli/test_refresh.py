"""``cba refresh``: lists what is kept, makes what is named, and says which model is not calibrated."""

from __future__ import annotations

import json

import pytest

from cba.cli import main
from cba.models import slow_results


def test_alone_it_lists_every_result_with_its_state_and_command(capsys):
    assert main(["refresh", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert set(results) == set(slow_results.SLOW_RESULTS)
    for kept in results.values():
        assert {"command", "minutes", "made", "release", "version", "current"} <= set(kept)
    assert main(["refresh"]) == 0
    said = capsys.readouterr().out
    assert (
        said.count("made from release 2024, version") == len(slow_results.SLOW_RESULTS)
        and "cba refresh calibration" in said
    )


def test_a_misspelt_name_is_refused(capsys):
    assert main(["refresh", "panels"]) == 2
    assert "no such result" in capsys.readouterr().err


@pytest.mark.parametrize(("current", "made"), [(True, []), (False, ["panel", "backtest", "authorities"])])
def test_all_makes_only_what_is_stale(monkeypatch, current, made):
    calls = []
    monkeypatch.setattr("cba.validation.authority_panel.refresh_panel", lambda: calls.append("panel"))
    monkeypatch.setattr(
        "cba.validation.authority_skill.refresh_authorities", lambda **how: calls.append("authorities")
    )
    monkeypatch.setattr("cba.validation.curve.refresh_curve", lambda **how: calls.append("curve"))
    monkeypatch.setattr("cba.validation.backtest.refresh_backtest", lambda **how: calls.append("backtest"))
    monkeypatch.setattr("cba.cli.update._calibration", lambda model, **how: calls.append(model) or 3)
    key = slow_results.made_from
    monkeypatch.setattr(
        slow_results, "made_from", lambda name: _kept(name) if current else key("panel") + name
    )
    assert main(["refresh", "all", "--json"]) == (0 if current else 3)
    assert calls == ([*made, "baseline", "effects", "authorities", "curve"] if made else [])


def _kept(name):
    result = slow_results.SLOW_RESULTS[name]
    return json.loads((result.folder / result.record).read_text())["made_from"]
