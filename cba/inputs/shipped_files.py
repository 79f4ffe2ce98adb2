"""Where the files that come with the package are: in a source checkout and in an installed wheel.

A wheel packs ``priors/`` and the analyses of ``reports/`` under ``cba/_shipped``; a source checkout keeps
them at its top level, beside ``cba``. The published tables are inside the package in both.
"""

from __future__ import annotations

from pathlib import Path

from cba.errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKED = _PACKAGE / "_shipped"


def shipped_folder(name: str) -> Path:
    """Return the folder ``priors`` or ``reports`` that came with the package.

    Parameters
    ----------
    name : str
        ``"priors"`` or ``"reports"``.

    Returns
    -------
    Path
        ``cba/_shipped/<name>`` of an installed wheel, else ``<name>`` of the source checkout.

    Raises
    ------
    InputError
        If neither place has the folder.

    Examples
    --------
    >>> shipped_folder("priors").name
    'priors'
    """
    for folder in (_PACKED / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise InputError(
        f"the folder {name}/ that comes with the package is missing",
        file=_PACKED / name,
        cause="an incomplete installation",
        remedy="install the package again, or name a folder of your own with `path`",
    )


def priors_folder() -> Path:
    """Return the folder of the shipped prior files (one ``*.toml`` per group of priors)."""
    return shipped_folder("priors")


def options_folder() -> Path:
    """Return the folder of the shipped option files (one ``*.toml`` per option)."""
    return priors_folder() / "options"


def published_file(name: str) -> Path:
    """Return the path of a published table inside the package.

    Parameters
    ----------
    name : str
        File name, for example ``"evidence_effects.csv"``.

    Raises
    ------
    InputError
        If the package holds no such table.

    Examples
    --------
    >>> published_file("evidence_effects.csv").suffix
    '.csv'
    """
    path = _PACKAGE / "inputs" / "published" / name
    if not path.is_file():
        raise InputError(
            "a published table is missing from the package",
            file=path,
            cause="an incomplete installation",
            remedy="install the package again",
        )
    return path


def analysis_file(name: str) -> Path | None:
    """Return the file of an analysis given by name: ``reports/<name>.toml`` here first, then as shipped.

    Parameters
    ----------
    name : str
        Name of the analysis, without folder or ending.

    Returns
    -------
    Path or None
        ``None`` where no such file exists.
    """
    here = Path.cwd() / "reports" / f"{name}.toml"
    if here.is_file():
        return here
    shipped = shipped_folder("reports") / f"{name}.toml"
    return shipped if shipped.is_file() else None


def analysis_names() -> tuple[str, ...]:
    """Return the names of the analyses that :func:`analysis_file` can find, sorted."""
    folders = (Path.cwd() / "reports", shipped_folder("reports"))
    return tuple(sorted({file.stem for folder in folders for file in folder.glob("*.toml")}))
