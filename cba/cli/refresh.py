"""``cba refresh``: make a slow result again and keep it; alone, say what is kept and whether it is current."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import AsJson, Debug, answer_json, is_interactive, terminal

if TYPE_CHECKING:
    import pandas as pd

    from cba.validation.calibration import Calibration


STORE = Path("reports") / ".calibration"
"""Where finished replicates of a calibration are kept: it goes on from there."""


_GATE = 3


def refresh(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="panel, backtest, calibration, or all that are stale."),
    ] = None,
    draws: Annotated[int, typer.Option(min=200, help="Draws of each forecast of the backtest.")] = 4000,
    replicates: Annotated[
        int, typer.Option("--replicates", help="Made-up data sets per model of the calibration.")
    ] = 200,
    workers: Annotated[int, typer.Option("--workers", help="Processes of the calibration.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a dask cluster to use instead.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Make results that take minutes to hours, which runs only read; without a name, list them.

    Exit code 3 where a model turns out not to be calibrated.
    """
    from cba.models.slow_results import SLOW_RESULTS, how_made, slow_results_named

    asked = slow_results_named(name) if name else ()
    code = 0
    for result in asked:
        if name == "all" and how_made(result.name).get("current"):
            continue
        typer.echo(f"{result.title}: about {result.minutes} minutes on two cores ...", err=True)
        if result.name == "panel":
            from cba.tables.authorities import refresh_panel

            refresh_panel()
        elif result.name == "backtest":
            _backtest(draws=draws, silent=as_json)
        else:
            model = result.name.removeprefix("calibration_")
            how = {"replicates": replicates, "workers": workers, "scheduler": scheduler}
            code = max(code, _calibration(model, silent=as_json, **how))
    _list([one.name for one in asked or SLOW_RESULTS.values()], as_json=as_json, code=code)
    return code


def _backtest(*, draws: int, silent: bool) -> None:
    from cba.validation.record import refresh_backtest

    tables = refresh_backtest(draws=draws, tell=lambda what: typer.echo(f"{what} ...", err=True))
    if not silent:
        _print_backtest(tables)


def _calibration(model: str, *, silent: bool, **how: Any) -> int:
    """Calibrate a model, going on from the replicates in the store, and return the exit code."""
    from cba.validation.calibration import calibrate, keep_calibration

    progress = _counted(model) if is_interactive() and not silent else None
    found = calibrate(model, store=STORE, progress=progress, **how)
    keep_calibration(found)
    if not silent:
        _print_calibration(found)
    return 0 if found.passed else _GATE


def _list(names: list[str], *, as_json: bool, code: int) -> None:
    """Say what is kept, from what it was made, whether it is current and what makes it again."""
    from cba.models.slow_results import SLOW_RESULTS, how_made, provenance_words

    found = [(SLOW_RESULTS[name], how_made(name)) for name in names]
    if as_json:
        kept = {one.name: {"command": one.command, "minutes": one.minutes, **made} for one, made in found}
        answer_json({"results": kept, "exit_code": code})
        return
    for result, made in found:
        state = "; current" if made.get("current") else ""
        typer.echo(
            f"{provenance_words(result, made)}{state} (about {result.minutes} minutes: {result.command})"
        )


def _counted(model: str) -> Any:
    def progress(done: int, of: int) -> None:
        typer.echo(f"\r{model}: {done} of {of} replicates", nl=done == of)

    return progress


def _print_backtest(tables: dict[str, pd.DataFrame]) -> None:
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


def _print_calibration(found: Calibration) -> None:
    """Print the quantities furthest from uniform ranks."""
    from rich.table import Table

    verdicts = found.verdicts
    failed = verdicts[~verdicts["passed"]]
    divergent, stuck = int((found.replicates["divergences"] > 0).sum()), int(found.replicates["stuck"].sum())
    typer.echo(
        f"{found.model}: {len(found.replicates)} replicates, {len(verdicts)} quantities, {len(failed)} not "
        f"calibrated; {divergent} replicates with divergences, {stuck} of them stuck and not ranked."
    )
    table = Table()
    for column in ("Quantity", "p", "p, adjusted", "Mean rank", "Spread", "Finding"):
        table.add_column(column, no_wrap=True)
    shown = verdicts.sort_values("p_value").head(max(5, len(failed)))
    for row in shown.itertuples():
        figures = (f"{row.p_value:.4f}", f"{row.p_adjusted:.3f}", f"{row.mean_rank:.2f}", f"{row.spread:.2f}")
        table.add_row(str(row.quantity), *figures, str(row.finding))
    terminal().print(table)
