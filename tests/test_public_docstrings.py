"""The docstring is the contract: every public function says what goes in, what comes out, and shows it."""

from __future__ import annotations

import inspect

import pytest
from numpydoc.validate import validate

import cba

ROOMS = ("cba", "cba.costs", "cba.decisions", "cba.projection")
ALWAYS = {"GL08", "SS02"}
FUNCTIONS = {"PR01", "PR02", "PR03", "PR10", "RT01", "EX01"}  # records list their fields as Attributes
# Sampling takes seconds to minutes: what these return is shown in the notebook instead.
EXAMPLE_ELSEWHERE = {"cba.appraise", "cba.fit_baseline", "cba.fit_effects"}


def public_callables() -> list[str]:
    names = []
    for room in ROOMS:
        module = cba if room == "cba" else getattr(cba, room.removeprefix("cba."))
        names += [f"{room}.{name}" for name in module.__all__ if callable(getattr(module, name))]
    return names


def fetch(name: str) -> object:
    value = cba
    for part in name.split(".")[1:]:
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", public_callables())
def test_public_docstrings_are_complete(name):
    wanted = set(ALWAYS)
    if inspect.isfunction(fetch(name)):
        wanted |= FUNCTIONS - ({"EX01"} if name in EXAMPLE_ELSEWHERE else set())
    errors = [f"{code} {message}" for code, message in validate(name)["errors"] if code in wanted]
    assert not errors, f"{name}: {'; '.join(errors)}"
