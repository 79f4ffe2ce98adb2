"""Load the specification of an analysis: one TOML file, checked against the published tables and options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.inputs.analysis_records import Analysis
from cba.inputs.data_records import Data
from cba.inputs.options import load_options, named_options
from cba.inputs.releases.chosen_tables import chosen_folder
from cba.inputs.shipped_files import analysis_file, analysis_names
from cba.inputs.toml_reading import (
    checked_record,
    nearest,
    read_toml,
)


def load_analysis(path_or_name: str | Path, *, options_path: str | Path | None = None) -> Analysis:
    """Load and check the specification of an analysis.

    Parameters
    ----------
    path_or_name : str or Path
        A ``.toml`` file, or the name of one: ``reports/<name>.toml`` in the current folder first, then the
        shipped analyses.
    options_path : str or Path, optional
        Folder of option files; the shipped ones by default.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        No such analysis (lists the known ones); an unknown field, option, stance, schedule or release; years
        that do not fit together; a price base the deflator does not reach; draws not a multiple of chains.

    Examples
    --------
    >>> analysis = load_analysis("latest")
    >>> analysis.options[0], analysis.level
    ('bau', 0.9)
    """
    file = _found(path_or_name)
    written = _with_own_options(read_toml(file), file=file, options_path=options_path)
    analysis = checked_record(Analysis, _with_frame(written), file=file)
    if analysis.name != file.stem:
        raise InputError(
            "the name of an analysis is not the name of its file",
            file=file,
            field="name",
            found=analysis.name,
            allowed=file.stem,
            cause="a file copied and not renamed",
            remedy="make name and file name the same",
        )
    _check_published(analysis, file=file)
    _check_options(analysis, file=file, options_path=options_path)
    if analysis.long is not None and not (file.parent / analysis.long).is_file():
        raise InputError(
            "the long-run series does not exist",
            file=file,
            field="long",
            found=analysis.long,
            allowed="a file, its path relative to the analysis",
            cause="a path relative to another folder",
            remedy="correct the path or remove `long`",
        )
    return analysis


def load_data(path_or_name: str | Path) -> Data:
    """Load the ``[data]`` table of an analysis alone: its release may still have to arrive.

    Parameters
    ----------
    path_or_name : str or Path
        As for :func:`load_analysis`.

    Returns
    -------
    Data

    Raises
    ------
    InputError
        No such analysis, or a mistake in the table.

    Examples
    --------
    >>> load_data("latest").sources
    ()
    """
    file = _found(path_or_name)
    return checked_record(Data, read_toml(file).get("data", {}), file=file, field="data")


def _found(path_or_name: str | Path) -> Path:
    """Return the file a path or a name stands for."""
    text = str(path_or_name)
    if text.endswith(".toml") or "/" in text or "\\" in text:
        return Path(path_or_name)
    file = analysis_file(text)
    if file is None:
        names = analysis_names()
        raise InputError(
            "an unknown analysis",
            file=f"reports/{text}.toml",
            found=text,
            allowed=", ".join(names) or "none shipped",
            cause="a misspelt name, or another working folder",
            remedy="use a known name or give the path of a .toml file" + nearest(text, names),
        )
    return file


def _with_frame(written: dict[str, Any]) -> dict[str, Any]:
    """Fill in the frame where the name of the analysis is one."""
    name = written.get("name")
    return (
        written if "frame" in written or name not in ("review_2022", "latest") else {**written, "frame": name}
    )


def _with_own_options(
    written: dict[str, Any], *, file: Path, options_path: str | Path | None
) -> dict[str, Any]:
    """Replace the paths of option files by their ids and keep the options they hold in the record."""
    names = written.get("options")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return written
    ids, own = named_options(names, beside=file.parent, path=options_path)
    return written | {"options": list(ids), "own_options": own}


def _check_published(analysis: Analysis, *, file: Path) -> None:
    """Refuse a release that the tables do not hold and a price base beyond the deflator."""
    folder = chosen_folder(analysis.data)
    releases = _years(folder / "england_children.csv", "release")
    if analysis.release not in releases:
        raise InputError(
            "an unknown release",
            file=file,
            field="release",
            found=analysis.release,
            allowed=", ".join(map(str, releases)),
            cause="release 2020 was not published in this form, or the release is not loaded yet",
            remedy="use a listed release, or load the new one with `cba update`",
        )
    deflator = _years(folder / "gdp_deflator.csv", "year")
    if not deflator[0] <= analysis.price_base <= deflator[-1]:
        raise InputError(
            "the deflator does not reach the price base",
            file=file,
            field="price_base",
            found=analysis.price_base,
            allowed=f"{deflator[0]} to {deflator[-1]} (years ending 31 March)",
            cause="a year beyond the official forecast",
            remedy="choose a year the deflator covers",
        )


def _years(table: Path, column: str) -> list[int]:
    """Return the distinct years of one column of a published table, ascending."""
    import csv

    try:
        with table.open(encoding="utf-8", newline="") as file:
            return sorted({int(row[column]) for row in csv.DictReader(file)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "a published table cannot be read",
            file=table,
            field=column,
            found=str(error),
            cause="a folder of tables copied in part, or a table edited by hand",
            remedy="restore the table; `cba check` on it says more",
        ) from None


def _check_options(analysis: Analysis, *, file: Path, options_path: str | Path | None) -> None:
    """Refuse unknown options and options that do not belong to the frame."""
    try:
        options = load_options(analysis.options, options_path, own=analysis.own_options)
    except InputError as error:
        if error.details["field"] != "options":
            raise  # a mistake inside an option file, which the message names
        raise InputError(
            error.problem,
            file=file,
            field="options",
            found=error.details["found"],
            allowed=error.details["allowed"],
            cause=error.details["usual cause"],
            remedy=error.details["next step"],
        ) from None
    misplaced: Mapping[str, tuple[str, ...]] = {
        option.id: option.frames
        for option in options
        if analysis.frame and analysis.frame not in option.frames
    }
    for name, frames in misplaced.items():
        raise InputError(
            "an option does not belong to the frame of the analysis",
            file=file,
            field="options",
            found=f"{name} in frame {analysis.frame}",
            allowed=", ".join(frames),
            cause="money already spent in this frame, or not yet announced",
            remedy="remove the option, or add the frame to its file",
        )
