"""Axe, the accessibility checker, run in an open page; its script comes with a Python package."""

from __future__ import annotations

from importlib import resources
from typing import Any

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def violations(page: Any, *, without: tuple[str, ...] = ()) -> list[str]:
    """Return one line for each rule broken, with the first elements that break it; rules may be left out."""
    source = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(source)
    found = page.evaluate(
        """([tags, without]) => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'],
        rules: Object.fromEntries(without.map(rule => [rule, { enabled: false }])) })""",
        [list(TAGS), list(without)],
    )
    return [
        f"{rule['id']} ({rule['impact']}, {len(rule['nodes'])}): "
        + "; ".join(f"{node['target']} {node['html'][:120]}" for node in rule["nodes"][:3])
        for rule in found["violations"]
    ]
