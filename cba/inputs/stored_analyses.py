"""The specification that a stored run was made from, read back: refused where another version wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.inputs.analysis_records import Analysis
from cba.inputs.toml_reading import checked_record


def stored_analysis(settings: Any, *, file: str | Path, field: str = "") -> Analysis:
    """Return the specification that a file of a stored run holds.

    Parameters
    ----------
    settings : object
        As read from the file.
    file : str or Path
        Named in the message.
    field : str
        Where in the file the specification stands.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If this version knows a field of it no more, or misses one.

    Examples
    --------
    >>> from cba.inputs.analyses import load_analysis
    >>> kept = load_analysis("smoke").model_dump(mode="json", by_alias=True)
    >>> stored_analysis(kept, file="manifest.json", field="settings").name
    'smoke'
    """
    try:
        return checked_record(Analysis, settings, file=file, field=field)
    except InputError as error:
        raise InputError(
            f"the settings of a stored run do not fit this version: {error.problem}",
            file=error.details["file"],
            field=error.details["field"],
            found=error.details["found"],
            allowed=error.details["allowed"],
            cause="stored by another version",
            remedy="compare runs of this version, or run the analysis again",
        ) from None
