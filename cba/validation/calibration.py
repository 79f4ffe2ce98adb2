"""Simulation-based calibration of the shipped models: replicates done or gone on with, judged, and kept.

Made-up data have a known truth. If likelihood and sampler are right, its rank among the draws is uniform.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from cba.errors import InputError
from cba.inputs.files import text_of
from cba.inputs.safe_files import strict_json
from cba.models.slow_results import keep_result, made_from, slow_results_named

if TYPE_CHECKING:
    from distributed import Client

    from cba.validation.refits import Compiled


# --- Are ranks uniform? The test and band of Säilynoja, Bürkner and Vehtari (2022) on the counts of … ---


LEVEL = 0.05
"""Chance, in each family of quantities, of finding anything wrong where nothing is."""


SIMULATIONS = 20_000


RANKS_SEED = 20220523


def judged_ranks(
    ranks: pd.DataFrame, *, ranked: int, latent: Sequence[str] = (), level: float = LEVEL
) -> pd.DataFrame:
    """Judge whether the ranks of every quantity are uniform, allowing for how many are judged.

    `ranks`: one row per replicate, one column per quantity; 0 to `ranked`. `ranked`: draws the truth was
    ranked among. `latent`: variables judged as a family of their own, because there are hundreds of them.
    """
    # One row per quantity: ``quantity``, ``variable``, ``family`` (parameters or latent), ``p_value``,
    # ``p_adjusted`` (Holm 1979, within the family), ``largest_departure`` (of the shares of ranks from
    # uniform), ``mean_rank`` (0.5 where all is well), ``spread`` (variance over that of uniform ranks: above
    # 1 draws are too narrow, below 1 too wide), ``finding``, ``passed``.
    values = ranks.to_numpy(int)
    variable = [str(name).split("[")[0] for name in ranks.columns]
    scaled = (values + 0.5) / (ranked + 1)
    table = pd.DataFrame(
        {
            "quantity": [str(name) for name in ranks.columns],
            "variable": variable,
            "family": ["latent" if name in latent else "parameters" for name in variable],
            "p_value": uniformity_p_values(values, ranked=ranked),
            "largest_departure": np.abs(rank_shares(values, ranked=ranked) - _points(ranked)[:, None]).max(0),
            "mean_rank": scaled.mean(axis=0),
            "spread": 12.0 * scaled.var(axis=0) / (1.0 - 1.0 / (ranked + 1) ** 2),
        }
    )
    table["p_adjusted"] = table.groupby("family", sort=False)["p_value"].transform(_holm)
    table["passed"] = table["p_adjusted"] > level
    table["finding"] = [
        "as it should be" if row.passed else _finding(row.mean_rank, row.spread, count=len(ranks))
        for row in table.itertuples()
    ]
    order = ["quantity", "variable", "family", "p_value", "p_adjusted", "largest_departure", "mean_rank"]
    return table[[*order, "spread", "finding", "passed"]]


def _holm(values: pd.Series) -> np.ndarray:
    order = np.argsort(values.to_numpy())
    steps = np.maximum.accumulate(values.to_numpy()[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _finding(mean_rank: float, spread: float, *, count: int) -> str:
    """Name the departure that is larger in standard errors: of the mean rank, or of their spread."""
    shift = (mean_rank - 0.5) / np.sqrt(1.0 / (12.0 * count))
    wide = (spread - 1.0) / np.sqrt(0.8 / count)  # a uniform variable has kurtosis 1.8
    if abs(shift) > abs(wide):
        return "draws too low" if shift > 0 else "draws too high"
    return "draws too narrow" if wide > 0 else "draws too wide"


def _points(ranked: int) -> np.ndarray:
    return np.arange(1, ranked + 1) / (ranked + 1)


def rank_shares(ranks: np.ndarray, *, ranked: int) -> np.ndarray:
    """Share of ranks below 1, 2, ..., `ranked`. Shape (ranked, quantity). `ranks` (replicate, quantity)."""
    return np.stack([(ranks < place).mean(axis=0) for place in range(1, ranked + 1)])


def uniformity_p_values(ranks: np.ndarray, *, ranked: int, simulations: int = SIMULATIONS) -> np.ndarray:
    """Probability of ranks as far from uniform as these, quantity by quantity.

    Shape (quantity,). ``(1 + sets at least as far out) / (1 + sets)``. `ranks` (replicate, quantity).
    """
    counts = np.rint(rank_shares(ranks, ranked=ranked) * len(ranks)).astype(int)
    found = _furthest(counts, replicates=len(ranks), ranked=ranked)
    null = _null(len(ranks), ranked, simulations)
    return (1.0 + np.searchsorted(null, found, side="right")) / (1.0 + simulations)


def _furthest(counts: np.ndarray, *, replicates: int, ranked: int) -> np.ndarray:
    """Least two-sided probability of a count, over all places; counts have shape (ranked, set)."""
    table = _tails(replicates, ranked)
    return np.array([table[np.arange(ranked), column].min() for column in counts.T])


@lru_cache(maxsize=8)
def _tails(replicates: int, ranked: int) -> np.ndarray:
    """Log of the smaller tail probability of each count at each place, (ranked, replicates + 1)."""
    count, place = np.arange(replicates + 1)[None, :], _points(ranked)[:, None]
    below = stats.binom.logcdf(count, replicates, place)
    above = stats.binom.logsf(count - 1, replicates, place)
    return np.minimum(below, above)


@lru_cache(maxsize=8)
def _null(replicates: int, ranked: int, simulations: int) -> np.ndarray:
    """The statistic of sets of uniform ranks, sorted."""
    rng = np.random.default_rng(RANKS_SEED)
    table, found = _tails(replicates, ranked), []
    for start in range(0, simulations, 5000):
        size = min(5000, simulations - start)
        drawn = rng.multinomial(replicates, np.full(ranked + 1, 1.0 / (ranked + 1)), size=size)
        below = drawn.cumsum(axis=1)[:, :-1]
        found.append(table[np.arange(ranked)[None, :], below].min(axis=1))
    return np.sort(np.concatenate(found))


def rank_band(replicates: int, *, ranked: int, level: float = LEVEL) -> pd.DataFrame:
    """Band that the shares of uniform ranks stay inside at every place at once.

    ``place`` (0 to 1), ``lower`` and ``upper``: shares of ranks below it.
    """
    from arviz_stats.ecdf_utils import get_pointwise_confidence_band, simulate_confidence_bands

    places = _points(ranked)
    rng = np.random.default_rng(RANKS_SEED)
    pointwise = simulate_confidence_bands(replicates, 1, places, 1.0 - level, 2000, rng)
    lower, upper = get_pointwise_confidence_band(pointwise, replicates, places)
    return pd.DataFrame({"place": places, "lower": lower, "upper": upper})


# --- Replicates of a calibration on disk: one small file each, so that what is done is never done again ---


_NEEDED = ("ranks", "divergences", "least_effective_draws", "thinned_by", "redrawn")


def store_folder(root: str | Path, *, model: str, fingerprint: str, seed: int) -> Path:
    """Return the folder for the replicates of one state of a model and one seed.

    Replicates of another state of the model lie in another folder and are never mixed in.
    """
    return Path(root) / f"{model}-{fingerprint[:12]}-seed{seed}"


def keep_replicate(folder: Path, number: int, result: dict[str, Any]) -> None:
    """Write one replicate, with whose it is; its file appears whole or not at all. `folder`: made where missing."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"replicate_{number:05d}.json"
    beside = place.with_suffix(f".{os.getpid()}.part")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(_whose(folder, number) | result, file, sort_keys=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, place)


def _whose(folder: Path, number: int) -> dict[str, Any]:
    """Return what a replicate says of itself: the state of the model with its seed, and its number."""
    return {"made_for": folder.name, "number": number}


def kept_replicates(folder: Path) -> dict[int, dict[str, Any]]:
    """Read the replicates done so far, in the order of their numbers. `folder`: need not exist.

    One that cannot be read, or is not what its name says, is warned of and counts as not done.
    """
    found = {}
    for place in sorted(folder.glob("replicate_*.json")):
        number = place.stem.rpartition("_")[2]
        try:
            result = strict_json(text_of(place), finite=False)
            whose = {name: result.pop(name, None) for name in _whose(folder, 0)}
            if whose == _whose(folder, int(number)) and all(name in result for name in _NEEDED):
                found[int(number)] = result
                continue
            problem = f"it is of {whose['made_for']}, number {whose['number']}, or lacks a part"
        except (OSError, ValueError, TypeError, AttributeError) as error:
            problem = str(error)
        print(f"warning: the replicate {place} is not used ({problem}): it is done again", file=sys.stderr)
    return found


# --- Run numbered replicates here, over processes or over a cluster; a worker that dies loses nothing ---


Work = Callable[[int], dict[str, Any]]


Keep = Callable[[int, dict[str, Any]], None]


LOSSES = 3
"""Times a replicate may take its worker with it before it is given up on."""


PATIENCE = "10s"
"""How long to wait for a scheduler to answer."""


class WorkersLostError(RuntimeError):
    """Workers died again and again; the replicates finished before are kept. `left`: replicates not done."""

    exit_code = 1

    def __init__(self, left: int) -> None:
        super().__init__(
            f"worker processes died {LOSSES} times in a row with {left} replicates left (the usual cause is too "
            "little memory: use fewer workers). What was done is kept: the same command goes on from there"
        )


def run_replicates(
    work: Work, replicates: Sequence[int], *, keep: Keep, workers: int = 1, scheduler: str | None = None
) -> None:
    """Run each replicate once and hand its result over as it is done, in whatever order.

    `work`: ``work(number)``; must depend on nothing but the number, and be importable by name for other
    processes. `keep`: ``keep(number, result)``, called in this process.
    """
    # `scheduler`: address of a dask cluster to use instead; its workers must have this package installed.
    if workers < 1:
        raise InputError(
            "no worker to run replicates on",
            field="workers",
            found=workers,
            allowed="1 or more",
            cause="a mistyped number",
            remedy="leave it out to use one process",
        )
    if scheduler is None and workers == 1:
        for replicate in replicates:
            keep(replicate, work(replicate))
    elif replicates:
        _over_cluster(work, replicates, keep=keep, workers=workers, address=scheduler)


def _over_cluster(
    work: Work, replicates: Sequence[int], *, keep: Keep, workers: int, address: str | None
) -> None:
    """Hand the replicates to a cluster, its own where no address is given; a lost worker's go to another."""
    try:
        from dask import config
        from distributed import KilledWorker, as_completed
    except ImportError as missing:
        raise InputError(
            "working on a cluster or on several processes needs dask.distributed, which is not installed",
            field="workers" if address is None else "scheduler",
            found=workers if address is None else address,
            cause="the optional extra was left out",
            remedy="pip install 'cba[cluster]'",
        ) from missing
    left = len(replicates)
    settings = {"distributed.scheduler.allowed-failures": LOSSES - 1}
    with config.set(settings), _client(address, workers=workers) as client:
        futures = client.map(work, list(replicates), pure=False, retries=0)
        numbers = {future.key: replicate for future, replicate in zip(futures, replicates, strict=True)}
        try:
            for future in as_completed(futures):
                keep(numbers[future.key], future.result())
                left -= 1
        except KilledWorker as lost:
            raise WorkersLostError(left) from lost


@contextmanager
def _client(address: str | None, *, workers: int) -> Iterator[Client]:
    """Open a client of the cluster at an address, or of one on this machine, and close it whatever happens."""
    from distributed import Client

    own = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None}
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False, **({} if address else own))
    except (OSError, ValueError, TimeoutError) as silent:
        raise InputError(
            "no scheduler answers at this address",
            field="scheduler",
            found=address,
            allowed="an address like tcp://host:8786",
            cause="a scheduler that is not running, or another port",
            remedy="start one with `dask scheduler` and workers with `dask worker ADDRESS --nthreads 1`",
        ) from silent
    try:
        with client.as_current():
            yield client
    finally:
        # A worker that is being started again while its cluster closes can make the closing fail. What was done
        # is with us by then, and such a failure must not stand in for how the work itself ended.
        with suppress(AssertionError, OSError, RuntimeError, TimeoutError):
            client.close()


_ONE_AT_A_TIME = Lock()  # compiled models are not safe in threads, which a cluster's workers may use


@cache
def _compiled(model: str) -> Compiled:
    from cba.validation.refits import compiled
    from cba.validation.simulation import SHIPPED

    return compiled(SHIPPED[model]())


@cache
def _made_here(model: str) -> str:
    """Return the key of a model's calibration, worked out once per process."""
    return made_from(f"calibration_{model}")


def shipped_refit(replicate: int, *, model: str, seed: int, fingerprint: str) -> dict[str, Any]:
    """Run one replicate of a shipped model, compiling it once per process."""
    from threadpoolctl import threadpool_limits

    from cba.validation.refits import simulated_refit

    if _made_here(model) != fingerprint:
        raise InputError(
            "a worker holds another state of the model than the one to calibrate",
            field="scheduler",
            found=_made_here(model)[:12],
            allowed=fingerprint[:12],
            cause="a cluster whose workers have another version installed",
            remedy="install this version on the workers",
        )
    with _ONE_AT_A_TIME, threadpool_limits(limits=1):
        return simulated_refit(_compiled(model), replicate=replicate, seed=seed)


# --- a whole calibration ---


SEED = 20220523


LATENT = {
    "baseline": ("common_factor", "counting_noise", "unpublished_growth"),
    "effects": (),
    "authorities": ("year_step", "region_step"),
}
"""Variables of which a model has hundreds, one per year and series: judged as a family of their own."""


_LIBRARIES = ("arviz-stats", "numpy", "nutpie", "pymc", "pytensor", "simuk")


FEWEST = 20
"""Replicates below which ranks say too little to judge."""


RANKED = 99


STUCK = 0.5
"""Share of divergent steps beyond which a chain has not moved and its draws are none."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A finished calibration of one model."""

    model: str
    seed: int
    fingerprint: str  # of the code, priors and data it was made from
    # One row per replicate that is not stuck, one column per quantity, 0 to 99; in the order of the
    # replicates.
    ranks: pd.DataFrame
    replicates: pd.DataFrame  # per replicate: divergences, least_effective_draws, thinned_by, redrawn, stuck
    verdicts: pd.DataFrame

    @property
    def passed(self) -> bool:
        """Whether no quantity is found wanting."""
        return bool(self.verdicts["passed"].all())


def calibrate(
    model: str,
    *,
    store: str | Path,
    replicates: int = 200,
    workers: int = 1,
    scheduler: str | None = None,
    seed: int = SEED,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Calibrate a shipped model, going on from the replicates already in the store.

    `model`: a name of `LATENT`. `seed`: with a replicate's number it settles all its random numbers:
    results do not depend on the workers. `progress`: ``progress(done, of)``, after each replicate.
    """
    # A replicate on which the sampler gets stuck (an appraisal would refuse such a fit) is counted and not
    # ranked. That is sound: whether it gets stuck depends on the made-up data, and ranks are even given any
    # data.
    slow_results_named(f"calibration_{model}")
    fingerprint = made_from(f"calibration_{model}")
    if replicates < FEWEST:
        raise InputError(
            "too few replicates to judge ranks by",
            field="replicates",
            found=replicates,
            allowed=f"{FEWEST} or more; 200 for a record",
            cause="a trial run",
            remedy=f"ask for at least {FEWEST}",
        )
    folder = store_folder(store, model=model, fingerprint=fingerprint, seed=seed)
    work = partial(shipped_refit, model=model, seed=seed, fingerprint=fingerprint)
    results = _all_replicates(
        work, folder, replicates=replicates, workers=workers, scheduler=scheduler, progress=progress
    )
    ranks, details = as_frames(results)
    return Calibration(
        model=model,
        seed=seed,
        fingerprint=fingerprint,
        ranks=ranks,
        replicates=details,
        verdicts=judged_ranks(ranks, ranked=RANKED, latent=LATENT[model]),
    )


def _all_replicates(
    work: Callable[[int], dict[str, Any]],
    folder: Path,
    *,
    replicates: int,
    workers: int,
    scheduler: str | None,
    progress: Callable[[int, int], None] | None,
) -> dict[int, dict[str, Any]]:
    """Do the replicates not yet stored, and return all asked for in order."""
    stored = kept_replicates(folder)
    left = [number for number in range(replicates) if number not in stored]
    done = [replicates - len(left)]

    def keep(number: int, result: dict[str, Any]) -> None:
        keep_replicate(folder, number, result)
        done[0] += 1
        if progress is not None:
            progress(done[0], replicates)

    run_replicates(work, left, keep=keep, workers=workers, scheduler=scheduler)
    stored = kept_replicates(folder)
    return {number: stored[number] for number in range(replicates)}


def as_frames(results: dict[int, dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ranks and details of replicates as tables, those on which the sampler was stuck without ranks."""
    ranks = pd.DataFrame([result["ranks"] for result in results.values()], index=list(results))
    details = pd.DataFrame(
        [{name: value for name, value in result.items() if name != "ranks"} for result in results.values()],
        index=list(results),
    )
    details["stuck"] = details["divergences"] > STUCK * RANKED * details["thinned_by"]
    return ranks[~details["stuck"]].rename_axis("replicate"), details.rename_axis("replicate")


# --- a finished calibration kept as small files, which every report shows ---


KEPT_PLACES = 2
"""Every second place of the shares is kept: half the size, and no line in a figure is any different."""


def keep_calibration(found: Calibration, folder: Path | None = None) -> Path:
    """Keep a verdict per quantity, the ranks of parameters (for whoever wants to judge them otherwise), and shares."""
    from cba.inputs.observations import load_observations

    name = f"calibration_{found.model}"
    parameters = list(found.verdicts.loc[found.verdicts["family"] == "parameters", "quantity"])
    tables = {
        name: found.verdicts,
        f"{name}_ranks": found.ranks[parameters].reset_index(),
        f"{name}_shares": _shares(found, parameters),
    }
    release = int(load_observations().attrs["release"])
    return keep_result(name, tables, release=release, folder=folder, **_summary(found))


def _summary(found: Calibration) -> dict[str, Any]:
    """Return what was done and found, as plain values."""
    return {
        "replicates": len(found.replicates),
        "stuck_replicates": int(found.replicates["stuck"].sum()),
        "quantities": len(found.verdicts),
        "failed": int((~found.verdicts["passed"]).sum()),
        "below_5_percent": int((found.verdicts["p_value"] < 0.05).sum()),
        "smallest_p_adjusted": float(found.verdicts["p_adjusted"].min()),
        "divergent_replicates": int((found.replicates["divergences"] > 0).sum()),
        "slow_replicates": int((found.replicates["least_effective_draws"] < RANKED).sum()),
        "redrawn": int(found.replicates["redrawn"].sum()),
        "seed": found.seed,
        "versions": "; ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    }


def _shares(found: Calibration, quantities: list[str]) -> pd.DataFrame:
    """Share of ranks below each place less the place itself, one column per quantity; and the band."""
    band = rank_band(len(found.ranks), ranked=RANKED)
    shares = rank_shares(found.ranks[quantities].to_numpy(int), ranked=RANKED)
    place = band["place"].to_numpy()
    table = pd.DataFrame(
        np.column_stack([place, band["lower"] - place, band["upper"] - place, shares - place[:, None]]),
        columns=["place", "lower", "upper", *quantities],
    )
    return table.iloc[KEPT_PLACES - 1 :: KEPT_PLACES]
