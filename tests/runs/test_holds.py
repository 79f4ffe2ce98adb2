"""Holds: what is beyond tolerance waits for a person, noise does not, and the tolerances are the analysis's own."""

from __future__ import annotations

import pytest

from cba.errors import InputError
from cba.inputs.analyses import stored_analysis
from cba.runs.execute import RunRequest, execute
from cba.runs.holds import default_tolerances, hold_reasons, hold_tolerances
from cba.runs.reading import find_run
from tests.fakes import made_up, small_analysis, stages_of


def entry(mean: float | None, *, half: float = 1.0, mcse: float = 0.0) -> dict[str, object]:
    ends = (None, None) if mean is None else (mean - half, mean + half)
    return {"label": "", "mean": mean, "lower": ends[0], "upper": ends[1], "mcse": mcse}


def chance(mean: float, mcse: float = 0.0) -> dict[str, object]:
    return {"label": "", "mean": mean, "lower": None, "upper": None, "mcse": mcse}


@pytest.mark.parametrize(
    "key, before, after, held",
    [
        ("npv_fiscal.a", entry(0.0), entry(0.49), False),  # a quarter of a width of 2 is 0.5
        ("npv_fiscal.a", entry(0.0), entry(-0.51), True),
        (
            "npv_fiscal.a",
            entry(0.0, mcse=0.1),
            entry(0.9, mcse=0.1),
            False,
        ),  # within 0.5 + 3 sqrt(0.02) = 0.924
        ("npv_fiscal.a", entry(0.0, mcse=0.1), entry(0.93, mcse=0.1), True),
        ("prob_npv_positive.a", chance(0.2), chance(0.29), False),
        ("prob_npv_positive.a", chance(0.2), chance(0.31), True),
        ("prob_fewer_30000_2032.a", chance(0.2), chance(0.31), True),
        ("children_in_care_2032.bau", entry(80_000, half=2000), entry(80_900, half=2000), False),
        ("children_in_care_2032.bau", entry(80_000, half=2000), entry(81_100, half=2000), True),
        ("fewer_children_2032.bau", entry(0.0, half=0.0), entry(0.0, half=0.0), False),
        ("payback_year.a", entry(2030), entry(2050), False),  # no tolerance is stated for it
        ("bcr.a", entry(1.0), entry(None), True),
        ("bcr.a", entry(None), entry(1.0), False),
    ],
)
def test_a_shift_is_held_where_it_passes_tolerance_and_noise(key, before, after, held):
    reasons = hold_reasons({key: before}, {key: after}, tolerances=default_tolerances())
    assert bool(reasons) == held and all(key in reason for reason in reasons)


def test_options_that_come_or_go_hold_nothing_but_a_result_that_is_gone_does():
    old = {"npv_fiscal.a": entry(0.0), "npv_fiscal.b": entry(0.0), "bcr.a": entry(1.0)}
    new = {"npv_fiscal.a": entry(0.0), "npv_fiscal.c": entry(9.0)}
    assert hold_reasons(old, new, tolerances=default_tolerances()) == (
        "bcr.a was 1 and is no longer defined",
    )


def test_the_analysis_sets_its_own_tolerances():
    assert hold_tolerances({}) == default_tolerances()
    assert hold_tolerances({"hold": {"npv_fiscal": 1}}) == {**default_tolerances(), "npv_fiscal": 1.0}
    for given in (
        {"npv": 1.0},
        {"npv_fiscal": 0},
        {"npv_fiscal": "much"},
        {"npv_fiscal": True},
        {"prob": 5.0},
        {"bcr": 1e300},
    ):
        with pytest.raises(InputError) as caught:
            hold_tolerances({"hold": given})
        assert next(iter(given)) in str(caught.value) and caught.value.details["next step"]


def shifted(by: float):
    return stages_of(appraise=lambda analysis, *, stance, **fits: made_up(analysis, stance=stance, shift=by))


def test_a_run_that_moved_is_stored_and_not_shown(tmp_path):
    first = execute(small_analysis(), root=tmp_path, stages=shifted(0.0))
    near = execute(small_analysis(), root=tmp_path, stages=shifted(1e7), request=RunRequest(publish=True))
    assert first.held == () and near.held == () and near.published
    far = execute(
        small_analysis(), root=tmp_path, stages=shifted(3e9), request=RunRequest(publish=True, by="A")
    )
    assert far.held and not far.published and far.manifest["run_by"] == "A"
    assert find_run(tmp_path, "small/published").name == near.name
    assert any(reason.startswith("npv_fiscal.care_review moved") for reason in far.held)
    assert far.headline["run"]["held"] == list(far.held)


def test_a_reason_known_beforehand_holds_even_the_first_run(tmp_path):
    run = execute(
        small_analysis(),
        root=tmp_path,
        stages=shifted(0.0),
        request=RunRequest(held=("a major new version",)),
    )
    assert run.held == ("a major new version",) and not run.published


LOOSENED = {
    "a tolerance": ({"hold": {"npv_fiscal": 0.9}}, "hold.npv_fiscal is 0.9, looser than the usual 0.25"),
    "R-hat": ({"gates": {"rhat": 1.05}}, "gates.rhat is 1.05, looser than the usual 1.01"),
    "effective draws": ({"gates": {"ess": 100}}, "gates.ess is 100, looser than the usual 400"),
    "BFMI": ({"gates": {"bfmi": 0.1}}, "gates.bfmi is 0.1, looser than the usual 0.3"),
    "divergences": ({"gates": {"divergences": 5}}, "gates.divergences is 5, looser than the usual 0"),
}


@pytest.mark.parametrize(("changes", "said"), LOOSENED.values(), ids=LOOSENED)
def test_a_run_judged_more_loosely_than_usual_says_so_and_waits_for_another_person(changes, said, tmp_path):
    settings = small_analysis().model_dump(mode="json", by_alias=True) | changes
    analysis = stored_analysis(settings, file="small.toml")
    run = execute(analysis, root=tmp_path, stages=shifted(0.0), request=RunRequest(publish=True, by="A"))
    assert run.held == (said,) and not run.published
    assert run.headline["run"]["loosened"] == [said] == run.manifest["loosened"]


def test_a_run_judged_more_strictly_than_usual_is_shown(tmp_path):
    settings = small_analysis().model_dump(mode="json", by_alias=True)
    strict = settings | {"hold": {"npv_fiscal": 0.1}, "gates": {"rhat": 1.005, "ess": 800, "bfmi": 0.5}}
    run = execute(stored_analysis(strict, file="small.toml"), root=tmp_path, stages=shifted(0.0))
    assert run.held == () and run.published and run.headline["run"]["loosened"] == []
