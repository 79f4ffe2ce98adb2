"""Fingerprints: SHA-256 of what a run is made from, cheap enough to ask whether anything has changed.

Four parts, kept apart so that a change can be named: the inputs (prior files, option files, published
tables, discount schedules), the code of the package, the settings of the analysis, and the versions of the
libraries that compute. Files are hashed as bytes; nothing is parsed and no numerical library is imported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.inputs.files import options_folder, priors_folder, published_folder

if TYPE_CHECKING:
    pass


PACKAGE = Path(__file__).resolve().parents[1]
"""Folder of the package whose code is fingerprinted."""


NUMERICAL_LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "pymc",
    "pytensor",
    "nutpie",
    "arviz-stats",
    "numba",
)
"""Libraries whose version can move a result."""


MODEL_ROOMS = ("dimensions.py", "errors.py", "inputs", "models")
"""Code a fit depends on: what reads its inputs and what builds and samples it."""


@dataclass(frozen=True)
class Fingerprints:
    """What a run is made from."""

    # SHA-256 by name, such as ``priors/costs.toml``, ``options/bau.toml``, ``published/unit_costs.csv``.
    inputs: Mapping[str, str]
    code: str  # SHA-256 of the package's Python files
    settings: str  # SHA-256 of the analysis as loaded, changes made on the command line included
    environment: str  # SHA-256 of the versions of the numerical libraries

    @property
    def run(self) -> str:
        """Return the SHA-256 of all four parts; its first eight characters name the run."""
        return content_sha256(
            {
                "inputs": dict(self.inputs),
                "code": self.code,
                "settings": self.settings,
                "environment": self.environment,
            }
        )

    def record(self) -> dict[str, Any]:
        """Return plain values for the manifest."""
        return {
            "run": self.run,
            "inputs": dict(self.inputs),
            "code": self.code,
            "settings": self.settings,
            "environment": self.environment,
        }


def content_sha256(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain values in canonical JSON: same content, same hash, any order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes. 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_files() -> dict[str, Path]:
    """Return every file a run reads beside its analysis, from the folders in force.

    Name, such as ``priors/costs.toml`` or ``published/unit_costs.csv``, to path: priors, options, costs of
    studies, plausibility bounds, published tables, results of the panel and discount schedules.
    """
    # ``schedules.toml`` and ``panel_results/`` come with the code, whatever folders are in force: a new schedule or a
    # new fit of the panel is a new version of the package.
    folders = {
        "priors": (priors_folder(), "*.toml"),
        "priors/studies": (priors_folder() / "studies", "*.toml"),
        "priors/checks": (priors_folder() / "checks", "*.toml"),
        "options": (options_folder(), "*.toml"),
        "published": (published_folder(), "*.csv"),
        "panel_results": (PACKAGE / "inputs" / "panel_results", "*.csv"),
        "costs": (PACKAGE, "schedules.toml"),  # known in stored manifests as costs/schedules.toml
    }
    return {
        f"{under}/{file.name}": file
        for under, (folder, pattern) in folders.items()
        for file in sorted(folder.glob(pattern))
    }


def input_fingerprints() -> dict[str, str]:
    """Fingerprint every file a run reads beside its analysis (whose content is the settings).

    Name as `input_files` gives it to SHA-256.
    """
    return {name: file_sha256(file) for name, file in input_files().items()}


def code_fingerprint(rooms: Iterable[str] | None = None) -> str:
    """Fingerprint the package's Python files, or those of some rooms of it. 64 hexadecimal digits."""
    places = [PACKAGE] if rooms is None else [PACKAGE / room for room in rooms]
    files = sorted(file for place in places for file in ([place] if place.is_file() else place.rglob("*.py")))
    return content_sha256({file.relative_to(PACKAGE).as_posix(): file_sha256(file) for file in files})


def library_versions() -> dict[str, str]:
    """Return the installed version of each numerical library. Name to version, ``""`` where it is missing."""
    found = {}
    for name in NUMERICAL_LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def run_fingerprints(settings: Mapping[str, Any]) -> Fingerprints:
    """Fingerprint a run before it is computed."""
    return Fingerprints(
        inputs=input_fingerprints(),
        code=code_fingerprint(),
        settings=content_sha256(settings),
        environment=content_sha256(library_versions()),
    )


# --- The stages of a run as ordinarily made: observe and reconcile, fit (from the cache), appraise, … ---


def prior_stance(stance: str) -> str:
    """Return the stance whose priors and fits another one uses.

    ``evidence`` for ``review``, which conditions the draws of evidence; the stance itself otherwise.
    """
    return "evidence" if stance == "review" else stance


def beliefs_of(stance: str) -> tuple[str, ...]:
    """Return the stances whose fits a stance needs."""
    return ("evidence", "sceptical") if stance == "mixture" else (prior_stance(stance),)
