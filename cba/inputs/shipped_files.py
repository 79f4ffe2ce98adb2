"""Where input files are: those that come with the package, or the folders put in force for a while.

A wheel packs ``priors/`` and the analyses of ``reports/`` under ``cba/_shipped``; a source checkout keeps
them at its top level, beside ``cba``. The published tables are inside the package in both. Inside
:func:`reading_from` every reader takes the folders named there instead: a snapshot of newer tables, or the
inputs an old run was made from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from cba.errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKED = _PACKAGE / "_shipped"


@dataclass(frozen=True)
class _Folders:
    """Folders put in force; None where the shipped one is read."""

    published: Path | None = None
    priors: Path | None = None


_SHIPPED = _Folders()
_IN_FORCE: ContextVar[_Folders] = ContextVar("folders_in_force", default=_SHIPPED)


@contextmanager
def reading_from(*, published: Path | None = None, priors: Path | None = None) -> Iterator[None]:
    """Make every reader of inputs take other folders while the block runs.

    Parameters
    ----------
    published : Path, optional
        Folder in the layout of ``cba/inputs/published``: observed series and evidence tables.
    priors : Path, optional
        Folder in the layout of ``priors/``, with ``options``, ``checks`` and ``studies`` inside.

    Yields
    ------
    None

    Raises
    ------
    InputError
        If a folder does not exist.

    Notes
    -----
    Blocks nest: what an inner block leaves out stays as the outer one had it, and leaving a block, also by an
    error, restores what was in force before. The setting belongs to the thread (and asyncio task) that made
    it; a reader given a path of its own does not look at it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, reading_from(published=Path(folder)):
    ...     published_folder() == Path(folder)
    True
    >>> published_folder().name
    'published'
    """
    for folder in (published, priors):
        if folder is not None and not Path(folder).is_dir():
            raise InputError(
                "a folder of inputs does not exist",
                file=folder,
                cause="a snapshot or an archive of inputs that was moved or removed",
                remedy="restore the folder, or leave it out to read the shipped files",
            )
    before = _IN_FORCE.get()
    token = _IN_FORCE.set(
        _Folders(
            published=before.published if published is None else Path(published),
            priors=before.priors if priors is None else Path(priors),
        )
    )
    try:
        yield
    finally:
        _IN_FORCE.reset(token)


def shipped_published_folder() -> Path:
    """Return the folder of the published tables that came with the package, whatever is in force."""
    return _PACKAGE / "inputs" / "published"


def published_folder() -> Path:
    """Return the folder of published tables in force: the shipped one outside :func:`reading_from`."""
    return _IN_FORCE.get().published or shipped_published_folder()


def published_in_force() -> bool:
    """Return whether :func:`reading_from` has put another folder of published tables in force."""
    return _IN_FORCE.get().published is not None


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
    """Return the folder of prior files in force (one ``*.toml`` per group of priors)."""
    return _IN_FORCE.get().priors or shipped_folder("priors")


def options_folder() -> Path:
    """Return the folder of option files in force (one ``*.toml`` per option)."""
    return priors_folder() / "options"


def published_file(name: str) -> Path:
    """Return the path of a published table in the folder in force.

    Parameters
    ----------
    name : str
        File name, for example ``"evidence_effects.csv"``.

    Raises
    ------
    InputError
        If the folder holds no such table.

    Examples
    --------
    >>> published_file("evidence_effects.csv").suffix
    '.csv'
    """
    path = published_folder() / name
    if not path.is_file():
        raise InputError(
            "a published table is missing",
            file=path,
            cause="a folder of inputs copied in part"
            if published_in_force()
            else "an incomplete installation",
            remedy="copy the table into the folder" if published_in_force() else "install the package again",
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
