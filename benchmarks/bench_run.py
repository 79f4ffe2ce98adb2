"""Whole runs of the main analysis, as processes: fits made anew, and fits taken from the cache.

Targets: 90 s with fits, 15 s with cached fits, peak memory below 2 GB. The cold run starts from an empty folder of
reports but keeps compiled code of earlier runs, as a scheduled run would.
"""

from __future__ import annotations

import os
import subprocess
import sys

COMMAND = (sys.executable, "-m", "cba.cli", "run", "latest", "--json")


def run(root, benchmark) -> None:
    """Run once as a child and keep its peak memory beside the time."""
    child = subprocess.Popen([*COMMAND, "--root", str(root)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    child.returncode = 0
    peak = usage.ru_maxrss / 1024**2
    benchmark.extra_info["peak_gb"] = round(max(peak, benchmark.extra_info.get("peak_gb", 0.0)), 2)


def bench_run_with_fits(benchmark, tmp_path_factory):
    """Every round in an empty folder of its own."""

    def fresh():
        return (tmp_path_factory.mktemp("cold"), benchmark), {}

    benchmark.pedantic(run, setup=fresh, rounds=2)


def bench_run_with_cached_fits(benchmark, tmp_path_factory):
    """The warm-up round fills the cache."""
    root = tmp_path_factory.mktemp("cached")
    benchmark.pedantic(run, args=(root, benchmark), rounds=3, warmup_rounds=1)
