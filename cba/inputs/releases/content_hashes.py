"""What a folder of tables is named by: the SHA-256 of everything it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cba.inputs.shipped_files import shipped_published_folder


def folder_sha256(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every table of a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to str
        File name to SHA-256, sorted.

    Examples
    --------
    >>> "england_children.csv" in folder_sha256(shipped_published_folder())
    True
    """
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("*.csv"))
        if file.is_file()
    }


def content_identifier(files: Mapping[str, str]) -> str:
    """Return the identifier that belongs to the files of a folder.

    Parameters
    ----------
    files : mapping of str to str
        As returned by :func:`folder_sha256`.

    Returns
    -------
    str

    Notes
    -----
    SHA-256 of the canonical JSON of file names and their SHA-256.

    Examples
    --------
    >>> content_identifier({"a.csv": "0"}) == content_identifier({"a.csv": "1"})
    False
    """
    text = json.dumps(dict(files), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def shipped_identifier() -> str:
    """Return the identifier that the shipped tables would have as a snapshot.

    Returns
    -------
    str

    Examples
    --------
    >>> len(shipped_identifier())
    64
    """
    return content_identifier(folder_sha256(shipped_published_folder()))
