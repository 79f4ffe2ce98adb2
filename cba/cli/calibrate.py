"""``cba calibrate``: does the sampler find what the models were made to say? Simulation-based calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import AsJson, Debug, answer_json, is_interactive, terminal

if TYPE_CHECKING:
    from cba.validation.calibration import Calibration

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
    """Refit the models to data made up from their own priors and rank the truth among the draws.

    Parameters
    ----------
    model : str
        ``baseline``, ``effects`` or ``all``.
    replicates : int
        Made-up data sets per model.
    workers : int
        Processes; results do not depend on their number.
    scheduler : str, optional
        Address of a dask cluster.
    store : Path
        Folder of finished replicates.
    seed : int
    record : bool
        Write the outcome into the package.
    as_json : bool
        Answer in JSON.
    debug : bool
        Show tracebacks.

    Returns
    -------
    int
        0 where every quantity is calibrated, 3 where one is not.

    Examples
    --------
    >>> calibrate("baseline", replicates=200, workers=2)  # doctest: +SKIP
    0
    """
    from cba.models.calibrated_models import CALIBRATED
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
        from cba.validation.calibration_record import write_record

        write_record(found)
    code = 0 if all(one.passed for one in found) else _GATE
    if as_json:
        answer_json({"models": [_plain(one) for one in found], "store": store, "exit_code": code})
    else:
        for one in found:
            _print(one)
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


def _print(found: Calibration) -> None:
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
