"""How many small changes of the arithmetic do the tests of its own room notice? Run with ``make mutants``.

One operator, comparison or number of a rule is changed at a time, in a copy of the project, and the fast tests of that
room are run. A change that no test notices is printed: either a test is missing, or the code does nothing.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
    """Return the nodes that say something and compute nothing: annotations, refusals and their words."""
    found: set[int] = set()
    for node in ast.walk(tree):
        parts = [node] if isinstance(node, ast.Raise | ast.JoinedStr) else []
        parts += [
            part for name in ("annotation", "returns") if (part := getattr(node, name, None)) is not None
        ]
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


def noticed(mutant: Mutant, copy: Path, *, seconds: float) -> bool:
    """Say whether the fast tests of the room fail with the change, or never end."""
    place, room = copy / mutant.path, mutant.path.parts[1]
    before = place.read_text(encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", "-m", "not slow"]
    environment = {**os.environ, "PYTHONPATH": str(copy), "OPENBLAS_NUM_THREADS": "1"}
    place.write_text(mutant.text, encoding="utf-8")
    try:
        done = subprocess.run(
            [*command, f"tests/{room}"],
            cwd=copy,
            env=environment,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        place.write_text(before, encoding="utf-8")
    return done.returncode != 0


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
        copy = Path(folder) / "project"
        ignored = shutil.ignore_patterns(".git", ".venv*", "*cache*", "latest", "build")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for path in {mutant.path.parts[1]: mutant.path for mutant in chosen}.values():
            unchanged = Mutant(path, 0, "nothing", (ROOT / path).read_text(encoding="utf-8"))
            if noticed(unchanged, copy, seconds=asked.seconds):
                raise SystemExit(f"the tests of {path.parts[1]} fail, or take too long, without any change")
        killed = 0
        for number, mutant in enumerate(chosen, start=1):
            found = noticed(mutant, copy, seconds=asked.seconds)
            killed += found
            word = "noticed" if found else "SURVIVED"
            print(f"{number:4d} {word:9s} {mutant.path}:{mutant.line}  {mutant.what[:120]}", flush=True)
    print(f"{killed} of {len(chosen)} noticed ({killed / len(chosen):.0%}); {len(every)} changes can be made")


if __name__ == "__main__":
    main()
