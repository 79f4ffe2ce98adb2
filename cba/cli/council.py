"""``cba council``: one authority's own account of an option, nominal, with what is cashable and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cba.cli.answers import REPORTS, AsJson, Debug, Root, answer, terminal, text_table

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from cba.appraisal.inputs import Inputs
    from cba.appraisal.workings import Workings
    from cba.inputs.analyses import Analysis

_MILLION = 1e6


def council(
    authority: Annotated[str, typer.Argument(help="Name or three-digit code of an authority of today.")],
    analysis: Annotated[str, typer.Option(help="Name or path of an analysis.")] = "latest",
    option: Annotated[
        str | None, typer.Option(help="Option of the analysis; its lead option by default.")
    ] = None,
    stance: Annotated[str, typer.Option(help="evidence or sceptical.")] = "evidence",
    root: Root = REPORTS,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what an option costs and saves one council, year by year, in cash."""
    from cba.cli.run import tables_in_force
    from cba.inputs.analyses import load_analysis
    from cba.tables.councils import council_view

    specification = load_analysis(analysis)
    option = option or specification.lead_option
    with tables_in_force(specification):
        inputs = asked_inputs(specification, stance=stance, authority=authority, option=option)
        table = council_view(worked_inputs(inputs, root=root), authority, option)
    content = {"analysis": analysis, "stance": stance, "rows": table.to_dict("records")}
    answer(content, as_json=as_json, say=lambda: _print(table))


def asked_inputs(analysis: Analysis, *, stance: str, authority: str, option: str) -> Inputs:
    """Read what an analysis needs and refuse an authority or option it does not have, before anything is fitted."""
    from cba.appraisal.inputs import read_inputs
    from cba.runs.stages import observe
    from cba.tables.councils import refuse_unknown

    inputs = read_inputs(analysis, stance=stance, observations=observe(analysis))
    refuse_unknown(inputs, authority, option)
    return inputs


def worked_inputs(inputs: Inputs, *, root: Path) -> Workings:
    """Work out an analysis under one stance, with cached fits where there are any."""
    from cba.appraisal.workings import work_through
    from cba.runs.stages import fit_stance

    baseline, effects = fit_stance(
        inputs.analysis, stance=inputs.stance, observations=inputs.observations, root=root
    )
    return work_through(inputs, baseline=baseline, effects=effects)


def _print(table: pd.DataFrame) -> None:
    from cba.reporting.names import full_name

    first = table.iloc[0]
    years = [f"{year - 1}-{year % 100:02d}" for year in sorted(table["year"].unique())]
    rows = []
    for (payer, kind), found in table.groupby(["payer", "kind"], sort=False):
        cells = [_cell(row) for _, row in found.sort_values("year").iterrows()]
        rows.append((full_name(str(payer)), full_name(str(kind)), *cells))
    title = f"{first['name']}: {first['option']}, £ million, cash\ncosts positive, cashable savings negative"
    terminal().print(text_table(rows, title=title, columns=("Payer", "What", *years), right=years))


def _cell(row: pd.Series) -> str:
    mean, lower, upper = (row[name] / _MILLION for name in ("mean", "lower", "upper"))
    return f"{_shown(mean)} ({_shown(lower)} to {_shown(upper)})"


def _shown(million: float) -> str:
    """Two decimals, a true minus sign, and no minus before nothing."""
    return f"{round(million, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")
