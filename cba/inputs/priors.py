"""The prior registry: every uncertain number of the appraisal, with its distribution and its papers.

Priors are data (``priors/*.toml``), one table per number. The registry reads them, refuses anything
incomplete, fits the stated quantiles, and draws paired samples that do not change for one number when
another is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cba.errors import InputError
from cba.inputs.evidence_columns import DESIGN_CLASSES
from cba.inputs.prior_entries import PriorEntry, build_entry
from cba.inputs.prior_registry import PriorRegistry
from cba.inputs.shipped_files import priors_folder
from cba.inputs.toml_reading import nearest, read_toml

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
        raise InputError(
            "the folder holds no prior files",
            file=place,
            allowed="at least one *.toml",
            cause="a wrong folder",
            remedy="check the path",
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
                    cause="a file copied or an entry moved",
                    remedy="remove one",
                )
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
            cause="a stance that needs the model",
            remedy='use cba.appraise(analysis, stance="review")',
        )
    if stance not in STANCES:
        raise InputError(
            "an unknown stance",
            field="stance",
            found=stance,
            allowed=", ".join((*STANCES, "review and mixture (cba.appraise)")),
            cause="a spelling mistake",
            remedy="use an allowed stance" + nearest(stance, STANCES),
        )


def _stance_designs(content: Mapping[str, Any], *, file: Path) -> dict[str, tuple[str, ...]]:
    """Read the ``[stance.<id>]`` tables at the top of a file."""
    designs = {}
    for name, table in content.get("stance", {}).items():
        if name not in STANCES:
            raise InputError(
                "an unknown stance",
                file=file,
                field=f"stance.{name}",
                found=name,
                allowed=", ".join(STANCES),
                cause="a spelling mistake",
                remedy="use an allowed stance" + nearest(name, STANCES),
            )
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
                cause="a spelling mistake",
                remedy="correct the table",
            )
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
                "an entry is not of the form [group.name]",
                file=file,
                field=group,
                allowed="[group.name]",
                cause="the group left out of the heading",
                remedy="write the heading with group and name",
            )
        for name, entry in members.items():
            yield f"{group}.{name}", entry


def _check_shares(entries: Mapping[str, PriorEntry]) -> None:
    """Refuse a group of shares whose medians do not sum to 1, or whose members can be negative."""
    for group in sorted({entry.shares_group for entry in entries.values() if entry.shares_group}):
        members = [entry for entry in entries.values() if entry.shares_group == group]
        total = sum(
            entry.quantiles[0.5] if entry.quantiles and 0.5 in entry.quantiles else entry.median
            for entry in members
        )
        if abs(total - 1) > _SHARES_TOLERANCE or any(entry.support[0] < 0 for entry in members):
            raise InputError(
                "shares of one whole do not sum to 1",
                file=members[0].file,
                field=", ".join(entry.name for entry in members),
                found=f"medians sum to {total:.6g} (shares_group {group!r})",
                allowed="1, within 1e-9, none below 0",
                cause="a member added or changed without the others",
                remedy="correct the medians; never rescaled",
            )
