"""Time of a fresh interpreter until `import cba` and `cba --help` are done. Targets: 0.2 s and 0.4 s."""

from __future__ import annotations

import subprocess
import sys


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def bench_bare_interpreter(benchmark):
    """What Python itself takes: subtract it."""
    benchmark.pedantic(run, args=("-c", "pass"), rounds=10, warmup_rounds=1)


def bench_import_cba(benchmark):
    benchmark.pedantic(run, args=("-c", "import cba"), rounds=10, warmup_rounds=1)


def bench_help(benchmark):
    benchmark.pedantic(
        run,
        args=("-c", "import sys; sys.argv = ['cba', '--help']; from cba.cli import main; main()"),
        rounds=10,
        warmup_rounds=1,
    )
