"""Load policy options: data files that build on one another, resolved into complete, checked records.

An option is one TOML file in ``priors/options/``. A file may build on another (`base`), keep only some of
its components, delay it or finance it in another way. Adding an option is adding a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.inputs.option_records import Effects, Option
from cba.inputs.shipped_files import options_folder
from cba.inputs.toml_reading import checked_record, nearest, read_toml

STANDARD_ORDER = (
    "bau",
    "care_review",
    "care_review_injection_only",
    "care_review_reinvest",
    "care_review_delayed",
    "dfe_2023",
    "ffp_2025",
    "family_help_only",
    "kinship_only",
    "foster_only",
    "placement_reform",
)
"""Order in which options are listed; options a user adds follow, by name."""

_EFFECT_OWNERS: Mapping[str, tuple[str, ...]] = {
    "kinship": ("allowance_scope", "family_network"),
    "foster": ("foster_carers_target",),
    "regional_care": ("price_reform",),
}


def load_options(
    ids: Sequence[str] | None = None, path: str | Path | None = None, *, own: Sequence[Option] = ()
) -> tuple[Option, ...]:
    """Load options, resolved and checked.

    Parameters
    ----------
    ids : sequence of str, optional
        Options wanted, in this order; all of them in standard order by default.
    path : str or Path, optional
        Folder of option files; the shipped ones by default. A single file stands beside the shipped ones, may
        build on them, and is what comes back unless `ids` asks for more.
    own : sequence of Option
        Options of a user, already loaded by :func:`named_options`, that `ids` may name too.

    Returns
    -------
    tuple of Option

    Raises
    ------
    InputError
        Unknown option (lists the known ones and the nearest), a file whose name is not its id, a missing
        `bau` or one that spends, a circle of bases, and any mistake in a file.

    Examples
    --------
    >>> load_options(["bau"])[0].spend
    ()
    """
    place = options_folder() if path is None else Path(path)
    folder = options_folder() if place.is_file() else place
    written = {file.stem: read_toml(file) for file in sorted(folder.glob("*.toml"))}
    if place.is_file():
        folder, ids = place.parent, [place.stem] if ids is None else ids
        written[place.stem] = read_toml(place)
    if "bau" not in written:
        raise InputError(
            "the folder of options has no `bau`",
            file=folder / "bau.toml",
            found=", ".join(written) or "no files",
            allowed="bau.toml, without spending",
            cause="a wrong folder",
            remedy="add bau.toml or check the path",
        )
    options = {name: _option(name, written, folder) for name in written} | {o.id: o for o in own}
    bau = options["bau"]
    if bau.spend or bau.recurrent or bau.effects != Effects():
        raise InputError(
            "business as usual spends money or has effects",
            file=folder / "bau.toml",
            field="spend",
            found=f"{len(bau.spend)} spending line(s)",
            allowed="no spend, recurrent or effects",
            cause="current policy entered as an option",
            remedy="leave bau empty: its money is in the baseline",
        )
    if ids is None:
        return tuple(options[name] for name in sorted(options, key=_standard_position))
    return tuple(_chosen(name, options, folder) for name in ids)


def named_options(
    names: Sequence[str], *, beside: Path, path: str | Path | None = None
) -> tuple[tuple[str, ...], tuple[Option, ...]]:
    """Read the option files that a list of options names, beside those it names by id.

    Parameters
    ----------
    names : sequence of str
        Ids, and paths of option files: what ends in ``.toml``.
    beside : Path
        Folder that relative paths start from: that of the analysis.
    path : str or Path, optional
        Folder of the other options; the shipped ones by default. An option file may build on them and on the
        other files named.

    Returns
    -------
    ids : tuple of str
        The list with every path replaced by the id of its option.
    own : tuple of Option
        Options read from the paths, resolved and checked, in order.

    Raises
    ------
    InputError
        A file that does not exist, has the id of another option, or holds any mistake.

    Examples
    --------
    >>> named_options(["bau", "care_review"], beside=Path("."))
    (('bau', 'care_review'), ())
    """
    files = {name: beside / name for name in names if name.endswith(".toml")}
    folder = options_folder() if path is None else Path(path)
    written = {file.stem: read_toml(file) for file in sorted(folder.glob("*.toml"))} if files else {}
    for name, file in files.items():
        if file.stem in written:
            raise InputError(
                "an option file has the id of another option",
                file=file,
                field="options",
                found=name,
                allowed="a file name of its own",
                cause="a shipped option copied to be changed, or a path listed twice",
                remedy="rename the file and its id; it can build on the other with `base`",
            )
        written[file.stem] = read_toml(file)
    own = {name: _option(file.stem, written, file.parent) for name, file in files.items()}
    return tuple(own[name].id if name in own else name for name in names), tuple(own.values())


def _standard_position(name: str) -> tuple[int, str]:
    return (STANDARD_ORDER.index(name) if name in STANDARD_ORDER else len(STANDARD_ORDER), name)


def _chosen(name: str, options: Mapping[str, Option], folder: Path) -> Option:
    if name not in options:
        raise InputError(
            "an unknown option",
            file=folder,
            field="options",
            found=name,
            allowed=", ".join(options),
            cause="a misspelt id, or a file not yet written",
            remedy=f"use a known id or add {name}.toml" + nearest(name, options),
        )
    return options[name]


def _option(name: str, written: Mapping[str, dict[str, Any]], folder: Path) -> Option:
    """Resolve and check the option of one file."""
    file = folder / f"{name}.toml"
    option = checked_record(Option, _resolved(name, written, folder, ()), file=file)
    if option.id != name:
        raise InputError(
            "the id of an option is not the name of its file",
            file=file,
            field="id",
            found=option.id,
            allowed=name,
            cause="a file copied and not renamed",
            remedy="make id and file name the same",
        )
    return option


def _resolved(
    name: str, written: Mapping[str, dict[str, Any]], folder: Path, above: tuple[str, ...]
) -> dict[str, Any]:
    """Return an option's table with everything it takes from its base filled in."""
    file = folder / f"{name}.toml"
    own = written[name]
    base = own.get("base")
    if base is None:
        if "components" in own:
            raise InputError(
                "a filter on components without a base",
                file=file,
                field="components",
                found=own["components"],
                allowed="only together with base",
                cause="the base left out",
                remedy="add base, or remove it",
            )
        return own
    if base not in written:
        raise InputError(
            "the base of an option does not exist",
            file=file,
            field="base",
            found=base,
            allowed=", ".join(written),
            cause="a misspelt id",
            remedy="use a known option" + nearest(str(base), written),
        )
    if base in (*above, name):
        raise InputError(
            "options build on each other in a circle",
            file=file,
            field="base",
            found=" -> ".join((*above, name, base)),
            allowed="a chain that ends",
            cause="two files naming each other",
            remedy="remove one base",
        )
    inherited = _resolved(base, written, folder, (*above, name))
    return _combined(own, inherited)


def _combined(own: dict[str, Any], inherited: dict[str, Any]) -> dict[str, Any]:
    """Put an option's own keys over those of its base, after the filter on components."""
    kept = {key: value for key, value in inherited.items() if key not in ("base", "components")}
    wanted = own.get("components")
    if isinstance(wanted, list):
        kept["spend"] = [line for line in kept.get("spend", []) if line.get("component") in wanted]
        if kept.get("recurrent", {}).get("component") not in wanted:
            kept.pop("recurrent", None)
        lost = {name for owner, names in _EFFECT_OWNERS.items() if owner not in wanted for name in names}
        kept["effects"] = {key: value for key, value in kept.get("effects", {}).items() if key not in lost}
        kept.pop("unmonetised", None)  # they belong to the whole package; restate those that still apply
    if own.get("financing") in ("none", "fade"):
        kept.pop("recurrent", None)  # the option says that the base's recurrent money is not given
    merged = kept | own
    if isinstance(own.get("effects"), dict):
        merged["effects"] = kept.get("effects", {}) | own["effects"]
    return merged
