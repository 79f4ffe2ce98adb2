"""``cba compare``: what changed between two stored runs, and which inputs moved it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import REPORTS, AsJson, Debug, Root, answer_json, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from cba.runs.stored_runs import RunRecord


def compare(
    before: Annotated[
        str,
        typer.Argument(
            metavar="A", help="The earlier run: its folder, ANALYSIS/published, ANALYSIS/latest or its name."
        ),
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The later run.")],
    root: Root = REPORTS,
    stance: Annotated[str | None, typer.Option(help="`evidence` or `sceptical`.")] = None,
    option: Annotated[str | None, typer.Option(help="The option told of; `care_review` by default.")] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Write the figure to this .svg or .png file.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what changed between two runs and why: every headline difference split exactly among its causes.

    Parameters
    ----------
    before, after : str
        Runs, as ``cba runs`` lists them.
    root : Path
        Folder of the reports.
    stance : str, optional
        Whose beliefs.
    option : str, optional
        The option told of.
    figure : Path, optional
        File of the figure.
    as_json : bool
        Answer in JSON, with every quantity of every option.
    debug : bool
        Show tracebacks.

    Raises
    ------
    InputError
        If both words mean one run, the option is not in both runs, or the figure is of an unknown kind.

    Examples
    --------
    >>> compare("latest/published", "latest/latest")  # doctest: +SKIP
    """
    from cba.runs.compare import common_options, compare_runs
    from cba.runs.compare_words import change_sentences, spoken_option
    from cba.runs.stored_runs import find_run

    if figure is not None:
        _refuse_other_kinds(figure)
    one, other = find_run(root, before), find_run(root, after)
    _refuse_same(one, other, words=(before, after))
    offered = (run.manifest["settings"]["options"] for run in (one, other))
    about = spoken_option({"settings": {"options": common_options(*offered)}}, option)
    record = compare_runs(one, other, root=root, stance=stance).record()
    sentences = change_sentences(record, option=about)
    if figure is not None:
        _write_figure(record, option=about, file=figure)
    if as_json:
        answer_json({**record, "sentences": sentences, "exit_code": 0})
        return
    console = terminal()
    if record["moved"]:
        console.print(change_table(record, option=about))
    for sentence in sentences:
        console.print(sentence)


def change_table(record: Mapping[str, Any], *, option: str) -> Table:
    """Return the changes that are told, one row a quantity and one column a group that differs.

    Parameters
    ----------
    record : mapping
        As :meth:`cba.runs.compare_record.Comparison.record` gives it.
    option : str

    Returns
    -------
    Table
        Differences within their Monte Carlo error are marked ``~``.

    Examples
    --------
    >>> change_table(record, option="care_review").row_count  # doctest: +SKIP
    7
    """
    from rich.table import Table

    from cba.runs.compare_words import spoken_changes

    table = Table(title=f"{record['before']} to {record['after']}, stance {record['stance']}")
    table.add_column("Quantity", overflow="fold")
    for column in ("Difference", *record["moved"]):
        table.add_column(column, justify="right")
    for change in spoken_changes(record, option=option):
        cells = [change, *(change["shares"][player] for player in record["moved"])]
        table.add_row(change["key"], *(cell["text"] for cell in cells))
    return table


def _refuse_same(before: RunRecord, after: RunRecord, *, words: tuple[str, str]) -> None:
    """Refuse two words for one run, before anything is worked out."""
    if before.path.resolve() == after.path.resolve():
        from cba.errors import InputError

        raise InputError(
            "both words mean the same run",
            field="A and B",
            found=f"`{words[0]}` and `{words[1]}`: {after.analysis}/{after.name}",
            allowed="two runs",
            cause="the name of an analysis means its published run",
            remedy="use ANALYSIS/latest for the newest, or the start of a run's name as `cba runs` lists it",
        )


def _refuse_other_kinds(file: Path) -> None:
    """Refuse a figure of a kind that cannot be written."""
    from cba.errors import InputError

    if file.suffix not in (".svg", ".png"):
        raise InputError(
            "a figure of this kind cannot be written",
            field="--figure",
            found=file.name,
            allowed="a name that ends in .svg or .png",
            cause="another ending",
            remedy="name the file figure.svg",
        )


def _write_figure(record: Mapping[str, Any], *, option: str, file: Path) -> None:
    """Draw the waterfall of the option's net present value into a file."""
    from cba.reporting.figures_changes import change_figure

    figure = change_figure(record, key=f"npv_fiscal.{option}")
    from cba.runs.whole_writing import store_errors

    with store_errors("the figure could not be written", file=file):
        figure.savefig(file)
