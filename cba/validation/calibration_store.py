"""Replicates of a calibration on disk: one small file each, so that what is done is never done again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cba.errors import InputError

_NEEDED = ("ranks", "divergences", "least_effective_draws", "thinned_by", "redrawn")


def store_folder(root: str | Path, *, model: str, fingerprint: str, seed: int) -> Path:
    """Return the folder for the replicates of one state of a model and one seed.

    Parameters
    ----------
    root : str or Path
        Folder of all calibrations.
    model : str
    fingerprint : str
        As returned by :func:`cba.models.calibrated_models.made_from`.
    seed : int

    Returns
    -------
    Path
        Replicates of another state of the model lie in another folder and are never mixed in.

    Examples
    --------
    >>> store_folder("store", model="baseline", fingerprint="abcdef0123456789", seed=1).name
    'baseline-abcdef012345-seed1'
    """
    return Path(root) / f"{model}-{fingerprint[:12]}-seed{seed}"


def keep_replicate(folder: Path, number: int, result: dict[str, Any]) -> None:
    """Write one replicate; its file appears whole or not at all.

    Parameters
    ----------
    folder : Path
        Made where missing.
    number : int
        From 0.
    result : dict
        As returned by :func:`cba.models.simulated_refits.simulated_refit`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> result = {"ranks": {"level": 3}, "divergences": 0, "least_effective_draws": 99.0, "thinned_by": 10,
    ...           "redrawn": 0}
    >>> keep_replicate(folder, 7, result)
    >>> kept_replicates(folder) == {7: result}
    True
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"replicate_{number:05d}.json"
    beside = place.with_suffix(f".{os.getpid()}.part")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(result, file, sort_keys=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, place)


def kept_replicates(folder: Path) -> dict[int, dict[str, Any]]:
    """Read the replicates done so far, in the order of their numbers.

    Parameters
    ----------
    folder : Path
        Need not exist.

    Returns
    -------
    dict of int to dict

    Raises
    ------
    InputError
        If a file is not a replicate.

    Examples
    --------
    >>> kept_replicates(Path("no such folder"))
    {}
    """
    found = {}
    for place in sorted(folder.glob("replicate_*.json")):
        try:
            result = json.loads(place.read_text("utf-8"))
            missing = [name for name in _NEEDED if name not in result]
        except (ValueError, TypeError):
            missing = list(_NEEDED)
        if missing:
            raise InputError(
                "a stored replicate cannot be read",
                file=str(place),
                field=missing[0],
                found="missing",
                allowed=", ".join(_NEEDED),
                cause="a file changed by hand, or a damaged disk",
                remedy="delete this file: the replicate is done again",
            )
        found[int(place.stem.rsplit("_", 1)[1])] = result
    return found
