"""Run numbered replicates here, over processes or over a cluster; a worker that dies loses nothing."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from cba.errors import InputError

Work = Callable[[int], dict[str, Any]]
Keep = Callable[[int, dict[str, Any]], None]

LOSSES = 3
"""Times in a row that workers may die without one replicate getting done."""


PATIENCE = "10s"
"""How long to wait for a scheduler to answer."""


class WorkersLostError(RuntimeError):
    """Workers died again and again; the replicates finished before are kept.

    Parameters
    ----------
    left : int
        Replicates not done.

    Examples
    --------
    >>> WorkersLostError(3).exit_code
    1
    """

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

    Parameters
    ----------
    work : callable
        ``work(number)``; must depend on nothing but the number, and be importable by name for other processes.
    replicates : sequence of int
    keep : callable
        ``keep(number, result)``, called in this process.
    workers : int
        Processes; 1 works in this one.
    scheduler : str, optional
        Address of a dask cluster to use instead; its workers must have this package installed.

    Raises
    ------
    InputError
        If the cluster cannot be used, or fewer than one worker is asked for.
    WorkersLostError
        If processes keep dying.

    Examples
    --------
    >>> found = {}
    >>> run_replicates(lambda number: {"twice": 2 * number}, [1, 2], keep=found.__setitem__)
    >>> found
    {1: {'twice': 2}, 2: {'twice': 4}}
    """
    if workers < 1:
        raise InputError(
            "no worker to run replicates on",
            field="workers",
            found=workers,
            allowed="1 or more",
            cause="a mistyped number",
            remedy="leave it out to use one process",
        )
    if scheduler is not None:
        _over_cluster(work, replicates, keep=keep, address=scheduler)
    elif workers == 1:
        for replicate in replicates:
            keep(replicate, work(replicate))
    else:
        _over_processes(work, replicates, keep=keep, workers=workers)


def _over_processes(work: Work, replicates: Sequence[int], *, keep: Keep, workers: int) -> None:
    """Start anew with what is left whenever a process dies: a pool cannot go on without one of its own."""
    left, losses = list(replicates), 0
    context = multiprocessing.get_context("spawn")
    while left:
        before = len(left)
        pool = ProcessPoolExecutor(max_workers=min(workers, len(left)), mp_context=context)
        try:
            futures = {pool.submit(work, replicate): replicate for replicate in left}
            for future in as_completed(futures):
                keep(futures[future], future.result())
                left.remove(futures[future])
        except BrokenProcessPool as lost:
            losses = losses + 1 if len(left) == before else 0
            if losses >= LOSSES:
                raise WorkersLostError(len(left)) from lost
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _over_cluster(work: Work, replicates: Sequence[int], *, keep: Keep, address: str) -> None:
    """Hand the replicates to a cluster; what a lost worker had in hand, dask gives to another."""
    try:
        from distributed import Client, as_completed
    except ImportError as missing:
        raise InputError(
            "working on a cluster needs dask.distributed, which is not installed",
            field="scheduler",
            found=address,
            cause="the optional extra was left out",
            remedy="pip install 'cba[cluster]'",
        ) from missing
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as silent:
        raise InputError(
            "no scheduler answers at this address",
            field="scheduler",
            found=address,
            allowed="an address like tcp://host:8786",
            cause="a scheduler that is not running, or another port",
            remedy="start one with `dask scheduler` and workers with `dask worker ADDRESS --nthreads 1`",
        ) from silent
    with client, client.as_current():
        futures = client.map(work, list(replicates), pure=False, retries=LOSSES)
        numbers = {future.key: replicate for future, replicate in zip(futures, replicates, strict=True)}
        for future in as_completed(futures):
            keep(numbers[future.key], future.result())
