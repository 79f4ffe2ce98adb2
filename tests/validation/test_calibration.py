"""Ranks, stores and workers of simulation-based calibration, held against closed forms; nothing is sampled here."""

from __future__ import annotations

import json
import textwrap

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cba.errors import InputError
from cba.validation import calibration as calibration_ranks
from cba.validation.calibration import (
    Calibration,
    WorkersLostError,
    _all_replicates,
    as_frames,
    calibrate,
    judged_ranks,
    keep_calibration,
    keep_replicate,
    kept_replicates,
    rank_band,
    rank_shares,
    run_replicates,
    store_folder,
    uniformity_p_values,
)

RANKED = 99


def conjugate_ranks(*, replicates: int, believed_sd: float, seed: int = 1) -> np.ndarray:
    """Ranks of a normal mean among exact posterior draws; the data have standard deviation 1, prior 1, n = 4."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(replicates)
    mean = truth + rng.standard_normal(replicates) / 2.0
    variance = 1.0 / (1.0 + 4.0 / believed_sd**2)
    centre = variance * 4.0 / believed_sd**2 * mean
    draws = centre[:, None] + np.sqrt(variance) * rng.standard_normal((replicates, RANKED))
    return (draws < truth[:, None]).sum(axis=1)


def test_an_exact_posterior_passes_and_a_wrong_likelihood_is_found():
    ranks = pd.DataFrame(
        {
            "right": conjugate_ranks(replicates=200, believed_sd=1.0),
            "too_sure": conjugate_ranks(replicates=200, believed_sd=0.5),
            "too_unsure": conjugate_ranks(replicates=200, believed_sd=2.5),
        }
    )
    found = judged_ranks(ranks, ranked=RANKED).set_index("quantity")
    assert found["passed"].tolist() == [True, False, False]
    assert found.loc["too_sure", "finding"] == "draws too narrow"
    assert found.loc["too_unsure", "finding"] == "draws too wide"


def test_a_shift_is_named_by_its_direction():
    rng = np.random.default_rng(1)
    ranks = pd.DataFrame({"low": (100 * rng.beta(2.0, 1.2, 300)).astype(int)})
    assert judged_ranks(ranks, ranked=RANKED)["finding"].tolist() == ["draws too low"]


def test_p_values_of_uniform_ranks_are_uniform():
    """500 quantities without fault: the share below 5% is within 4 standard errors, and all of the range is used."""
    ranks = np.random.default_rng(3).integers(0, RANKED + 1, size=(200, 500))
    p = uniformity_p_values(ranks, ranked=RANKED)
    assert abs((p < 0.05).mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 500)
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_hundreds_of_sound_quantities_raise_no_alarm_and_holm_is_holms():
    ranks = np.random.default_rng(5).integers(0, RANKED + 1, size=(200, 300))
    table = judged_ranks(pd.DataFrame(ranks).add_prefix("q"), ranked=RANKED)
    assert table["passed"].all() and (table["p_value"] < 0.05).any()
    p = pd.Series([0.01, 0.04, 0.03])
    np.testing.assert_allclose(calibration_ranks._holm(p), [0.03, 0.06, 0.06])


def test_families_are_adjusted_apart():
    ranks = pd.DataFrame(
        np.random.default_rng(5).integers(0, 100, size=(200, 3)), columns=["a", "z[0]", "z[1]"]
    )
    table = judged_ranks(ranks, ranked=RANKED, latent=["z"]).set_index("quantity")
    assert table["family"].tolist() == ["parameters", "latent", "latent"]
    assert table.loc["a", "p_adjusted"] == table.loc["a", "p_value"]


def test_the_band_holds_all_places_at_once():
    """A fresh simulation: 95% of sets of uniform ranks lie inside everywhere."""
    band = rank_band(200, ranked=RANKED)
    ranks = np.random.default_rng(11).integers(0, RANKED + 1, size=(200, 2000))
    shares = rank_shares(ranks, ranked=RANKED)
    lower, upper = (
        band[side].to_numpy()[:, None] - 1e-9 * sign for side, sign in (("lower", 1), ("upper", -1))
    )
    inside = ((shares >= lower) & (shares <= upper)).all(axis=0).mean()
    assert abs(inside - 0.95) < 0.02


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """A module other processes can import: each call leaves a mark; number 3 kills its process the first time."""
    code = """
        import os, pathlib, random
        MARKS = pathlib.Path(__file__).parent / "marks"
        def work(number):
            MARKS.mkdir(exist_ok=True)
            (MARKS / f"{number}-{os.getpid()}-{random.random()}").touch()
            return result(number)
        def deadly(number):
            if number == 3 and not (MARKS / "died").exists():
                MARKS.mkdir(exist_ok=True)
                (MARKS / "died").touch()
                os.kill(os.getpid(), 9)
            return work(number)
        def always_deadly(number):
            os.kill(os.getpid(), 9)
        def wrong(number):
            raise ValueError(f"replicate {number} went wrong")
        def result(number):
            import numpy as np
            ranks = np.random.default_rng([7, number]).integers(0, 100, 2)
            return {"ranks": {"a": int(ranks[0]), "b": int(ranks[1])}, "divergences": 0,
                    "least_effective_draws": 120.0, "thinned_by": 10, "redrawn": 0}
    """
    (tmp_path / "counted_work.py").write_text(textwrap.dedent(code))
    monkeypatch.syspath_prepend(str(tmp_path))
    import importlib

    module = importlib.import_module("counted_work")
    yield module
    import sys

    del sys.modules["counted_work"]


def test_results_do_not_depend_on_the_workers(counted):
    by_workers = []
    for workers in (1, 2, 8):
        found = {}
        run_replicates(counted.work, range(10), keep=found.__setitem__, workers=workers)
        by_workers.append(dict(sorted(found.items())))
    assert by_workers[0] == by_workers[1] == by_workers[2]
    assert list(by_workers[0]) == list(range(10))


def test_a_worker_killed_midway_loses_nothing(counted):
    found = {}
    run_replicates(counted.deadly, range(12), keep=found.__setitem__, workers=2)
    assert (counted.MARKS / "died").exists()
    assert found == {number: counted.result(number) for number in range(12)}


def test_workers_that_always_die_are_given_up_on_and_an_error_is_not_swallowed(counted):
    with pytest.raises(WorkersLostError, match="2 replicates left.*fewer workers"):
        run_replicates(counted.always_deadly, range(2), keep=lambda *_: None, workers=2)
    with pytest.raises(ValueError, match="went wrong"):
        run_replicates(counted.wrong, range(4), keep=lambda *_: None, workers=2)


def test_a_cluster_that_closes_badly_hides_nothing(counted, monkeypatch):
    from distributed import Client

    def close_badly(client):
        closed(client)
        raise AssertionError("can only join a started process")

    closed = Client.close
    monkeypatch.setattr(Client, "close", close_badly)
    found = {}
    run_replicates(counted.work, range(3), keep=found.__setitem__, workers=2)
    assert sorted(found) == [0, 1, 2]
    with pytest.raises(ValueError, match="went wrong"):
        run_replicates(counted.wrong, range(4), keep=lambda *_: None, workers=2)


def test_a_rerun_does_only_what_is_left(counted, tmp_path):
    folder, steps = tmp_path / "store", []
    settings = {"workers": 1, "scheduler": None, "progress": lambda done, of: steps.append((done, of))}
    first = _all_replicates(counted.work, folder, replicates=5, **settings)
    assert len(list(counted.MARKS.iterdir())) == 5
    again = _all_replicates(counted.work, folder, replicates=8, **settings)
    assert len(list(counted.MARKS.iterdir())) == 8 and steps[-1] == (8, 8)
    assert {n: again[n] for n in range(5)} == first and list(again) == list(range(8))


def another_number(folder):
    keep_replicate(folder, 7, {"ranks": {}})
    (folder / "replicate_00007.json").rename(folder / "replicate_00003.json")


def another_state(folder):
    keep_replicate(folder.with_name("t"), 3, json.loads((folder / "replicate_00001.json").read_text()))
    (folder.with_name("t") / "replicate_00003.json").rename(folder / "replicate_00003.json")


NOT_A_REPLICATE = {
    "a part is missing": lambda folder: keep_replicate(folder, 3, {"ranks": {}}),
    "of another number": another_number,
    "of another state of the model": another_state,
    "a list": lambda folder: (folder / "replicate_00003.json").write_text("[1]"),
    "two odd bytes": lambda folder: (folder / "replicate_00003.json").write_bytes(b"\xff\xfe"),
    "brackets without end": lambda folder: (folder / "replicate_00003.json").write_text("[" * 200_000),
    "a folder": lambda folder: (folder / "replicate_00003.json").mkdir(),
    "a name without a number": lambda folder: (folder / "replicate_last.json").write_text("{}"),
}


@pytest.mark.parametrize("spoil", NOT_A_REPLICATE.values(), ids=NOT_A_REPLICATE)
def test_a_file_that_is_not_the_replicate_of_its_name_is_done_again(counted, tmp_path, capsys, spoil):
    keep_replicate(tmp_path / "s", 1, counted.result(1))
    (tmp_path / "s" / "replicate_00002.9.part").write_text('{"ranks"')  # half-written: never seen
    spoil(tmp_path / "s")
    assert kept_replicates(tmp_path / "s") == {1: counted.result(1)}
    said = capsys.readouterr().err
    assert "warning" in said and "replicate_" in said and "done again" in said


def test_a_stuck_replicate_is_counted_and_not_ranked(counted):
    results = {number: counted.result(number) for number in range(30)}
    results[4] |= {"divergences": 990}
    results[5] |= {"divergences": 30}
    ranks, details = as_frames(results)
    assert list(ranks.index) == [n for n in range(30) if n != 4] and details["stuck"].sum() == 1


def test_another_state_of_the_model_has_another_folder(tmp_path):
    folders = {store_folder(tmp_path, model="effects", fingerprint=f, seed=1) for f in ("a" * 64, "b" * 64)}
    assert len(folders) == 2


@pytest.mark.parametrize(
    ("settings", "field", "remedy"),
    [
        ({"model": "effect"}, "NAME", "choose one of these"),
        ({"model": "baseline", "replicates": 5}, "replicates", "at least 20"),
        ({"model": "baseline", "workers": 0}, "workers", "leave it out"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path, settings, field, remedy):
    with pytest.raises(InputError, match=remedy) as refused:
        calibrate(**settings, store=tmp_path)
    assert refused.value.details["field"] == field


def test_a_scheduler_that_does_not_answer_is_named(counted, monkeypatch):
    monkeypatch.setattr("cba.validation.calibration.PATIENCE", "1s")
    with pytest.raises(InputError, match="dask scheduler") as refused:
        run_replicates(counted.work, [1], keep=lambda *_: None, scheduler="tcp://127.0.0.1:9")
    assert refused.value.details["found"] == "tcp://127.0.0.1:9"


@pytest.mark.slow
def test_a_cluster_gives_the_same_and_survives_a_killed_worker(counted, monkeypatch):
    """An existing cluster, used by its address; it still stands afterwards."""
    from distributed import LocalCluster

    monkeypatch.setenv("PYTHONPATH", str(counted.MARKS.parent))  # workers, and those that take their place
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        found = {}
        run_replicates(counted.deadly, range(8), keep=found.__setitem__, scheduler=cluster.scheduler_address)
        assert (counted.MARKS / "died").exists()
        assert found == {number: counted.result(number) for number in range(8)}
        assert cluster.status.name == "running"


def made_calibration(model: str = "baseline", *, seed: int = 1) -> Calibration:
    ranks = pd.DataFrame(
        np.random.default_rng(seed).integers(0, 100, size=(200, 4)), columns=["a", "b", "z[0]", "z[1]"]
    )
    details = pd.DataFrame(
        {
            "divergences": [0] * 199 + [3],
            "least_effective_draws": 120.0,
            "thinned_by": 10,
            "redrawn": 1,
            "stuck": False,
        }
    )
    return Calibration(
        model=model,
        seed=seed,
        fingerprint="0" * 64,
        ranks=ranks.rename_axis("replicate"),
        replicates=details,
        verdicts=judged_ranks(ranks, ranked=RANKED, latent=["z"]),
    )


def test_the_record_is_read_back_as_written_and_says_that_the_model_has_changed(tmp_path, monkeypatch):
    from cba.models.slow_results import calibration_tables

    for model in ("baseline", "effects"):
        keep_calibration(made_calibration(model), tmp_path)
    assert not calibration_tables(tmp_path)["calibration_summary"]["stale"].any()
    monkeypatch.setattr("cba.models.slow_results.made_from", lambda name: "another state")
    tables = calibration_tables(tmp_path)
    summary = tables["calibration_summary"].set_index("model")
    assert summary["stale"].all() and len(tables["calibration_stale"]) == 2
    assert summary.loc["baseline", ["replicates", "quantities", "divergent_replicates"]].tolist() == [
        200,
        4,
        1,
    ]
    shares = tables["calibration_shares_effects"]
    ranks = pd.read_csv(tmp_path / "calibration_effects_ranks.csv")
    assert list(ranks.columns) == ["replicate", "a", "b"]
    place = shares["place"].iloc[10]
    expected = (ranks["a"] < round(100 * place)).mean() - place
    assert shares["a"].iloc[10] == pytest.approx(expected, abs=1e-4)


def test_one_model_done_again_leaves_the_other(tmp_path):
    from cba.models.slow_results import calibration_tables

    for model, seed in (("baseline", 1), ("effects", 1), ("effects", 2)):
        keep_calibration(made_calibration(model, seed=seed), tmp_path)
    summary = calibration_tables(tmp_path)["calibration_summary"]
    assert summary["model"].tolist() == ["baseline", "effects"] and summary["seed"].tolist() == [1, 2]


def test_the_kept_record_is_sound():
    """200 replicates or more of each model, and verdicts that follow from its ranks."""
    from cba.models.slow_results import SLOW_RESULTS, calibration_tables

    summary = calibration_tables()["calibration_summary"]
    place = SLOW_RESULTS["calibration_effects"].folder
    assert (
        summary["model"].tolist() == ["baseline", "effects", "authorities"]
        and (summary["replicates"] >= 200).all()
    )
    for model in summary["model"]:
        verdicts = pd.read_csv(place / f"calibration_{model}.csv").query("family == 'parameters'")
        ranks = pd.read_csv(place / f"calibration_{model}_ranks.csv").drop(columns="replicate")
        again = judged_ranks(ranks, ranked=RANKED)
        np.testing.assert_allclose(again["p_value"], verdicts["p_value"], rtol=2e-3)
        assert again["passed"].tolist() == verdicts["passed"].tolist()


def test_replicates_are_plain_json(counted, tmp_path):
    keep_replicate(tmp_path, 0, counted.result(0))
    whose = {"made_for": tmp_path.name, "number": 0}
    assert json.loads((tmp_path / "replicate_00000.json").read_text()) == whose | counted.result(0)
