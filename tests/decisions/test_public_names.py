"""The public list of the room: complete, importable in any order, and never shadowed by a module."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

import cba.decisions

CONTRACT = {
    "StagedDecision",
    "acceptability",
    "compare_strategies",
    "decide_in_stages",
    "evpi",
    "evppi",
    "evsi",
    "learn_then_choose",
    "payback_year",
    "shapley",
    "sobol",
    "switching_value",
}


def test_names_of_the_contract_are_public():
    assert set(cba.decisions.__all__) >= CONTRACT
    assert list(cba.decisions.__all__) == sorted(cba.decisions.__all__)


def test_no_module_hides_a_function():
    """Importing a submodule sets its name on the package: none may be called like a function."""
    modules = {module.name for module in pkgutil.iter_modules(cba.decisions.__path__)}
    assert not modules & set(cba.decisions.__all__)


def test_every_name_is_there_after_all_modules_are_imported():
    for module in pkgutil.iter_modules(cba.decisions.__path__):
        import_module(f"cba.decisions.{module.name}")
    for name in cba.decisions.__all__:
        assert callable(getattr(cba.decisions, name)), name


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'evpj'"):
        cba.decisions.evpj  # noqa: B018


def test_import_is_cheap():
    heavy = ("numpy", "pandas", "scipy", "xarray")
    code = f"import sys, cba.decisions; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
