"""``cba backtest``: how well forecasts made with what was known then would have done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import AsJson, Debug, answer_json, is_interactive, terminal

if TYPE_CHECKING:
    from cba.validation.calibration import Calibration


def backtest(
    quick: Annotated[bool, typer.Option("--quick", help="Totals alone: half a minute.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the record inside the package, for reports to show.")
    ] = False,
    draws: Annotated[int, typer.Option(min=200, help="Draws of each forecast.")] = 4000,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Refit at every past origin, forecast one to five years, and score against what happened."""
    from cba.errors import InputError
    from cba.validation.record import backtest_record, write_backtest

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


# --- ``cba calibrate``: does the sampler find what the models were made to say? Simulation-based … ---


STORE = Path("reports") / ".calibration"
"""Where finished replicates are kept, unless --store says otherwise."""


_GATE = 3


def calibrate(
    model: Annotated[str, typer.Argument(help="baseline, effects or all.")] = "all",
    replicates: Annotated[int, typer.Option("--replicates", help="Made-up data sets per model.")] = 200,
    workers: Annotated[int, typer.Option("--workers", help="Processes.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a dask cluster to use instead.")
    ] = None,
    store: Annotated[
        Path, typer.Option("--store", help="Folder of finished replicates; a rerun goes on from there.")
    ] = STORE,
    seed: Annotated[int, typer.Option("--seed", help="Seed of all random numbers.")] = 20220523,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the outcome in the package, where reports read it.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Refit the models to data made up from their own priors and rank the truth among the draws."""
    # Returned: 0 where every quantity is calibrated, 3 where one is not. `workers`: processes; results do not
    # depend on their number.
    from cba.models.calibration_record import CALIBRATED
    from cba.validation.calibration import calibrate as calibrated

    found = [
        calibrated(
            name,
            store=store,
            replicates=replicates,
            workers=workers,
            scheduler=scheduler,
            seed=seed,
            progress=None if as_json or not is_interactive() else _counted(name),
        )
        for name in (CALIBRATED if model == "all" else (model,))
    ]
    if record:
        from cba.validation.calibration import write_record

        write_record(found)
    code = 0 if all(one.passed for one in found) else _GATE
    if as_json:
        answer_json({"models": [_plain(one) for one in found], "store": store, "exit_code": code})
    else:
        for one in found:
            _print_of_calibrate(one)
    return code


def _counted(model: str) -> Any:
    def progress(done: int, of: int) -> None:
        typer.echo(f"\r{model}: {done} of {of} replicates", nl=done == of)

    return progress


def _plain(found: Calibration) -> dict[str, Any]:
    return {
        "model": found.model,
        "passed": found.passed,
        "replicates": len(found.replicates),
        "stuck_replicates": int(found.replicates["stuck"].sum()),
        "seed": found.seed,
        "made_from": found.fingerprint,
        "versions": found.versions,
        "replicates_with_divergences": int((found.replicates["divergences"] > 0).sum()),
        "quantities": found.verdicts.to_dict("records"),
    }


def _print_of_calibrate(found: Calibration) -> None:
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
