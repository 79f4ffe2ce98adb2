"""``cba refresh``: make a slow result again and keep it; alone, say what is kept and whether it is current."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import AsJson, Debug, answer, is_interactive, terminal, text_table
from cba.errors import GateError

if TYPE_CHECKING:
    import pandas as pd

    from cba.validation.calibration import Calibration


STORE = Path("reports") / ".calibration"
"""Where finished replicates of a calibration are kept: it goes on from there."""


def refresh(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="panel, backtest, calibration or another that is listed without a name; or all that are stale.",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=200, help="Draws of each forecast of the backtest.")] = 4000,
    replicates: Annotated[int, typer.Option(help="Made-up data sets per model of the calibration.")] = 200,
    workers: Annotated[int, typer.Option(help="Processes of the calibration.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask cluster to use instead.")] = None,
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
        if result.refreshed_by:
            module, _, name_of_maker = result.refreshed_by.partition(":")
            getattr(import_module(module), name_of_maker)()
        elif result.name == "backtest":
            _backtest(draws=draws, silent=as_json)
        else:
            model = result.name.removeprefix("calibration_")
            how = {"replicates": replicates, "workers": workers, "scheduler": scheduler}
            code = max(code, _calibration(model, silent=as_json, **how))
    return _list([one.name for one in asked or SLOW_RESULTS.values()], as_json=as_json, code=code)


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
    return 0 if found.passed else GateError.exit_code


def _list(names: list[str], *, as_json: bool, code: int) -> int:
    """Say what is kept, from what it was made, whether it is current and what makes it again."""
    from cba.models.slow_results import SLOW_RESULTS, how_made, provenance_words

    kept, said = {}, []
    for result in (SLOW_RESULTS[name] for name in names):
        made = how_made(result.name)
        kept[result.name] = {"command": result.command, "minutes": result.minutes, **made}
        state = "; current" if made.get("current") else ""
        how = f"about {result.minutes} minutes: {result.command}"
        said.append(f"{provenance_words(result, made)}{state} ({how})")
    return answer({"results": kept}, as_json=as_json, say=lambda: typer.echo("\n".join(said)), exit_code=code)


def _counted(model: str) -> Any:
    def progress(done: int, of: int) -> None:
        typer.echo(f"\r{model}: {done} of {of} replicates", nl=done == of)

    return progress


def _print_backtest(tables: dict[str, pd.DataFrame]) -> None:
    """Print the scores of the totals, what was asked and found, and what was left out."""
    rows = []
    for row in tables["headline"].itertuples():
        gap = f"{row.less_best:+,.0f} ({row.se:,.0f})"
        held = (f"{row.inside_80:.0%}", f"{row.inside_90:.0%}")
        rows.append((row.forecast, f"{row.crps:,.0f}", gap, *held, f"{row.log_score:.2f}"))
    figures = ("score", "less best reference (se)", "80% held", "90% held", "log score")
    title = "Number in care, mean score over one to five years ahead (lower is better)"
    console = terminal()
    console.print(text_table(rows, title=title, columns=("forecast", *figures), right=figures))
    for row in tables["reached"].itertuples():
        console.print(f"{'met    ' if row.met else 'not met'}  {row.asked}: {row.found}")
    for row in tables["skipped"].itertuples():
        console.print(f"left out: {row.what}, {row.reason}")


def _print_calibration(found: Calibration) -> None:
    """Print the quantities furthest from uniform ranks."""
    verdicts = found.verdicts
    failed = verdicts[~verdicts["passed"]]
    divergent, stuck = int((found.replicates["divergences"] > 0).sum()), int(found.replicates["stuck"].sum())
    typer.echo(
        f"{found.model}: {len(found.replicates)} replicates, {len(verdicts)} quantities, {len(failed)} not "
        f"calibrated; {divergent} replicates with divergences, {stuck} of them stuck and not ranked."
    )
    rows = []
    for row in verdicts.sort_values("p_value").head(max(5, len(failed))).itertuples():
        figures = (f"{row.p_value:.4f}", f"{row.p_adjusted:.3f}", f"{row.mean_rank:.2f}", f"{row.spread:.2f}")
        rows.append((str(row.quantity), *figures, str(row.finding)))
    columns = ("Quantity", "p", "p, adjusted", "Mean rank", "Spread", "Finding")
    terminal().print(text_table(rows, columns=columns, whole=columns))
