"""How a command answers: text or JSON to standard output, errors as text or JSON, and the exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cba.errors import LABELS, GateError, Refusal
from cba.inputs.files import as_folder
from cba.inputs.safe_files import shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, errors too.")]


def _reports(root: Path) -> Path:
    return as_folder(root, field="--root")


Root = Annotated[
    Path, typer.Option("--root", help="Folder of the reports.", callback=_reports, metavar="DIR")
]
By = Annotated[str | None, typer.Option("--by", help="Who runs it; the user of the machine otherwise.")]
Spec = Annotated[
    str, typer.Argument(metavar="SPEC", help="An analysis: a name such as `latest`, or a .toml file.")
]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run: its folder, ANALYSIS, ANALYSIS/latest or its name.")
]
REPORTS = Path("reports")
"""Folder of the reports: in the current folder unless --root says otherwise."""
_NARROWEST = 130


def answer_json(content: Any) -> None:
    """Print one JSON document to standard output. `content`: plain values; what is undefined becomes null."""
    from cba.runs.whole_files import to_json

    sys.stdout.write(to_json(content))


def answer(
    content: Mapping[str, Any], *, as_json: bool, say: Callable[[], object], exit_code: int = 0
) -> int:
    """Answer with a JSON document that names the exit code, or in the words that `say` prints."""
    if as_json:
        answer_json({**content, "exit_code": exit_code})
    else:
        say()
    return exit_code


def text_table(
    rows: Iterable[Sequence[str]],
    *,
    columns: Sequence[str],
    title: str | None = None,
    right: Collection[str] = (),
    whole: Collection[str] = (),
) -> Table:
    """Return a table for the terminal. `right`: columns of figures; `whole`: columns that are never broken."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=None if title is None else Text(shown(title), style="table.title"))
    for name in columns:
        side: Literal["left", "right"] = "right" if name in right else "left"
        long: Literal["fold", "ellipsis"] = "fold" if name == columns[0] else "ellipsis"
        table.add_column(name, justify=side, no_wrap=name in whole, overflow=long)
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    return table


def say(text: object, *, err: bool = False) -> None:
    """Print a line in which nothing from outside can control the terminal."""
    typer.echo(shown(str(text)), err=err)


def tell(*told: str | Table) -> None:
    """Print tables, and sentences broken at the width of the terminal, after one another."""
    from rich.text import Text

    console = terminal()
    for one in told:
        console.print(Text(shown(one)) if isinstance(one, str) else one)


def terminal() -> Console:
    """Return where tables go: standard output, at least wide enough not to break them when it is a file."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=max(_NARROWEST, console.width))


def is_interactive() -> bool:
    """Return whether progress may be drawn: standard error is a terminal."""
    return sys.stderr.isatty()


def fail(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Report an error and return the exit code that goes with it.

    0 to 3, or 130 where the user interrupted. `as_json`: print ``{"error": {...}, "exit_code": n}`` to
    standard output in place of text to standard error. `debug`: add the traceback of an unexpected error.
    """
    if isinstance(error, SystemExit | typer.Exit):
        code = error.code if isinstance(error, SystemExit) else error.exit_code
        return code if isinstance(code, int) else int(code is not None)
    content = describe(error)
    if debug and content["exit_code"] == 1:
        print(shown("".join(traceback.format_exception(error))), file=sys.stderr)
    if as_json:
        answer_json(content)
    else:
        print(shown(_in_words(error, content)), file=sys.stderr)
    return int(content["exit_code"])


def describe(error: BaseException) -> dict[str, Any]:
    """Return an error as plain values.

    ``error`` (problem, file, field, found, allowed, usual cause, next step; for a gate also failures and
    diagnostics) and ``exit_code``.
    """
    content: dict[str, Any] = dict.fromkeys(("problem", *LABELS.values()))
    code = getattr(error, "exit_code", 1)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        content["problem"], code = "interrupted: nothing was stored", 130
    elif isinstance(error, typer.TyperException):
        content["problem"], code = error.format_message() or "no command was given", 2
        content["next step"] = "see `cba --help`"
    elif isinstance(error, GateError):
        content["problem"] = error.problem
        content["failures"] = list(error.failures)
        content["diagnostics"] = next(iter(getattr(error, "__notes__", [])), None)
    elif isinstance(error, Refusal):
        content |= {"problem": error.problem, **error.details}
    else:
        lines = str(error).strip().splitlines() or [""]
        content["problem"], code = f"{type(error).__name__}: {lines[0]}", 1
        content["next step"] = "run again with --debug and report what it prints"
    return {"error": content, "exit_code": int(code)}


def _in_words(error: BaseException, content: dict[str, Any]) -> str:
    """Return an error as text: one line for what was not expected, the whole message otherwise."""
    found = content["error"]
    if content["exit_code"] == 130:
        return str(found["problem"])
    if isinstance(error, GateError) and found["diagnostics"]:
        return f"error: {error}\ndiagnostics: {found['diagnostics']}"
    if isinstance(error, GateError | Refusal):
        return f"error: {error}"
    return f"error: {found['problem']} ({found['next step']})"
