"""The pages of a run, and their sections in order: anchor, heading, page, template, tables, choices; the checklist.

To add one: an entry in ``SECTIONS`` with the page it stands on, a template ``templates/<anchor>.html.j2`` that begins
as the others do, and the tables it needs. A run without those tables leaves the section out and says so.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from html import unescape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from cba.errors import InputError
from cba.reporting import choices
from cba.reporting.brief import brief_choices
from cba.reporting.choices import View

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


@dataclass(frozen=True)
class Page:
    """One page of a run, a file of its own; every section says on which it stands."""

    name: str
    title: str
    words: str  # what a reader finds there
    annex: bool = True

    @property
    def file(self) -> str:
        """Its file in the folder of the run."""
        return f"{'annexes/' if self.annex else ''}{self.name}.html"


PAGES = (
    Page("brief", "Brief", "two pages to circulate", annex=False),
    Page("report", "Report", "the answer, what it rests on and how sure it is", annex=False),
    Page("explorer", "Explorer", "try other settings"),
    Page("evidence", "Evidence", "studies, and what each intervention does"),
    Page("models", "Models", "how it works, how well it describes the past, and what changed"),
    Page("assumptions", "Assumptions", "every input, and which of them matter"),
    Page("counting", "Counting", "other ways of counting the same money and children"),
    Page("information", "Information", "what a pilot or a study would be worth"),
    Page("diagnostics", "Diagnostics", "checks, provenance and the standards met"),
    Page("councils", "Councils", "what it means for councils"),
    Page("index", "This run", "all its pages", annex=False),
)
"""The pages of a run; an anchor that stands on several is linked on the first of them."""


def no_choices(view: View) -> dict[str, Any]:
    """Choose nothing: the templates read tables alone."""
    return {}


@dataclass(frozen=True)
class Section:
    """One section of the page, in ``templates/<anchor>.html.j2``."""

    anchor: str  # identifier of its heading
    title: str  # in the list of contents
    page: str  # name of the page it stands on
    # Tables it shows; left out where one of them is missing, or holds nothing of the option followed.
    needs: tuple[str, ...] = ()
    # What it finds in the tables for its template, and for others that speak of it.
    choices: Callable[[View], dict[str, Any]] = no_choices

    @property
    def template(self) -> str:
        """File name of its template."""
        return f"{self.anchor}.html.j2"


SECTIONS = (
    Section("brief", "The short answer", "report", choices=brief_choices),
    Section("claimed", "What was claimed, and on what", "report"),
    Section("path", "Children in care", "report"),
    Section("needed", "The chain, and what one would have to believe", "report"),
    Section("cash", "Money by year and payer", "report", choices=choices.payer_choices),
    Section("compared", "Options side by side", "report"),
    Section("sure", "How sure we are", "report"),
    Section("measure", "Pilot, steps or go; what to measure", "report", ("pilot_or_now", "pilot_power")),
    Section("places", "What it means for councils", "report", ("councils", "councils_by_group")),
    Section("limits", "Limits and assurance", "report"),
    Section("children", "Children in care, by option", "counting", choices=choices.children_choices),
    Section("confidence", "Confidence in the evidence", "assumptions", choices=choices.grade_choices),
    Section(
        "drivers",
        "What drives the result",
        "assumptions",
        ("drivers", "variance_shares"),
        choices=choices.driver_choices,
    ),
    Section(
        "attribution",
        "Which intervention carries it",
        "evidence",
        ("attribution",),
        choices.attribution_choices,
    ),
    Section("chain", "From money to children, step by step", "evidence", ("effect_chain",)),
    Section("believe", "What one would have to believe", "evidence", choices=choices.belief_choices),
    Section("options", "Options and stances side by side", "counting", choices=choices.option_choices),
    Section(
        "worth",
        "How options compare as the value of a child-year changes",
        "counting",
        ("acceptability", "best_option", "break_even_values"),
        choices=choices.worth_choices,
    ),
    Section("break-even-map", "The break-even map", "counting", ("break_even_map",)),
    Section(
        "pilot",
        "Pilot first or go now?",
        "information",
        ("pilot_or_now", "pilot_learning", "pilot_power"),
        choices=choices.pilot_choices,
    ),
    Section(
        "information",
        "What finding out is worth",
        "information",
        ("information_value",),
        choices=choices.information_choices,
    ),
    Section(
        "tracker", "The tracker: what to watch", "information", ("tracker",), choices=choices.tracker_choices
    ),
    Section("structure", "How far it hangs on the path of current policy", "models", ("growth",)),
    Section("curve", "Under other defensible choices", "models", ("specification_curve",)),
    Section(
        "stress",
        "What the model cannot see, and how large it would have to be",
        "counting",
        ("stress_tests",),
    ),
    Section("unpriced", "What is not priced", "counting", ("unmonetised",)),
    Section("money", "Cost and saving by year", "counting"),
    Section("payback", "Payback", "counting"),
    Section("payers", "Who pays and who gains", "counting"),
    Section(
        "councils",
        "What it means for councils",
        "councils",
        ("councils", "councils_by_group"),
        choices=choices.council_choices,
    ),
    Section("risk", "Risk and regret", "counting", ("risk",)),
    Section("counting", "Other ways of counting", "counting", ("perspectives",)),
    Section("ladder", "From average cost to cash", "counting"),
    Section("system", "What the system costs", "counting"),
    Section("methods", "How it works", "models"),
    Section("evidence", "What the evidence says", "evidence", choices=choices.evidence_choices),
    Section(
        "fit_checks",
        "How well the models describe what happened",
        "models",
        ("fit_checks_totals", "fit_checks_series", "fit_checks_pit"),
    ),
    Section(
        "calibrated",
        "Do the models find a truth that is known?",
        "models",
        ("calibration_summary", "calibration_quantities"),
    ),
    Section(
        "backtest",
        "How good past forecasts would have been",
        "models",
        ("backtest_headline", "backtest_by_horizon", "backtest_vintages"),
        choices=choices.backtest_choices,
    ),
    Section("calibration", "Calibration to the published accounts", "models", ("accounts_reconciliation",)),
    Section("assumptions", "Assumptions log", "assumptions"),
    Section("this-run", "This run", "diagnostics"),
    Section("diagnostics", "Diagnostics", "diagnostics", choices=choices.diagnostic_choices),
    Section("provenance", "Provenance", "diagnostics"),
    Section("checklist", "Checklist of standards", "diagnostics"),
    Section("explorer", "Try other settings", "explorer"),
    Section("index", "Pages of this run", "index"),
)


CHANGES = Section("changes", "What changed since the last run, and why", "models")
"""Shown first among the models where the manifest holds a comparison with an earlier run; it reads no table."""


PLACES = {
    "caveats": ("limits", "What it cannot tell you"),
    "scale": ("this-run", "Words used for chances"),
    "can-use": ("limits", "What it can and cannot be used for"),
    "assurance": ("limits", "Quality assurance: done and not done"),
    "theory": ("methods", "Theory of change"),
    "model-map": ("methods", "Model map"),
    "design-choices": ("methods", "Choices that matter"),
    "monte-carlo": ("diagnostics", "Monte Carlo error"),
}
"""Places inside sections that the checklist points to: the section, and what to call the place."""


def anchors_of(shown: tuple[Section, ...]) -> dict[str, str]:
    """Return every place of the page that can be pointed to, with its name."""
    sections = {section.anchor: section.title for section in shown}
    inside = {place: title for place, (section, title) in PLACES.items() if section in sections}
    return sections | inside


def lacking(section: Section, view: View) -> tuple[str, ...]:
    """Return the tables a section needs and the run has not."""
    return tuple(table for table in section.needs if not view.holds(table))


def shown_sections(view: View, *, manifest: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the sections a run shows: those with tables, and first of the models what changed where that is known.

    `manifest`: with ``comparison`` or ``scores`` where a re-run made them.
    """
    shown = tuple(section for section in SECTIONS if not lacking(section, view))
    known = manifest.get("comparison") or manifest.get("scores")
    return (CHANGES, *shown) if known else shown


def contents(view: View, *, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections shown, by page and left out, the places to point to, and the choices of all."""
    shown = shown_sections(view, manifest=manifest)
    made: dict[str, Any] = {
        # A page named as a section holds that section alone: the brief, which also opens the report.
        "by_page": {p.name: [s for s in shown if p.name in (s.page, s.anchor)] for p in PAGES},
        "left_out": [(section, tables) for section in SECTIONS if (tables := lacking(section, view))],
        "anchors": anchors_of(shown),
    }
    made |= choices.ABSENT
    for section in shown:
        made |= section.choices(view)
    return made


# --- The checklist of what a report must contain, with how far this one does ---


STATUSES = ("met", "partly", "not met")


_FIELDS = ["group", "text", "status", "where", "note"]


def checklist() -> pd.DataFrame:
    """Return the checklist as the project states it, whatever a run holds.

    Columns ``group``, ``text``, ``status`` (met, partly or not met), ``where`` (an anchor of the report or
    empty), ``note`` and ``needs`` (tables without which it is not met, separated by spaces).
    """
    file = files("cba.reporting") / "checklist.toml"
    items = tomllib.loads(file.read_text(encoding="utf-8"))["item"]
    for number, item in enumerate(items, start=1):
        if sorted(set(item) - {"needs"}) != sorted(_FIELDS) or item["status"] not in STATUSES:
            raise InputError(
                "an item of the checklist is not complete",
                file="checklist.toml",
                field=f"item {number}",
                found=str(item),
                allowed=f"{', '.join(_FIELDS)}; status {', '.join(STATUSES)}",
                cause="a field left out or a status misspelt",
                remedy="complete the item",
            )
    return pd.DataFrame([{"needs": ""} | item for item in items])[[*_FIELDS, "needs"]]


def checklist_of_run(
    appraisal: Appraisal, *, anchors: Collection[str], people: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the checklist as this run meets it; a report prints it and a run keeps it beside its tables.

    Columns ``group``, ``text``, ``status``, ``where``, ``note``.
    """
    # An item whose table or place the run has not is ``not met``, whatever the project states; who
    # commissioned the run and when it is to be reviewed is met only where the specification says.
    rows = []
    for item in checklist().to_dict("records"):
        absent = [table for table in item["needs"].split() if not len(appraisal.tables.get(table, ()))]
        row = {field: str(item[field]) for field in _FIELDS}
        if row["status"] != "not met" and (absent or row["where"] not in anchors):
            row |= {
                "status": "not met",
                "note": f"not in this run{': ' + ', '.join(absent) if absent else ''}",
            }
        if row["where"] == "backtest" and row["status"] == "met" and not choices.record_is_current(appraisal):
            row |= {"status": "partly", "note": "the record is of an earlier version of the model"}
        if "commissioner" in row["text"] and row["where"] in anchors:
            row |= _recorded(people)
        rows.append(row)
    return pd.DataFrame(rows, columns=_FIELDS)


def _recorded(people: Mapping[str, Any]) -> dict[str, str]:
    """Return the status of who is named: met only where everyone and the date of review are."""
    missing = [name for name, said in people.items() if not said]
    if not missing:
        return {"status": "met", "note": ""}
    return {"status": "partly", "note": f"not recorded: {', '.join(missing)}"}


# --- The templates of the page and of the card: everything escaped, a missing value an error ---


def templates() -> Environment:
    """Return the templates: everything escaped, a missing value an error."""
    return Environment(
        loader=PackageLoader("cba.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


# --- Links between pages ---


_PLACE = re.compile(r' id="([^"]+)"')


_LINK = re.compile(r' href="#([^"]+)"')


def linked(pages: Mapping[str, str]) -> dict[str, str]:
    """Return the pages by file, each link to a place of another page led to that page's file."""
    places = {file: set(_PLACE.findall(html)) for file, html in pages.items()}
    home = {place: file for file in reversed(places) for place in places[file]}

    def led(link: re.Match[str], file: str) -> str:
        place = link[1]
        if place in places[file] or place not in home:
            return link[0]
        return f' href="{"../" * file.count("/")}{home[place]}#{place}"'

    return {file: _LINK.sub(partial(led, file=file), html) for file, html in pages.items()}


# --- The page's own protection: a policy that names its script and style by hash, so that nothing else … ---


_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="[^"]*">')


_STYLE = re.compile(r"<style>(.*?)</style>", re.S)


_SCRIPT = re.compile(r"<script>(.*?)</script>", re.S)


_BLOCK = re.compile(r"(<(script|style)\b[^>]*>.*?</\2>)", re.S)


_TAG = re.compile(r"<[a-zA-Z][^<>]*>")


_ATTRIBUTE = re.compile(r' (style|class)="([^"]*)"')


def secured(html: str) -> str:
    """Return the page with styles of single elements moved to its style sheet, and the policy that then holds.

    The policy allows the page's own scripts and style sheets by SHA-256, images as data, and nothing else: no
    other script, no network, no form, no other base address.
    """
    # `html`: a page with one ``<meta http-equiv="Content-Security-Policy">``, one style sheet and escaped
    # texts.
    if len(_POLICY.findall(html)) != 1 or len(_STYLE.findall(html)) != 1:
        raise InputError(
            "the page has not one policy and one style sheet",
            field="html",
            found=f"{len(_POLICY.findall(html))} policies, {len(_STYLE.findall(html))} style sheets",
            allowed="one of each, in its head",
            cause="a template that writes a style sheet of its own",
            remedy="put its rules into the page's style sheet",
        )
    page = _with_classes(html)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{content_policy(page)}">'
    return _POLICY.sub(lambda _: policy, page)


def content_policy(html: str) -> str:
    """Return the Content-Security-Policy that allows the page's own scripts and style sheets and nothing else.

    Blocks of data (scripts with a type) need no permission, since they do not run. Source: W3C, Content
    Security Policy Level 3, sections 6.7.2 and 6.7.3 (matching by hash).
    """
    scripts, styles = (_hashes(pattern.findall(html)) for pattern in (_SCRIPT, _STYLE))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hashes(blocks: list[str]) -> str:
    found = [hashlib.sha256(block.encode("utf-8")).digest() for block in blocks]
    return " ".join(f"'sha256-{base64.b64encode(one).decode('ascii')}'" for one in found) or "'none'"


def _with_classes(html: str) -> str:
    """Turn each distinct style of single elements into a class, its rules at the end of the style sheet."""
    names: dict[str, str] = {}

    def renamed(tag: re.Match[str]) -> str:
        if ' style="' not in tag[0]:
            return tag[0]
        held = {name: value for name, value in _ATTRIBUTE.findall(tag[0])}
        if "style" not in held:
            return tag[0]
        name = names.setdefault(_rule(held["style"]), f"e{len(names) + 1}")
        classes = f"{held['class']} {name}" if "class" in held else name
        bare = _ATTRIBUTE.sub("", tag[0])
        head = re.match(r"<[a-zA-Z][\w:-]*", bare)
        assert head is not None  # the pattern of the tag begins so
        return f'{head[0]} class="{classes}"{bare[head.end() :]}'

    parts = _BLOCK.split(html)  # text, block, its name, text, ...
    parts[2::3] = [""] * len(parts[2::3])
    parts[0::3] = [_TAG.sub(renamed, text) for text in parts[0::3]]
    rules = "".join(f".{name} {{ {rule} }}\n" for rule, name in names.items())
    return "".join(parts).replace("</style>", f"{rules}</style>", 1)


def _rule(style: str) -> str:
    """Return declarations as they stand in a style sheet, where character references mean nothing."""
    rule = unescape(style).strip().rstrip(";")
    if re.search(r"[{}<>@\\]|url\((?!#)|/\*", rule):
        raise InputError(
            "the style of an element is not one the page's drawings write",
            field="style",
            found=rule[:80],
            allowed="declarations without braces, comments or addresses",
            cause="text of an input that reached the page without being escaped",
            remedy="escape the text where it enters the page",
        )
    return rule
