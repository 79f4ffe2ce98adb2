"""The prior registry: every uncertain number of the appraisal, with its distribution and its papers.

Priors are data (``priors/*.toml``), one table per number. The registry reads them, refuses anything
incomplete, fits the stated quantiles, and draws paired samples that do not change for one number when
another is added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.errors import InputError
from cba.inputs.distributions import Floats
from cba.inputs.evidence_rules import DESIGN_CLASSES
from cba.inputs.files import fingerprint, nearest, priors_folder, read_toml
from cba.inputs.prior_entries import PriorEntry, build_entry

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


# --- The prior registry in memory: look up, draw and tabulate every uncertain number of the appraisal ---


@dataclass(frozen=True)
class PriorRegistry:
    """All priors as one stance holds them."""

    stance: str  # ``evidence`` or ``sceptical``
    entries: Mapping[str, PriorEntry]  # by dotted name, sorted
    # Study designs the stance lets into the evidence synthesis; None for all.
    evidence_designs: tuple[str, ...] | None = None

    def joined(self, more: Mapping[str, PriorEntry]) -> PriorRegistry:
        """The registry with the entries of options' own effects, which change no other entry's draws."""
        return replace(self, entries=MappingProxyType(dict(sorted({**self.entries, **more}.items()))))

    def __getitem__(self, name: str) -> PriorEntry:
        if name not in self.entries:
            raise InputError(
                "an unknown prior",
                file="priors/",
                field=name,
                found=name,
                allowed=f"one of {len(self.entries)} entries",
            ).advice(
                "a misspelt name, or an entry removed",
                remedy="list them with `cba priors`" + nearest(name, self.entries),
            )
        return self.entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def quantile(self, name: str, q: float) -> float:
        """Return the `q` quantile (0 < q < 1) of one entry, in its unit."""
        return self[name].quantile(q)

    def sample(self, n: int, seed: int) -> xr.Dataset:
        """Draw `n` paired samples of every entry.

        One variable per entry, with `unit`, `description` (and `price_year`) as attributes.
        """
        # `seed`: zero or more. Each entry has a generator of its own, seeded with `seed` and a hash of its
        # name, so draws of one entry do not depend on which others exist; the first draws of a longer sample
        # are those of a shorter one.
        #
        # ``x = F^-1(u)``, u uniform. Entries of one `shares_group` are the parts of a Dirichlet: Gammas drawn
        # apart and divided by their sum, each with the Beta that is stated as its own distribution.
        import xarray as xr

        if n < 1 or seed < 0:
            raise InputError(
                "a sample needs n of 1 or more and a seed of 0 or more", found=f"n={n}, seed={seed}"
            )
        draws = _closed_shares(
            self.entries, {k: _own_draws(e, _uniforms(k, n, seed)) for k, e in self.entries.items()}
        )
        variables = {
            name: ("sample", values, _attributes(self.entries[name])) for name, values in draws.items()
        }
        return xr.Dataset(
            variables,
            coords={"sample": np.arange(n)},
            attrs={"stance": self.stance, "seed": seed, "fingerprint": self.fingerprint()},
        )

    def table(self) -> pd.DataFrame:
        """Return one row per entry: all fields, the fitted 5%, 50% and 95% points and the fit error."""
        import pandas as pd

        return pd.DataFrame([_row(entry) for entry in self.entries.values()]).set_index("name")

    def fingerprint(self, groups: Collection[str] | None = None) -> str:
        """Return the SHA-256 of the content: same priors, same fingerprint, whatever file they stand in.

        `groups`: only of entries of these groups, whichever stance holds them; ``stance`` is the designs it admits.
        """
        kept = [e for name, e in self.entries.items() if groups is None or name.partition(".")[0] in groups]
        said: dict[str, Any] = {"entries": [entry.content() for entry in kept]}
        if groups is None or "stance" in groups:
            said["evidence_designs"] = None if self.evidence_designs is None else list(self.evidence_designs)
        return fingerprint(said if groups is not None else said | {"stance": self.stance})


def _uniforms(name: str, n: int, seed: int) -> Floats:
    """Return n uniforms strictly inside (0, 1) from a generator that belongs to this name and seed."""
    words = np.frombuffer(hashlib.sha256(name.encode("utf-8")).digest(), dtype="<u4")
    generator = np.random.default_rng(np.random.SeedSequence([seed, *(int(word) for word in words)]))
    return generator.random(n) * (1 - 2.0**-52) + 2.0**-53


def _own_draws(entry: PriorEntry, uniforms: Floats) -> Floats:
    """Return draws of an entry, or of the Gamma behind a part of one whole."""
    if entry.shares_group:
        from scipy.special import gammaincinv

        return np.asarray(gammaincinv(entry.parameters["alpha"], uniforms))
    return entry.fitted.ppf(uniforms)


def _closed_shares(entries: Mapping[str, PriorEntry], draws: dict[str, Floats]) -> dict[str, Floats]:
    """Divide the draws of each shares group by their sum (see :meth:`PriorRegistry.sample`)."""
    totals: dict[str, Floats] = {}
    for name, entry in entries.items():
        if entry.shares_group:
            totals[entry.shares_group] = totals.get(entry.shares_group, 0.0) + draws[name]
    return {
        name: draws[name] / totals[group] if (group := entries[name].shares_group) else draws[name]
        for name in draws
    }


def _attributes(entry: PriorEntry) -> dict[str, Any]:
    attributes: dict[str, Any] = {"unit": entry.unit, "description": entry.description}
    if entry.price_year is not None:
        attributes["price_year"] = entry.price_year
    if entry.shares_group is not None:
        attributes["shares_group"] = entry.shares_group
    return attributes


_WHAT = ("name", "description", "unit", "price_year")
_SHAPE = ("distribution", "parameters", "stated", "p05", "p50", "p95", "fit_error")
_PAPERS = ("confidence", "basis", "owner", "reviewed", "source", "url")
_STANDING = ("shares_group", "stance", "reason", "overridden_by", "file")


def _row(entry: PriorEntry) -> dict[str, Any]:
    said = {
        "parameters": ", ".join(f"{key} = {value:.6g}" for key, value in entry.parameters.items()),
        "stated": ", ".join(f"{q:g}: {v:g}" for q, v in (entry.quantiles or {}).items()) or "params",
        "reviewed": entry.reviewed.isoformat() if entry.reviewed else "",
        "source": "; ".join(source.title for source in entry.source),
        "url": "; ".join(source.url for source in entry.source if source.url),
        "shares_group": entry.shares_group or "",
        "overridden_by": ", ".join(entry.overridden_by),
        "file": Path(entry.file).name,
        **{f"p{q:02}": float(entry.fitted.ppf(q / 100)) for q in (5, 50, 95)},
    }
    columns = (*_WHAT, *_SHAPE, *_PAPERS, *_STANDING)
    return {name: said[name] if name in said else getattr(entry, name) for name in columns}


STANCES = ("evidence", "sceptical")
"""Stances the registry holds; `review` is the evidence draws conditioned on the claims."""


_RESERVED = ("schema", "stance")


_SHARES_TOLERANCE = 1e-9


def load_priors(path: str | Path | None = None, stance: str = "evidence") -> PriorRegistry:
    """Load the prior registry.

    Parameters
    ----------
    path : str or Path, optional
        A folder of ``*.toml`` files (subfolders are not read) or one file; the shipped priors by default.
    stance : {"evidence", "sceptical"}
        Whose beliefs: overrides written for the stance replace the entries they belong to.

    Returns
    -------
    PriorRegistry

    Raises
    ------
    InputError
        For an unknown stance, for ``"review"`` (which is not a set of priors), and for any entry that is
        incomplete, inconsistent or out of range; the message names file, entry and field.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> text = '''
    ... [family_help.relative_risk]
    ... description = "Risk ratio of care entry, child served against not served"
    ... distribution = "LogNormal"
    ... quantiles = { "0.05" = 0.75, "0.5" = 0.93, "0.95" = 1.12 }
    ... unit = "ratio"
    ... confidence = "amber"
    ... owner = "analysis"
    ... reviewed = 2026-11-21
    ... source = [{ title = "judgement: wide range", url = "" }]
    ... basis = "judgement"
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "effects.toml").write_text(text)
    ...     priors = load_priors(folder)
    >>> priors["family_help.relative_risk"].distribution
    'LogNormal'
    >>> priors.sample(3, seed=0).sizes["sample"]
    3
    """
    _check_stance(stance)
    place = priors_folder() if path is None else Path(path)
    files = sorted(place.glob("*.toml")) if place.is_dir() else [place]
    if not files:
        raise InputError("the folder holds no prior files", file=place, allowed="at least one *.toml").advice(
            "a wrong folder", remedy="check the path"
        )
    entries: dict[str, PriorEntry] = {}
    designs: dict[str, tuple[str, ...]] = {}
    for file in files:
        content = read_toml(file)
        designs |= _stance_designs(content, file=file)
        for name, written in _written_entries(content, file=file):
            if name in entries:
                raise InputError(
                    "an entry stands in two files",
                    file=file,
                    field=name,
                    found=f"also in {entries[name].file}",
                    allowed="each entry once",
                ).advice("a file copied or an entry moved", remedy="remove one")
            entries[name] = build_entry(name, written, stance=stance, file=str(file))
    _check_shares(entries)
    return PriorRegistry(stance, MappingProxyType(dict(sorted(entries.items()))), designs.get(stance))


def _check_stance(stance: str) -> None:
    if stance == "review":
        raise InputError(
            "`review` is not a set of priors: it is the evidence draws conditioned on the review's claims",
            field="stance",
            found="review",
            allowed=", ".join(STANCES),
        ).advice("a stance that needs the model", remedy='use cba.appraise(analysis, stance="review")')
    if stance not in STANCES:
        raise _unknown_stance(stance, allowed=(*STANCES, "review and mixture (cba.appraise)"), field="stance")


def _unknown_stance(name: str, *, allowed: Sequence[str], field: str, file: Path | None = None) -> InputError:
    return InputError(
        "an unknown stance", file=file, field=field, found=name, allowed=", ".join(allowed)
    ).advice("a spelling mistake", remedy="use an allowed stance" + nearest(name, STANCES))


def _stance_designs(content: Mapping[str, Any], *, file: Path) -> dict[str, tuple[str, ...]]:
    """Read the ``[stance.<id>]`` tables at the top of a file."""
    designs = {}
    for name, table in content.get("stance", {}).items():
        if name not in STANCES:
            raise _unknown_stance(name, allowed=STANCES, field=f"stance.{name}", file=file)
        unknown = set(table) - {"evidence_designs", "reason"}
        listed = table.get("evidence_designs", [])
        bad = [design for design in listed if design not in DESIGN_CLASSES]
        if unknown or bad or not listed:
            raise InputError(
                "a stance does not say which study designs it admits",
                file=file,
                field=f"stance.{name}." + (sorted(unknown)[0] if unknown else "evidence_designs"),
                found=sorted(unknown) or listed or "nothing",
                allowed="evidence_designs = list of " + ", ".join(DESIGN_CLASSES) + "; reason",
            ).advice("a spelling mistake", remedy="correct the table")
        designs[name] = tuple(listed)
    return designs


def _written_entries(content: Mapping[str, Any], *, file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield dotted name and table of every entry of a file."""
    for group, members in content.items():
        if group in _RESERVED:
            continue
        shaped = isinstance(members, dict) and all(isinstance(entry, dict) for entry in members.values())
        if not shaped:
            raise InputError(
                "an entry is not of the form [group.name]", file=file, field=group, allowed="[group.name]"
            ).advice("the group left out of the heading", remedy="write the heading with group and name")
        for name, entry in members.items():
            yield f"{group}.{name}", entry


def _check_shares(entries: Mapping[str, PriorEntry]) -> None:
    """Refuse a group of shares that are not the parts of one Dirichlet, alpha_i and the sum of the others' alphas."""
    for group in sorted({entry.shares_group for entry in entries.values() if entry.shares_group}):
        members = [entry for entry in entries.values() if entry.shares_group == group]
        parts = [entry.parameters for entry in members if entry.distribution == "Beta"]
        whole = sum(part["alpha"] for part in parts)
        apart = max((abs(part["alpha"] + part["beta"] - whole) for part in parts), default=0.0)
        if len(parts) < len(members) or apart > _SHARES_TOLERANCE * whole:
            raise InputError(
                "shares of one whole do not sum to 1",
                file=members[0].file,
                field=", ".join(entry.name for entry in members),
                found=f"alphas sum to {whole:.6g} (shares_group {group!r}), alpha + beta is up to {apart:.3g} away",
                allowed="Betas whose alpha + beta is the sum of all alphas of the group",
            ).advice(
                "a member added or changed without the others",
                remedy="state each part as Beta with params alpha and beta of one Dirichlet; never rescaled",
            )
