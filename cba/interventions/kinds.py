"""Every kind of effect, the effects an option has, and their work: the one place where kinds are listed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.errors import InputError
from cba.inputs.files import nearest, priors_folder, read_toml, shipped_folder
from cba.inputs.prior_entries import PriorEntry
from cba.inputs.safe_files import strict_json
from cba.inputs.written_records import checked_record
from cba.interventions import exits, placement_shift, places, starts, stay, unit_cost
from cba.interventions.effects import STANCES, Effect, read_effect
from cba.interventions.records import Ground, Money, Work

if TYPE_CHECKING:
    from cba.inputs.options import Option

KINDS = {k.name: k for k in (m.KIND for m in (starts, stay, exits, placement_shift, unit_cost, places))}
"""Kinds by name; a new one is a file of its own and its place here."""

SHIPPED = "interventions"
"""Folder, inside that of the priors, of the effects of shipped components: a file for each intervention."""

COST_ONLY = ("workforce", "regional_care", "other")
"""Shipped components that may go without an effect: lines of cost, with what they would have to bring stated."""


_OFF = (None, False, 0, "none")


def shipped_effects() -> tuple[Effect, ...]:
    """Effects of the components that come with the package."""
    folder = priors_folder() / SHIPPED
    # Inputs that a run of an earlier version was made from have no such folder.
    return _read(folder if folder.is_dir() else shipped_folder("priors") / SHIPPED)


@lru_cache(maxsize=4)
def _read(folder: Path) -> tuple[Effect, ...]:
    return tuple(
        _effect(table, file=str(file), place=f"effect.{position}", name=table["name"], own=False)
        for file in sorted(folder.glob("*.toml"))
        for position, table in enumerate(read_toml(file)["effect"])
    )


def checked(option: Option) -> tuple[Effect, ...]:
    """The effects of an option, shipped ones first, each with its priors; refuses what does not hold together.

    A shipped effect acts where the option spends on its component and, if it has a switch, turns it on.
    """
    paid = _paid(option)
    found = []
    for effect in shipped_effects():
        switch = getattr(option.effects, effect.form.switch) if effect.form.switch else True
        if effect.component in paid and switch not in _OFF:
            found.append(replace(effect, switch=switch))
    own = _own(option)
    _require_paid(own, paid)
    return (*found, *own)


def shipped_effect(name: str) -> Effect:
    """The shipped effect of a name."""
    return next(effect for effect in shipped_effects() if effect.name == name)


def _own(option: Option) -> tuple[Effect, ...]:
    """Effects that the option states itself, named by component, kind and, from the second on, number."""
    taken = {effect.component for effect in shipped_effects()} - set(COST_ONLY)
    count: dict[str, int] = {}
    found = []
    for position, written in enumerate(option.effect):
        table = dict(written.table)
        place = f"effect.{position}" + (f" (line {written.line})" if written.line else "")
        if table.get("component") in taken:
            raise InputError(
                "an option states an effect of a component that has its own",
                file=written.file or None,
                field=f"{place}.component",
                found=table["component"],
                allowed="a name of its own, or " + ", ".join(COST_ONLY),
                cause="an intervention named after a shipped one",
                remedy="give its money and its effect a component name of their own",
            )
        for field in sorted({"name", "switch", "fitted_reach", "existing"} & table.keys()):
            raise InputError(
                "an unknown field",
                file=written.file or None,
                field=f"{place}.{field}",
                found=table[field],
                allowed="the fields of the kind",
                cause="a field of the shipped effects",
                remedy="remove the field",
            )
        name = f"{table.get('component')}.{table.get('kind')}"
        count[name] = count.get(name, 0) + 1
        name = name if count[name] == 1 else f"{name}_{count[name]}"
        found.append(_known(json.dumps(table, default=str), written.file, place, name))
    return tuple(found)


@lru_cache(maxsize=256)
def _known(table: str, file: str, place: str, name: str) -> Effect:
    """An effect of an option; its priors are fitted once, for the accounts of an option are worked out often."""
    return _effect(strict_json(table, finite=False), file=file, place=place, name=name)


def _effect(table: Mapping[str, Any], *, file: str, place: str, name: str, **rest: Any) -> Effect:
    kind = table.get("kind")
    if kind not in KINDS:
        raise InputError(
            "an effect is of no known kind",
            file=file or None,
            field=f"{place}.kind",
            found="nothing" if kind is None else kind,
            allowed=", ".join(KINDS),
            cause="the kind misspelt or left out",
            remedy="use one of them" + nearest(str(kind), KINDS),
        )
    try:
        form = checked_record(KINDS[kind].form, dict(table), file=file, field=place)
    except InputError as error:
        written = error.details["field"] or ""
        plain = re.sub(r"\.(prior|product|name)(?=\.|$)", "", written)
        raise error.changed(file=file, field=plain) from None
    return read_effect(KINDS[kind], form, name=name, file=file, place=place, **rest)


def _paid(option: Option) -> set[str]:
    """Components an option spends new money on."""
    later = {option.recurrent.component} if option.recurrent else set()
    return {line.component for line in option.spend if line.additional} | later


def _require_paid(own: Sequence[Effect], paid: set[str]) -> None:
    """Refuse an effect without money."""
    for effect in own:
        if effect.component not in paid:
            raise effect.refused(
                "an effect has no money",
                field="component",
                found=effect.component,
                allowed=", ".join(sorted(paid)) or "a component the option spends on",
                cause="a component misspelt, or its [[spend]] left out",
                remedy="add [[spend]] for it" + nearest(effect.component, paid),
            )


def own_entries(
    options: Iterable[Option], *, stance: str, known: Mapping[str, Any] | None = None
) -> dict[str, PriorEntry]:
    """Priors of the options' own effects as a stance holds them, by the name they are drawn under.

    Two options may share a component, and then its priors; refused where they state different ones, or where
    a name is that of an entry of the registry (`known`) or its group one of the registry's own.
    """
    entries: dict[str, PriorEntry] = {}
    groups = {name.partition(".")[0] for name in known or ()} - set(COST_ONLY)
    for option in options:
        for effect in checked(option):
            for entry in effect.entries[stance].values() if effect.own else ():
                before = entries.setdefault(entry.name, entry)
                if before.content() != entry.content() or effect.component in groups:
                    same = effect.component not in groups
                    raise effect.refused(
                        "two options state different priors for one component"
                        if same
                        else "a component has the name of a group of the prior registry",
                        field="component",
                        found=f"{entry.name} also in {before.file}" if same else effect.component,
                        allowed="one prior for each number of a component" if same else "another name",
                        cause="an option copied and changed" if same else "a name that is taken",
                        remedy="give one of the components another name" if same else "rename the component",
                    )
    return entries


def own_components(options: Iterable[Option]) -> tuple[str, ...]:
    """Components with effects that options state themselves, once each."""
    return tuple(dict.fromkeys(str(one.table["component"]) for option in options for one in option.effect))


def money_by_effect(
    effects: Sequence[Effect],
    ground: Ground,
    *,
    yearly: Mapping[str, np.ndarray],
    programme: Mapping[str, np.ndarray],
    part: float,
) -> dict[str, Money]:
    """What every effect of an option may spend of its component's money (sample, year), in the price base."""
    found = {}
    for effect in effects:
        share = _money_share(effect, effects, ground)
        mine = (yearly[effect.component], programme[effect.component])
        whole, start = mine if share is None else (m * share[:, None] for m in mine)
        found[effect.name] = Money(whole, start, part)
    return found


def work(
    effects: Sequence[Effect], ground: Ground, *, money: Mapping[str, Money], dearer: np.ndarray | float = 1.0
) -> tuple[Work, ...]:
    """Put every effect of an option to work on its money.

    `dearer` (sample, 1): how many times its price what fixed money buys comes to; demand-led money buys all it should.
    """
    # Effects of one service act on the same money, which is led by demand once.
    once = {(e.component, e.form.money_share): e.name for e in effects if e.form.demand_led}
    done = []
    for effect in effects:
        mine = money[effect.name]
        if effect.form.demand_led:
            led = once[effect.component, effect.form.money_share] == effect.name
            acted = effect.kind.act(effect, ground, mine)
            done.append(replace(acted, demand_led=mine.yearly if led else None))
            continue
        acted = effect.kind.act(
            effect, ground, Money(mine.yearly / dearer, mine.programme / dearer, mine.part)
        )
        done.append(acted if acted.surplus is None else replace(acted, surplus=acted.surplus * dearer))
    return tuple(done)


def _money_share(effect: Effect, effects: Sequence[Effect], ground: Ground) -> np.ndarray | None:
    """Share of its component's money an effect works with; None for all of it.

    Effects of one component come from one service and act on the same money, unless some state their share:
    then the others get the rest. An effect that acts alone gets all.
    """
    others = [e for e in effects if e.component == effect.component and e is not effect]
    stated = [e for e in others if e.form.money_share]
    if not others or not (stated or effect.form.money_share):
        return None
    if effect.form.money_share:
        return np.asarray(ground.value(effect.form.money_share))
    return np.asarray(1.0 - sum(ground.value(str(e.form.money_share)) for e in stated))


def described(effect: Effect) -> str:
    """What an effect does, in a line; says where every stance holds the same prior."""
    words = effect.kind.words(effect)
    same = effect.own and not effect.form.stance
    return words + ("; the same prior in every stance" if same else "")


__all__ = ["COST_ONLY", "KINDS", "STANCES", "checked", "described", "own_entries", "shipped_effects", "work"]
