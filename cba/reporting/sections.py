"""The sections of the report in order: each has its anchor, its heading in the contents, and a template of its name.

To add one: an entry in ``SECTIONS``, a template ``templates/<anchor>.html.j2`` that begins as the others do, and the
tables it needs. A run without those tables leaves the section out and says so under diagnostics.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cba.errors import InputError

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


ANSWER, BELIEF, MONEY, METHOD = (
    "The answer",
    "What would change it",
    "The money in detail",
    "How it was made, and how far to trust it",
)
"""Parts of the contents."""


@dataclass(frozen=True)
class PageSection:
    """One section of the page, in ``templates/<anchor>.html.j2``."""

    anchor: str  # identifier of its heading
    title: str  # in the list of contents
    part: str  # part of the contents it stands in
    # Tables it shows; left out where one of them is missing, or holds nothing of the option followed.
    needs: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        """File name of its template."""
        return f"{self.anchor}.html.j2"


SECTIONS = (
    PageSection("summary", "Summary", ANSWER),
    PageSection("children", "Children in care, with and without", ANSWER),
    PageSection("drivers", "What drives the result", ANSWER, ("drivers", "variance_shares")),
    PageSection("attribution", "Which intervention carries it", ANSWER, ("attribution",)),
    PageSection("chain", "From money to children, step by step", ANSWER, ("effect_chain",)),
    PageSection("believe", "What one would have to believe", BELIEF),
    PageSection("options", "Options and stances side by side", BELIEF),
    PageSection(
        "worth",
        "Which option is best, by the value of a child-year",
        BELIEF,
        ("acceptability", "best_option", "break_even_values"),
    ),
    PageSection("break-even-map", "The break-even map", BELIEF, ("break_even_map",)),
    PageSection("pilot", "Pilot first or go now?", BELIEF, ("pilot_or_now", "pilot_learning", "pilot_power")),
    PageSection("information", "What finding out is worth", BELIEF, ("information_value",)),
    PageSection("tracker", "The tracker: what to watch", BELIEF, ("tracker",)),
    PageSection("structure", "How far it hangs on the path of current policy", BELIEF, ("structural",)),
    PageSection(
        "stress",
        "What the model cannot see, and how large it would have to be",
        BELIEF,
        ("stress_tests", "stress_curves"),
    ),
    PageSection("limits", "Places to be careful", BELIEF),
    PageSection("money", "Cost and saving by year", MONEY),
    PageSection("payback", "Payback", MONEY),
    PageSection("payers", "Who pays and who gains", MONEY),
    PageSection("councils", "What it means for one council", MONEY, ("councils",)),
    PageSection("risk", "Risk, regret and ranks", MONEY, ("risk", "ranking")),
    PageSection("counting", "Other ways of counting", MONEY, ("perspectives",)),
    PageSection("ladder", "From average cost to cash", MONEY),
    PageSection("system", "What the system costs", MONEY),
    PageSection("methods", "How it works", METHOD),
    PageSection("evidence", "What the evidence says", METHOD),
    PageSection(
        "fit_checks",
        "How well the models describe what happened",
        METHOD,
        ("fit_checks_totals", "fit_checks_series", "fit_checks_pit"),
    ),
    PageSection(
        "calibrated",
        "Do the models find a truth that is known?",
        METHOD,
        ("calibration_summary", "calibration_quantities"),
    ),
    PageSection(
        "backtest",
        "How good past forecasts would have been",
        METHOD,
        ("backtest_headline", "backtest_by_horizon", "backtest_vintages"),
    ),
    PageSection("calibration", "Calibration to the published accounts", METHOD, ("accounts_reconciliation",)),
    PageSection("assumptions", "Assumptions log", METHOD),
    PageSection("diagnostics", "Diagnostics", METHOD),
    PageSection("provenance", "Provenance", METHOD),
    PageSection("checklist", "Checklist of standards", METHOD),
)


CHANGES = PageSection("changes", "What changed since the last run, and why", ANSWER)
"""Shown after the summary where the manifest holds a comparison with an earlier run; it reads no table."""


PLACES = {
    "answers": ("summary", "Five questions, answered"),
    "caveats": ("summary", "Before using these figures"),
    "confidence": ("summary", "Confidence in the evidence"),
    "scale": ("summary", "Words used for chances"),
    "this-run": ("summary", "This run"),
    "can-use": ("limits", "What it can and cannot be used for"),
    "assurance": ("limits", "Quality assurance: done and not done"),
    "theory": ("methods", "Theory of change"),
    "model-map": ("methods", "Model map"),
    "design-choices": ("methods", "Choices that matter"),
    "monte-carlo": ("diagnostics", "Monte Carlo error"),
}
"""Places inside sections that the checklist points to: the section, and what to call the place."""


def anchors_of(shown: tuple[PageSection, ...]) -> dict[str, str]:
    """Return every place of the page that can be pointed to, with its name."""
    sections = {section.anchor: section.title for section in shown}
    inside = {place: title for place, (section, title) in PLACES.items() if section in sections}
    return sections | inside


def sections_of(appraisal: Appraisal, option: str) -> tuple[PageSection, ...]:
    """Return the sections an appraisal has the tables for."""
    return tuple(s for s in SECTIONS if all(holds(appraisal, table, option) for table in s.needs))


def shown_sections(
    appraisal: Appraisal, option: str, *, manifest: Mapping[str, Any]
) -> tuple[PageSection, ...]:
    """Return the sections a page shows: those with tables, and after the summary what changed where that is known.

    `manifest`: with ``comparison`` or ``scores`` where a re-run made them.
    """
    shown = sections_of(appraisal, option)
    known = manifest.get("comparison") or manifest.get("scores")
    return (shown[0], CHANGES, *shown[1:]) if known else shown


def sections_left_out(appraisal: Appraisal, option: str) -> tuple[tuple[PageSection, tuple[str, ...]], ...]:
    """Return the sections an appraisal has not the tables for, with the tables it lacks."""
    lacking = [(s, tuple(t for t in s.needs if not holds(appraisal, t, option))) for s in SECTIONS]
    return tuple((section, tables) for section, tables in lacking if tables)


def parts_of(shown: tuple[PageSection, ...]) -> list[tuple[str, list[PageSection]]]:
    """Return the sections shown by part of the contents, in order. List of (str, list of PageSection)."""
    parts = dict.fromkeys(section.part for section in shown)
    return [(part, [section for section in shown if section.part == part]) for part in parts]


def holds(appraisal: Appraisal, table: str, option: str) -> bool:
    """Return whether a table is there with rows, of the option where it is by option."""
    frame = appraisal.tables.get(table)
    if frame is None or frame.empty:
        return False
    return "option" not in frame or bool((frame["option"] == option).any())


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


def web_address(text: object) -> str | None:
    """Return an address that may stand in a link, or None.

    Only http and https addresses are links; whatever else is shown as text.
    """
    address = text.strip() if isinstance(text, str) else ""
    return address if re.match(r"https?://[^\s<>\"'\\]+$", address, re.I) else None


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
