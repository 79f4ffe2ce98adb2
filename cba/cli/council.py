"""``cba council`` shows what an option means for one authority, from the fits kept with the runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import REPORTS, AsJson, Root, answer, tell, text_table
from cba.cli.run import tables_in_force

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from rich.table import Table

    from cba.appraisal.inputs import Inputs
    from cba.appraisal.workings import Workings
    from cba.inputs.analyses import Analysis


def council(
    authority: Annotated[str, typer.Argument(help="Name or three-digit code of an authority of today.")],
    analysis: Annotated[str, typer.Option(help="Name or path of an analysis.")] = "latest",
    option: Annotated[
        str | None, typer.Option(help="Option of the analysis; its lead option by default.")
    ] = None,
    years: Annotated[int | None, typer.Option(help="Years to show; those of the horizon by default.")] = None,
    stance: Annotated[str, typer.Option(help="evidence or sceptical.")] = "evidence",
    root: Root = REPORTS,
    as_json: AsJson = False,
) -> None:
    """Show what an option brings one council: children, then cash by year and payer, beside the other options."""
    from cba.inputs.analyses import load_analysis
    from cba.tables.councils import council_options, council_view

    specification = load_analysis(analysis)
    option = option or specification.lead_option
    with tables_in_force(specification):
        inputs = asked_inputs(specification, stance=stance, authority=authority, option=option)
        workings = worked_inputs(inputs, root=root)
        view = council_view(workings, authority, option, years=years)
        options = council_options(workings, authority, years=years)
    content = {"analysis": analysis, "stance": stance, "rows": view.to_dict("records")}
    content["options"] = options.to_dict("records")
    interval = f"{specification.level:.0%} interval"
    answer(content, as_json=as_json, say=lambda: _print_council(view, options, interval=interval))


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


_MILLION, _LEAST = 1e6, 5e3
"""Pounds a column of figures is in, and the smallest amount that is printed."""


def _print_council(view: pd.DataFrame, options: pd.DataFrame, *, interval: str) -> None:
    """Print two sentences, children by year, cash by year and payer, every option, and what it all rests on."""
    from cba.reporting.names import full_name

    option = view["option"].iloc[0]
    chosen = options[options["option"] == option].iloc[0]
    children = view[view["row"] == "children"]
    cash = view[view["row"].isin(("payer", "total")) & (view["mean"].abs() >= _LEAST)]
    basis = [
        (", ".join(map(full_name, rows["kind"].unique())), own, average)
        for (own, average), rows in view.groupby(["own", "england_average"], sort=False)
    ]
    tell(
        council_sentences(view, chosen, interval=interval),
        _by_year(children, "kind", title=f"Children in care at 31 March, mean and {interval}"),
        _by_year(
            cash, "payer", title=f"{option}: £ million, cash\ncosts positive, cashable savings negative"
        ),
        _options_table(options),
        text_table(basis, title="What it rests on", columns=("", "The council's own", "England's average")),
    )


def council_sentences(view: pd.DataFrame, chosen: Mapping[str, Any], *, interval: str) -> str:
    """Return what an option means for a council. `chosen`: its row of `council_options`."""
    from cba.reporting.numbers import pounds

    counted, name, option = (chosen[field] for field in ("counted_in", "name", "option"))
    in_care = view[(view["kind"] == "in care") & (view["year"] == counted)]["mean"].iloc[0]
    fewer, moves = _turned(chosen, "fewer_"), "bring in" if chosen["fewer_mean"] < 0 else "keep out"
    net, paid = _turned(chosen, "council_net_"), chosen["council_net_mean"] < 0
    said = "pays {} more than it saves" if paid else "saves {} more than it pays"
    few, rest = _children(fewer).split(" (")
    return (
        f"{name}: of about {in_care:,.0f} children in care at 31 March {counted} on current policy, {option} would "
        f"{moves} {few} ({interval} {rest}. Over {_years(chosen)} the council {said.format(pounds(net['mean']))} "
        f"({interval} {pounds(net['lower'])} to {pounds(net['upper'])}), in cash, beside grants of "
        f"{pounds(chosen['grant_mean'])}."
    )


def _turned(row: Mapping[str, Any], of: str) -> dict[str, float]:
    """Return a mean with the ends of its interval, all counted the other way where the mean is below nought."""
    sign = -1.0 if row[f"{of}mean"] < 0 else 1.0
    lower, upper = sorted(sign * row[f"{of}{end}"] for end in ("lower", "upper"))
    return {"mean": sign * row[f"{of}mean"], "lower": lower, "upper": upper}


def _by_year(rows: pd.DataFrame, across: str, *, title: str) -> Table:
    """Return a table of years by payer or by kind of children; what is too small to print is left empty."""
    from cba.reporting.names import full_name

    say_row = {"in care": _span, "fewer": _children, "net": _millions}
    cells = {(row["year"], row[across]): say_row[row["kind"]](row) for row in rows.to_dict("records")}
    heads = sorted(rows[across].unique(), key=lambda head: (head == "all", head != "council"))
    named = [full_name(head) for head in heads]
    lines = [
        (_financial(year), *(cells.get((year, head), "") for head in heads)) for year in rows["year"].unique()
    ]
    return text_table(lines, title=title, columns=("Year", *named), right=named)


def _options_table(options: pd.DataFrame) -> Table:
    """Return what each option brings the council over the whole horizon."""
    first, columns = options.iloc[0], ("Fewer in care", "Grant", "Own cost", "Own saving", "Saving less cost")
    rows = [
        (
            row["option"],
            _children(row, "fewer_"),
            *(
                _minus(f"{row[f'{name}_mean'] / _MILLION:.2f}")
                for name in ("grant", "council_cost", "council_saving")
            ),
            _millions(row, "council_net_"),
        )
        for row in options.to_dict("records")
    ]
    title = f"Every option, {_years(first)}: £ million, cash; children at 31 March {first['counted_in']}"
    return text_table(rows, title=title, columns=("Option", *columns), right=columns, whole=("Option",))


def _span(row: Mapping[str, Any], of: str = "", *, form: str = ",.0f", scale: float = 1.0) -> str:
    """Return a mean with the ends of its interval."""
    mean, lower, upper = (format(row[f"{of}{end}"] / scale, form) for end in ("mean", "lower", "upper"))
    return _minus(f"{mean} ({lower} to {upper})")


def _millions(row: Mapping[str, Any], of: str = "") -> str:
    large = abs(row[f"{of}mean"]) >= 10.0 * _MILLION
    return _span(row, of, form=".1f" if large else ".2f", scale=_MILLION)


def _children(row: Mapping[str, Any], of: str = "") -> str:
    """Return children fewer, which for one council are few: no part of a child is printed."""
    if not any(row[f"{of}{end}"] for end in ("mean", "lower", "upper")):
        return "none (0 to 0)"
    about, ends = _span(row, of).split(" ", 1)
    return f"{'fewer than one' if abs(row[f'{of}mean']) < 1.0 else f'about {about}'} {ends}"


def _minus(text: str) -> str:
    """Write a true minus sign, and none before nothing."""
    return re.sub(r"-(?=[0.]*[1-9])", "\N{MINUS SIGN}", text).replace("-", "")


def _years(row: Mapping[str, Any]) -> str:
    return f"{_financial(row['first_year'])} to {_financial(row['last_year'])}"


def _financial(year: float) -> str:
    from cba.reporting.numbers import show

    return show(year, style="year")
