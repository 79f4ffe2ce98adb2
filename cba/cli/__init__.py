"""The command line: its commands are registered here, and what they raise becomes an exit code.

Exit codes: 0 done; 1 the machine failed us (disk, lock, a bug); 2 bad usage or input; 3 a correctness gate
failed, so there are diagnostics and no results; 4 a person must decide; 5 a source did not answer. Nothing heavy is
imported before a command needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cba import __version__
from cba.cli import check, council, priors, run, runs, update
from cba.cli.answers import fail

_INTERRUPTED = 130

app = typer.Typer(
    name="cba",
    help="Cost-benefit analysis of reforms to children's social care in England, uncertainty stated.",
    epilog="Exit codes: 0 done; 1 the machine failed us; 2 bad usage or input; 3 a correctness gate failed; "
    "4 held for a person; 5 a source did not answer.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


for _command in (
    run.run,
    runs.compare,
    check.check,
    update.rerun,
    priors.priors,
    council.council,
    run.report,
    update.update,
    update.refresh,
):
    app.command()(_command)
app.add_typer(runs.app, name="runs")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cba {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Anywhere: show the whole traceback of an unexpected error.")
    ] = False,
) -> None:
    """Options that stand before a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing a command raises reaches the caller.

    `arguments`: what follows ``cba`` on the command line; ``sys.argv`` by default.
    """
    # Returned: 0 done; 1 the machine failed us; 2 bad usage or input; 3 a gate failed; 4 a person must
    # decide; 5 a source did not answer; 130 interrupted.
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != "--debug"]
    if not words:
        main(["--help"])
        return 2
    try:
        code = app(words, prog_name="cba", standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt  # typer has turned it into a code; we say what became of the run
        return code if isinstance(code, int) else 0
    except BaseException as error:  # every way out of a command ends in an exit code
        return fail(error, as_json="--json" in words, debug="--debug" in given)
