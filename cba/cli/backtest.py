"""``cba backtest``: how well forecasts made with what was known then would have done."""

from __future__ import annotations

from typing import Annotated

import typer

from cba.cli.answers import AsJson, Debug, answer_json, terminal


def backtest(
    quick: Annotated[bool, typer.Option("--quick", help="Totals alone: half a minute.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the record inside the package, for reports to show.")
    ] = False,
    draws: Annotated[int, typer.Option(min=200, help="Draws of each forecast.")] = 4000,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Refit at every past origin, forecast one to five years, and score against what happened.

    Parameters
    ----------
    quick : bool
        Totals alone.
    write : bool
        Keep the record.
    draws : int
        Draws of each forecast.
    as_json : bool
        Answer in JSON.
    debug : bool
        Show tracebacks.

    Raises
    ------
    InputError
        If `quick` and `write` are both asked for.

    Examples
    --------
    >>> backtest(quick=True)  # doctest: +SKIP
    """
    from cba.errors import InputError
    from cba.validation.backtest_record import backtest_record, write_backtest

    if quick and write:
        raise InputError(
            "a quick record is not kept",
            field="--write",
            found="--quick --write",
            allowed="one of them",
            cause="it lacks ages, spending and the view from each release",
            remedy="leave out --quick",
        )
    tell = (lambda what: None) if as_json else (lambda what: typer.echo(f"{what} ...", err=True))
    record = backtest_record(quick=quick, draws=draws, tell=tell)
    kept = write_backtest(record) if write else None
    if as_json:
        shown = {name: table.to_dict("records") for name, table in record.tables.items() if name != "scores"}
        answer_json({"release": record.release, "draws": draws, "written": kept, **shown, "exit_code": 0})
        return
    _print(record.tables)
    if kept is not None:
        typer.echo(f"Record: {kept}")


def _print(tables: dict) -> None:  # type: ignore[type-arg]
    """Print the scores of the totals, what was asked and found, and what was left out."""
    from rich.table import Table

    console = terminal()
    table = Table(title="Number in care, mean score over one to five years ahead (lower is better)")
    for heading in ("forecast", "score", "less best reference (se)", "80% held", "90% held", "log score"):
        table.add_column(heading, justify="left" if heading == "forecast" else "right")
    for row in tables["headline"].itertuples():
        gap = f"{row.less_best:+,.0f} ({row.se:,.0f})"
        held = (f"{row.inside_80:.0%}", f"{row.inside_90:.0%}")
        table.add_row(row.forecast, f"{row.crps:,.0f}", gap, *held, f"{row.log_score:.2f}")
    console.print(table)
    for row in tables["reached"].itertuples():
        console.print(f"{'met    ' if row.met else 'not met'}  {row.asked}: {row.found}")
    for row in tables["skipped"].itertuples():
        console.print(f"left out: {row.what}, {row.reason}")
