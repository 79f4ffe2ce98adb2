"""Figures of the report by name: drawn and described for appraisals given."""

from __future__ import annotations

from cba.reporting.choices import View
from cba.reporting.figures.evidence import effect_figures
from cba.reporting.figures.style import described, drawn
from cba.reporting.page import FIGURES

LEAD = "care_review"
NAMES = [figure.name for figure in FIGURES]


def view_of(appraisals, option=LEAD):
    return View(tuple(appraisals), option)


def figure_of(name, view):
    made = [*FIGURES, *(effect_figures(view) if name.startswith("effect_") else ())]
    return next(figure for figure in made if figure.name == name)


def plot(name, appraisals, *, ax=None, option=LEAD):
    view = view_of(appraisals, option)
    return drawn(figure_of(name, view), view, ax)


def words(name, appraisals, *, option=LEAD):
    view = view_of(appraisals, option)
    return described(figure_of(name, view), view)
