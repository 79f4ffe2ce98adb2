"""``cba runs``: the stored runs, which one readers see, if their files are sound; approving and removing them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import REPORTS, AsJson, Debug, Root, answer_json, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from cba.runs.reading import RunRecord


# --- ``cba compare``: what changed between two stored runs, and which inputs moved it ---


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
    """Say what changed between two runs and why: every headline difference split exactly among its causes."""
    from cba.runs.compare import common_options, compare_runs
    from cba.runs.compare_words import change_sentences, spoken_option
    from cba.runs.reading import find_run

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

    Differences within their Monte Carlo error are marked ``~``.
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
    from cba.reporting.figures.changes import change_figure

    figure = change_figure(record, key=f"npv_fiscal.{option}")
    from cba.runs.whole_files import store_errors

    with store_errors("the figure could not be written", file=file):
        figure.savefig(file)


def runs(
    context: typer.Context = None,  # type: ignore[assignment]  # typer fills it in; a caller in Python need not
    root: Root = REPORTS,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every file with its hash.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """List the stored runs, oldest first; approve one, or remove old ones."""
    if context is not None and context.invoked_subcommand:
        return 0
    from cba.runs.reading import list_runs

    rows = [_row(record, verify=verify) for record in list_runs(root)]
    code = int(any(row["damage"] for row in rows))
    if as_json:
        answer_json({"root": root, "runs": rows, "exit_code": code})
    elif not rows:
        typer.echo(f"No run is stored in {root}: make one with `cba run latest`.")
    else:
        _print(rows)
    return code


def approve(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run: its folder, ANALYSIS/latest or its name.")
    ],
    by: Annotated[str, typer.Option("--by", help="Who approves it; not the person who ran it.")],
    note: Annotated[str, typer.Option("--note", help="What was looked at.")],
    root: Root = REPORTS,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Release a run to readers: record who approves it and why, then publish it."""
    from cba.runs.reading import find_run
    from cba.runs.review import approve_run, refuse_failed

    for place in (Path(run), Path(root) / run):
        refuse_failed(place)
    record = approve_run(find_run(root, run), by=by, note=note)
    write_index_page(
        root if record.path.parents[1].resolve() == Path(root).resolve() else record.path.parents[1]
    )
    if as_json:
        answer_json({**_row(record, verify=False), "approval": record.approval, "exit_code": 0})
    else:
        typer.echo(
            f"Approved by {record.approval['approved_by']} and published: {record.analysis}/{record.name}"
        )


def prune(
    keep: Annotated[int, typer.Option("--keep", help="Newest runs of each analysis to keep.", metavar="N")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing; say what would go.")] = False,
    root: Root = REPORTS,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Remove old runs; never one that is published, approved, held or damaged."""
    from cba.runs.store import prune_runs

    done = prune_runs(root, keep=keep, dry_run=dry_run)
    if done.runs and not dry_run:
        write_index_page(root)
    gone = [f"{record.analysis}/{record.name}" for record in done.runs]
    if as_json:
        answer_json(
            {
                "dry_run": dry_run,
                "runs": gone,
                "inputs": [place.name for place in done.inputs],
                "bytes": done.bytes,
                "exit_code": 0,
            }
        )
        return
    for name in gone:
        typer.echo(name)
    said = "Would remove" if dry_run else "Removed"
    typer.echo(f"{said} {len(gone)} runs and {len(done.inputs)} archived inputs ({done.bytes / 1e6:.1f} MB).")


def write_index_page(root: Path) -> None:
    """Write the page that lists all runs anew."""
    from cba.reporting.card import render_runs_index
    from cba.runs.reading import write_index

    write_index(root, render=render_runs_index)


def _row(record: RunRecord, *, verify: bool) -> dict[str, Any]:
    """Return one run as plain values; `damage` lists what is wrong with its files."""
    from cba.runs.reading import verify_run

    damage = [f"manifest.json: {record.damage}"] if record.damage else []
    if verify and not damage:
        damage = verify_run(record.path)
    manifest = record.manifest
    return {
        "analysis": record.analysis,
        "run": record.name,
        "path": record.path,
        "published": record.published,
        "held": list(record.held),
        "approved_by": record.approval.get("approved_by"),
        "finished": manifest.get("finished"),
        "seconds": manifest.get("seconds"),
        "stances": manifest.get("stances"),
        "draws": manifest.get("draws"),
        "version": manifest.get("code", {}).get("version"),
        "commit": manifest.get("code", {}).get("commit"),
        "damage": damage,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table()
    for column in ("Analysis", "Run (UTC)", "Published", "Stances", "Draws", "Version", "Files"):
        table.add_column(column, no_wrap=column in ("Analysis", "Run (UTC)"))
    for row in rows:
        stances = ", ".join(row["stances"] or ())
        table.add_row(
            row["analysis"],
            row["run"],
            "yes" if row["published"] else "held" if row["held"] else "",
            stances,
            str(row["draws"] or ""),
            row["version"] or "",
            "\n".join(row["damage"]) or "sound",
        )
    terminal().print(table)


app = typer.Typer(
    help="List the stored runs, oldest first; approve one, or remove old ones.",
    invoke_without_command=True,
    callback=runs,
    add_completion=False,
    rich_markup_mode=None,
)


for _name, _command in (("approve", approve), ("prune", prune)):
    app.command(_name, help=(_command.__doc__ or "").split("\n\n")[0])(_command)
