"""Every public figure draws on the axes it is given, makes its own otherwise, and returns them."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap

import pytest
from matplotlib.axes import Axes

import cba.reporting


def _figures():
    for module in pkgutil.iter_modules(cba.reporting.__path__):
        if module.name.startswith("figures_"):
            loaded = importlib.import_module(f"cba.reporting.{module.name}")
            for name, function in inspect.getmembers(loaded, inspect.isfunction):
                if name.startswith("plot_") and function.__module__ == loaded.__name__:
                    yield pytest.param(function, id=f"{module.name}.{name}")


FIGURES = list(_figures())


def test_there_are_figures_in_every_figure_module():
    modules = {m.name for m in pkgutil.iter_modules(cba.reporting.__path__) if m.name.startswith("figures_")}
    assert {figure.id.split(".")[0] for figure in FIGURES} == modules


@pytest.mark.parametrize("figure", FIGURES)
def test_it_takes_axes_by_name_and_says_that_it_returns_them(figure):
    signature = inspect.signature(figure)
    ax = signature.parameters["ax"]
    assert ax.kind is inspect.Parameter.KEYWORD_ONLY and ax.default is None
    assert ax.annotation in ("Axes | None", Axes | None)
    assert signature.return_annotation in ("Axes", Axes)


@pytest.mark.parametrize("figure", FIGURES)
def test_it_returns_the_axes_it_drew_on(figure):
    """What is returned is `ax`, a name bound to it, or the result of a call that was given it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(figure))).body[0]
    names = {"ax"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _mentions(node.value, names):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    returned = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    assert returned and all(value is not None and _mentions(value, names) for value in returned)


def _mentions(value, names):
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(value))
