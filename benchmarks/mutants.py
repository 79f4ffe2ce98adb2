"""How many small changes of the arithmetic do the tests of its own room notice? Run with ``make mutants``.

One operator, comparison or number of a rule is changed at a time, in a copy of the project, and the fast tests of that
room are run, doctests included, until one fails: first the quickest of those that run the changed line, then all. A
change that no test notices is printed: either a test is missing, or the code does nothing.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("projection", "costs", "decisions")
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.USub: ast.UAdd,
}

Test = tuple[str, float, frozenset[tuple[str, int]]]
"""A test by its name, the seconds it takes, and the lines (file, number) that it runs."""

FAILED, INTERRUPTED = 1, 2
"""What pytest says where a test fails, and where one cannot be read; other codes tell of names it does not know."""

NEAR_SECONDS = 4.0
"""Tests that run the changed line are tried alone for so long, before all tests of the room are run."""


@dataclass(frozen=True)
class Mutant:
    """One change: where it is, what stood there, and the text of the file with it."""

    path: Path
    line: int
    what: str
    text: str


def _swapped(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield what can be changed at a node, and which of its operators it is."""
    if isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp) and type(node.op) in SWAPS:
        yield "op", 0
    elif isinstance(node, ast.Compare):
        yield from (("ops", number) for number, op in enumerate(node.ops) if type(op) in SWAPS)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield "value", 0


def _change(node: ast.AST, field: str, number: int) -> None:
    if field == "ops":
        node.ops[number] = SWAPS[type(node.ops[number])]()  # type: ignore[attr-defined]
    elif field == "op":
        node.op = SWAPS[type(node.op)]()  # type: ignore[attr-defined]
    else:
        node.value = node.value + 1 if isinstance(node.value, int) else 1.5 * node.value + 0.1  # type: ignore[attr-defined]


def _silent(tree: ast.Module) -> set[int]:
    """Return the nodes that say something and compute nothing: annotations, refusals, their words, sizes of caches."""
    found: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST] = [node] if isinstance(node, ast.Raise | ast.JoinedStr) else []
        parts += [
            part for name in ("annotation", "returns") if (part := getattr(node, name, None)) is not None
        ]
        parts += getattr(node, "decorator_list", [])
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "reshape"
        ):
            # every negative length is "the rest"; that it is negative is still changed
            parts += [arg.operand for arg in node.args if isinstance(arg, ast.UnaryOp)]
        found |= {id(inner) for part in parts for inner in ast.walk(part)}
    return found


def mutants_of(path: Path) -> list[Mutant]:
    """Return every change that can be made to a file."""
    source = path.read_text(encoding="utf-8")
    silent, found = _silent(tree := ast.parse(source)), []
    places = [
        (position, change)
        for position, node in enumerate(ast.walk(tree))
        if id(node) not in silent
        for change in _swapped(node)
    ]
    for position, change in places:
        changed = ast.parse(source)
        node = list(ast.walk(changed))[position]
        before = ast.unparse(node)
        _change(node, *change)
        what = f"{before}  ->  {ast.unparse(node)}"
        found.append(Mutant(path.relative_to(ROOT), node.lineno, what, ast.unparse(changed)))  # type: ignore[attr-defined]
    return found


class Witness:
    """A pytest plugin that keeps which lines of a room each test runs, and how long it takes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen, self.tests = str(folder), set[tuple[str, int]](), list[Test]()
        sys.monitoring.use_tool_id(sys.monitoring.COVERAGE_ID, "mutants")
        sys.monitoring.register_callback(sys.monitoring.COVERAGE_ID, sys.monitoring.events.LINE, self._line)
        sys.monitoring.set_events(sys.monitoring.COVERAGE_ID, sys.monitoring.events.LINE)

    def _line(self, code: CodeType, line: int) -> object:
        if code.co_filename.startswith(self.folder):
            self.seen.add((code.co_filename, line))
        return sys.monitoring.DISABLE  # until the next test: a line is counted once in each

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Keep the lines of one test."""
        self.seen = set()
        sys.monitoring.restart_events()
        began = time.perf_counter()
        result = yield
        self.tests.append((item.nodeid, time.perf_counter() - began, frozenset(self.seen)))
        return result


def _tests(chosen: list[str], copy: Path, room: str | None, answer: Connection) -> None:
    """Run tests in a process of their own; say how it ended and, where a room is named, what was run of it."""
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    os.chdir(copy)
    # A kept file of bytecode knows its source by size and second only: what is kept is that of unchanged files.
    sys.dont_write_bytecode = room is None
    witnesses = [] if room is None else [Witness(copy / "cba" / room)]
    options = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "-m", "not slow"]
    code = int(pytest.main([*options, *chosen], plugins=[*witnesses]))
    answer.send((code, [test for witness in witnesses for test in witness.tests]))


def run(chosen: list[str], copy: Path, *, seconds: float, room: str | None = None) -> tuple[int, list[Test]]:
    """Return what pytest says of some tests (1 where one failed), and what they run of a room."""
    # A fork of this process has read NumPy, PyMC and the published tables already, but no file that is changed.
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_tests, args=(chosen, copy, room, theirs))
    process.start()
    theirs.close()
    try:
        if ours.poll(seconds):
            code, tests = ours.recv()
            return code, tests
    except EOFError:  # it crashed
        pass
    finally:
        process.kill()
        process.join()
    return FAILED, []


def nearest(tests: list[Test], place: tuple[str, int]) -> list[str]:
    """Return the quickest tests that run a line, as many as take `NEAR_SECONDS` together."""
    near = sorted((seconds, name) for name, seconds, lines in tests if place in lines)
    until = accumulate(seconds for seconds, _ in near)
    return [name for (_, name), spent in zip(near, until, strict=True) if spent < NEAR_SECONDS]


def of_room(room: str) -> list[str]:
    """Return where the tests of a room are."""
    return [f"tests/{room}", f"cba/{room}"]


def noticed(mutant: Mutant, copy: Path, *, seconds: float, tests: list[Test]) -> bool:
    """Say whether the fast tests of the room fail with the change, or never end."""
    place = copy / mutant.path
    before = place.read_text(encoding="utf-8")
    place.write_text(mutant.text, encoding="utf-8")
    try:
        near = nearest(tests, (str(place), mutant.line))
        if near and run(near, copy, seconds=seconds)[0] in (FAILED, INTERRUPTED):
            return True
        return run(of_room(mutant.path.parts[1]), copy, seconds=seconds)[0] != 0
    finally:
        place.write_text(before, encoding="utf-8")


def _read_ahead(copy: Path) -> None:
    """Import what no change touches, so that a fork need not."""
    sys.path.insert(0, str(copy))
    for name in ("tests.conftest", "cba.models.parameters", "cba.models.baseline", "cba.interventions.kinds"):
        importlib.import_module(name)
    cba = importlib.import_module("cba")
    for read in (cba.load_observations, cba.load_priors):
        read()
    assert Path(str(cba.__file__)).is_relative_to(copy), "another copy of the package was imported"
    assert not [name for name in sys.modules if name.startswith(tuple(f"cba.{room}" for room in ROOMS))]


def main() -> None:
    """Try a sample of changes and print the share that is noticed, with every one that is not."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--rooms", nargs="*", default=list(ROOMS))
    ask.add_argument("--sample", type=int, default=60, help="changes to try in all")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--seconds", type=float, default=600.0, help="the longest one may take")
    asked = ask.parse_args()
    files = [path for room in asked.rooms for path in sorted((ROOT / "cba" / room).rglob("*.py"))]
    every = [mutant for path in files for mutant in mutants_of(path)]
    chosen = random.Random(asked.seed).sample(every, min(asked.sample, len(every)))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "project"
        ignored = shutil.ignore_patterns(".git", ".venv*", "*cache*", "latest", "build")
        shutil.copytree(ROOT, copy, ignore=ignored)
        _read_ahead(copy)
        tests: dict[str, list[Test]] = {}
        for room in sorted({mutant.path.parts[1] for mutant in chosen}):
            code, tests[room] = run(of_room(room), copy, seconds=asked.seconds, room=room)
            if code:
                raise SystemExit(f"the tests of {room} fail, or take too long, without any change")
        killed = 0
        for number, mutant in enumerate(chosen, start=1):
            found = noticed(mutant, copy, seconds=asked.seconds, tests=tests[mutant.path.parts[1]])
            killed += found
            word = "noticed" if found else "SURVIVED"
            print(f"{number:4d} {word:9s} {mutant.path}:{mutant.line}  {mutant.what[:120]}", flush=True)
    print(f"{killed} of {len(chosen)} noticed ({killed / len(chosen):.0%}); {len(every)} changes can be made")


if __name__ == "__main__":
    main()
