"""How many small changes of the arithmetic do the tests of its own room notice? Run with ``make mutants``.

One operator, comparison or number of a rule is changed at a time, in a copy of the project, and the fast tests of that
room are run, doctests included, until one fails: first those that run the changed line, the shortest first, then all
others. A change that no test notices is printed: either a test is missing, or the code does nothing.
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
        parts = [node] if isinstance(node, ast.Raise | ast.JoinedStr) else []
        parts += [
            part for name in ("annotation", "returns") if (part := getattr(node, name, None)) is not None
        ]
        parts += getattr(node, "decorator_list", [])
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


class Nearest:
    """A pytest plugin that runs the tests named first, and then all the others: it leaves none out."""

    def __init__(self, names: list[str]) -> None:
        self.rank = {name: place for place, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests; those that were not named keep their order."""
        items.sort(key=lambda item: self.rank.get(item.nodeid, len(self.rank)))


def _tests(
    room: str, copy: Path, tests: list[Test], place: tuple[str, int] | None, answer: Connection
) -> None:
    """Run the fast tests of a room in a process of their own; say how it ended, and what was run where."""
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    os.chdir(copy)
    options = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "-m", "not slow", f"tests/{room}", f"cba/{room}"]
    near = sorted((seconds, name) for name, seconds, lines in tests if place in lines)
    plugin = Nearest([name for _, name in near]) if place else Witness(copy / "cba" / room)
    code = pytest.main(options, plugins=[plugin])
    answer.send((code, [] if isinstance(plugin, Nearest) else plugin.tests))


def run(
    room: str, copy: Path, *, seconds: float, tests: list[Test], place: tuple[str, int] | None
) -> tuple[int, list[Test]]:
    """Return what pytest says of a room (1 where a test failed), and the tests run if no `place` is changed."""
    # A fork of this process has read NumPy, PyMC and the published tables already, but no file that is changed.
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_tests, args=(room, copy, tests, place, theirs))
    process.start()
    theirs.close()
    try:
        if ours.poll(seconds):
            return ours.recv()
    except EOFError:  # it crashed
        pass
    finally:
        process.kill()
        process.join()
    return 1, []


def noticed(mutant: Mutant, copy: Path, *, seconds: float, tests: list[Test]) -> bool:
    """Say whether the fast tests of the room fail with the change, or never end."""
    place = copy / mutant.path
    before = place.read_text(encoding="utf-8")
    place.write_text(mutant.text, encoding="utf-8")
    try:
        code, _ = run(
            mutant.path.parts[1], copy, seconds=seconds, tests=tests, place=(str(place), mutant.line)
        )
    finally:
        place.write_text(before, encoding="utf-8")
    return code != 0


def _read_ahead(copy: Path) -> None:
    """Import what no change touches, so that a fork need not."""
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True  # a kept file of bytecode knows its source by size and second only
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
            code, tests[room] = run(room, copy, seconds=asked.seconds, tests=[], place=None)
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
