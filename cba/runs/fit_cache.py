"""Cached fits: a fit is kept under the fingerprint of everything it depends on, and made once.

A fit is one netCDF file, ``<reports root>/.cache/<model>-<fingerprint>.nc``, with its SHA-256 beside it. A
file that does not match its hash, or cannot be read, is never used: the model is fitted again and a warning
printed. The cache only saves time: where it cannot be written the fit is still returned.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.runs.fingerprints import MODEL_ROOMS, code_fingerprint, content_sha256, file_sha256, library_versions
from cba.runs.whole_writing import sync_folder, write_whole

if TYPE_CHECKING:
    import xarray as xr

    from cba.inputs.evidence import Evidence
    from cba.inputs.prior_registry import PriorRegistry

PRIOR_GROUPS: Mapping[str, tuple[str, ...]] = {
    "baseline": ("baseline.",),
    "effects": ("effects.", "family_help."),
}
"""Start of the names of the prior entries each model reads."""

WAIT_SECONDS = 1800.0
"""How long a run waits for another that is making the same fit."""


def fit_key(
    model: str,
    *,
    priors: PriorRegistry,
    settings: Mapping[str, Any],
    code: str | None = None,
    observations: Mapping[str, Any] | None = None,
    evidence: Evidence | None = None,
) -> dict[str, Any]:
    """Return everything a fit depends on, as plain values.

    Parameters
    ----------
    model : {"baseline", "effects"}
    priors : PriorRegistry
        Only the entries the model reads enter the key (:data:`PRIOR_GROUPS`).
    settings : mapping
        Draws, tune, chains, seed, gates.
    code : str, optional
        Fingerprint of the code that makes the fit, taken before it was loaded; taken now by default.
    observations : mapping, optional
        The release and the SHA-256 of the published tables.
    evidence : Evidence, optional
        The evidence as known at the date of the analysis.

    Returns
    -------
    dict
        For :func:`cached_fit`.

    Examples
    --------
    >>> from cba.inputs.priors import load_priors
    >>> sorted(fit_key("baseline", priors=load_priors(), settings={"seed": 1}))
    ['code', 'libraries', 'model', 'priors', 'settings']
    """
    entries = [priors[name].content() for name in priors if name.startswith(PRIOR_GROUPS[model])]
    key: dict[str, Any] = {
        "model": model,
        "priors": entries,
        "settings": dict(settings),
        "code": code or code_fingerprint(MODEL_ROOMS),
        "libraries": library_versions(),
    }
    if observations is not None:
        key["observations"] = dict(observations)
    if evidence is not None:
        key["evidence"] = evidence.fingerprint()
        key["designs"] = None if priors.evidence_designs is None else list(priors.evidence_designs)
    return key


def cached_fit(
    root: str | Path, *, model: str, key: Mapping[str, Any], fit: Callable[[], xr.DataTree]
) -> xr.DataTree:
    """Return the fit kept under `key`, or make it and keep it.

    Parameters
    ----------
    root : str or Path
        Folder of the reports; the cache is its ``.cache``.
    model : str
        Start of the file name.
    key : mapping
        Plain values naming everything the fit depends on.
    fit : callable
        Makes the fit; called only where no sound copy exists.

    Returns
    -------
    DataTree
        Loaded in memory. A fit just made is returned as the cache returns it, so that both paths agree.

    Raises
    ------
    Exception
        Whatever `fit` raises (GateError where it has not converged); nothing is kept then.

    Examples
    --------
    >>> import xarray as xr
    >>> from tempfile import TemporaryDirectory
    >>> tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mean": ("draw", [1.0, 2.0])})})
    >>> with TemporaryDirectory() as root:
    ...     made = cached_fit(root, model="effects", key={"seed": 1}, fit=lambda: tree)
    ...     kept = cached_fit(root, model="effects", key={"seed": 1}, fit=lambda: None)
    >>> made.identical(kept)
    True
    """
    from filelock import FileLock, Timeout

    path = Path(root) / ".cache" / f"{model}-{content_sha256(key)[:16]}.nc"
    lock = FileLock(path.parent / f"{model}.lock", timeout=WAIT_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, Timeout) as error:
        _warn(f"fits are not cached in {path.parent}: {error}")
        return fit()
    try:
        kept = _read(path)
        return kept if kept is not None else _made(path, fit)
    finally:
        lock.release()


def _read(path: Path) -> xr.DataTree | None:
    """Return the kept fit if it is there and sound."""
    side = _side(path)
    if not path.is_file() or not side.is_file():
        return None
    if file_sha256(path) != side.read_text(encoding="utf-8").strip():
        _warn(f"the cached fit {path} does not match its hash (damaged on disk): fitting again")
        return None
    import xarray as xr

    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            return opened.load()
    except (OSError, ValueError, KeyError) as error:
        _warn(f"the cached fit {path} cannot be read ({error}): fitting again")
        return None


def _made(path: Path, fit: Callable[[], xr.DataTree]) -> xr.DataTree:
    """Make the fit and keep it; return what the cache will return next time."""
    tree = fit()
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        tree.to_netcdf(beside, engine="h5netcdf")
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        digest = file_sha256(beside)
        _side(path).unlink(missing_ok=True)  # killed between the renames: no hash, so it is made again
        os.replace(beside, path)
        write_whole(_side(path), digest + "\n")
        sync_folder(path.parent)
    except Exception as error:  # keeping it is a convenience: whatever stops it must not cost the fit
        _warn(f"the fit could not be kept in {path}: {error}")
        return tree
    finally:
        beside.unlink(missing_ok=True)
    return _read(path) or tree


def _side(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)
