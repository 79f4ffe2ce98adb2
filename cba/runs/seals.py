"""Seals: a manifest that carries the SHA-256 of its own content, and what is said of a damaged one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cba.runs.fingerprints import content_sha256
from cba.runs.whole_writing import StoreError, store_errors

_SEAL = "manifest_sha256"


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with the SHA-256 of its own content, so that damage to it shows.

    Parameters
    ----------
    manifest : mapping
        Plain values.

    Returns
    -------
    dict

    Examples
    --------
    >>> seal_problem(sealed({"run": "a"})), seal_problem({**sealed({"run": "a"}), "run": "b"})
    ('', 'its content does not match its own SHA-256')
    """
    content = {key: value for key, value in manifest.items() if key != _SEAL}
    return {**content, _SEAL: content_sha256(content)}


def seal_problem(manifest: Mapping[str, Any]) -> str:
    """Say why a manifest cannot be trusted.

    Parameters
    ----------
    manifest : mapping
        As read.

    Returns
    -------
    str
        Empty where it can be trusted.

    Examples
    --------
    >>> seal_problem({"run": "a"})
    'it holds no SHA-256 of its own'
    """
    if manifest.get(_SEAL) is None:
        return "it holds no SHA-256 of its own"
    return "" if sealed(manifest) == dict(manifest) else "its content does not match its own SHA-256"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a stored run.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict

    Raises
    ------
    StoreError
        If it is missing or damaged; names the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "headline.json").write_text('{"schema": 1}')
    ...     read_json(Path(folder) / "headline.json")
    {'schema': 1}
    """
    with store_errors("a file of the run could not be read", file=path):
        data = path.read_bytes()
    try:
        content = json.loads(data)
    except ValueError as error:
        raise damaged(path, f"it is not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise damaged(path, "it is not a JSON object")
    return content


def damaged(path: Path, what: str) -> StoreError:
    """Return the error for a file of a run that is not what was stored.

    Parameters
    ----------
    path : Path
    what : str
        How it differs.

    Returns
    -------
    StoreError

    Examples
    --------
    >>> damaged(Path("headline.json"), "cut short").problem
    'headline.json is damaged: cut short'
    """
    return StoreError(
        f"{path.name} is damaged: {what}",
        file=path,
        cause="changed or cut short after the run was stored",
        remedy="restore the run from a copy, or run the analysis again",
    )
