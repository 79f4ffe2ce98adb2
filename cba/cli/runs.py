"""``cba runs`` lists, approves and removes stored runs; ``cba compare`` says what changed between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import (
    REPORTS,
    AsJson,
    Root,
    Run,
    answer,
    say,
    tell,
    text_table,
)
from cba.errors import InputError

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
    option: Annotated[
        str | None, typer.Option(help="The option told of; the lead option by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what changed between two runs and why: every headline difference split exactly among its causes."""
    from cba.runs.compare import common_options, compare_runs
    from cba.runs.comparison import change_sentences, spoken_option
    from cba.runs.reading import find_run

    one, other = find_run(root, before), find_run(root, after)
    _refuse_same(one, other, words=(before, after))
    offered = (run.manifest["settings"]["options"] for run in (one, other))
    lead = other.manifest["settings"].get("lead")
    about = spoken_option({"settings": {"options": common_options(*offered), "lead": lead}}, option)
    record = compare_runs(one, other, root=root, stance=stance).record()
    sentences = change_sentences(record, option=about)
    told = ([change_table(record, option=about)] if record["moved"] else []) + list(sentences)
    answer({**record, "sentences": sentences}, as_json=as_json, say=lambda: tell(*told))


def change_table(record: Mapping[str, Any], *, option: str) -> Table:
    """Return the changes that are told, one row a quantity and one column a group that differs.

    Differences within their Monte Carlo error are marked ``~``.
    """
    from cba.runs.comparison import spoken_changes

    figures = ("Difference", *record["moved"])
    rows = []
    for change in spoken_changes(record, option=option):
        cells = [change, *(change["shares"][group] for group in record["moved"])]
        rows.append((change["key"], *(cell["text"] for cell in cells)))
    title = f"{record['before']} to {record['after']}, stance {record['stance']}"
    return text_table(rows, title=title, columns=("Quantity", *figures), right=figures)


def _refuse_same(before: RunRecord, after: RunRecord, *, words: tuple[str, str]) -> None:
    """Refuse two words for one run, before anything is worked out."""
    if before.path.resolve() == after.path.resolve():
        raise InputError(
            "both words mean the same run",
            field="A and B",
            found=f"`{words[0]}` and `{words[1]}`: {after.analysis}/{after.name}",
            allowed="two runs",
            cause="the name of an analysis means its published run",
            remedy="use ANALYSIS/latest for the newest, or the start of a run's name as `cba runs` lists it",
        )


def runs(
    context: typer.Context = None,  # type: ignore[assignment]  # typer fills it in; a caller in Python need not
    root: Root = REPORTS,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every file with its hash.")] = False,
    as_json: AsJson = False,
) -> int:
    """List the stored runs, oldest first; approve one, or remove old ones."""
    if context is not None and context.invoked_subcommand:
        return 0
    from cba.runs.reading import damaged_pointers, list_runs

    rows = [_row(record, verify=verify) for record in list_runs(root)]
    pointers = [
        {"analysis": file.parent.name, "path": file, "damage": [f"{file.name}: {problem}"]}
        for file, problem in damaged_pointers(root).items()
    ]
    return answer(
        {"root": root, "runs": rows, "pointers": pointers},
        as_json=as_json,
        say=lambda: _print(rows, pointers=pointers, root=root),
        exit_code=int(bool(pointers) or any(row["damage"] for row in rows)),
    )


def approve(
    run: Run,
    by: Annotated[str, typer.Option(help="Who approves it; not the person who ran it.")],
    note: Annotated[str, typer.Option(help="What was looked at.")],
    root: Root = REPORTS,
    as_json: AsJson = False,
) -> None:
    """Release a run to readers: record who approves it and why, then publish it."""
    from cba.runs.holds import approve_run, refuse_failed
    from cba.runs.reading import find_run

    for place in (Path(run), Path(root) / run):
        refuse_failed(place)
    record = approve_run(find_run(root, run), by=by, note=note)
    place = record.path.parents[1]
    write_index_page(root if place.resolve() == Path(root).resolve() else place)
    said = f"Approved by {record.approval['approved_by']} and published: {record.analysis}/{record.name}"
    content = {**_row(record, verify=False), "approval": record.approval}
    answer(content, as_json=as_json, say=lambda: say(said))


def prune(
    keep: Annotated[int, typer.Option(help="Newest runs of each analysis to keep.", metavar="N")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing; say what would go.")] = False,
    root: Root = REPORTS,
    as_json: AsJson = False,
) -> None:
    """Remove old runs; never one that is published, approved, held or damaged."""
    from cba.runs.store import prune_runs

    done = prune_runs(root, keep=keep, dry_run=dry_run)
    if not dry_run and Path(root).is_dir():
        write_index_page(root)
    gone = [f"{record.analysis}/{record.name}" for record in done.runs]
    inputs = [place.name for place in done.inputs]
    said = "Would remove" if dry_run else "Removed"
    total = f"{said} {len(gone)} runs and {len(inputs)} archived inputs ({done.bytes / 1e6:.1f} MB)."
    answer(
        {"dry_run": dry_run, "runs": gone, "inputs": inputs, "bytes": done.bytes, "left": done.left},
        as_json=as_json,
        say=lambda: say("\n".join([*gone, total, *done.left])),
    )


def write_index_page(root: Path) -> None:
    """Write the page that lists all runs anew."""
    from cba.reporting.card import render_runs_index
    from cba.runs.reading import write_index

    write_index(root, render=render_runs_index)


def _row(record: RunRecord, *, verify: bool) -> dict[str, Any]:
    """Return one run as plain values; `damage` lists what is wrong with its files."""
    from cba.runs.reading import verify_run

    damage = [record.damage] if record.damage else []
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
        "ahead": record.ahead,
        "clock": record.clock,
        "damage": damage,
    }


def _print(rows: list[dict[str, Any]], *, pointers: list[dict[str, Any]], root: Path) -> None:
    if not rows and not pointers:
        say(f"No run is stored in {root}: make one with `cba run latest`.")
        return
    cells = [
        (
            row["analysis"],
            row["run"],
            "yes" if row["published"] else "held" if row["held"] else "",
            ", ".join(row["stances"] or ()),
            str(row["draws"] or ""),
            row["version"] or "",
            "\n".join(row["damage"] + ([row["clock"]] if row["clock"] else [])) or "sound",
        )
        for row in rows
    ]
    cells += [(row["analysis"], row["path"].name, *[""] * 4, "\n".join(row["damage"])) for row in pointers]
    whole = ("Analysis", "Run (UTC)")
    tell(
        text_table(cells, columns=(*whole, "Published", "Stances", "Draws", "Version", "Files"), whole=whole)
    )


app = typer.Typer(
    invoke_without_command=True,
    callback=runs,
    add_completion=False,
    rich_markup_mode=None,
)


for _command in (approve, prune):
    app.command()(_command)
