"""Matching a cell against what a bound number says of it, without the code that wrote it."""

from __future__ import annotations

import math


def matches(found: object, wanted: str, test: str) -> bool:
    """Return whether a cell, as text or value, passes the test a bound number names."""
    text = "" if found is None or (isinstance(found, float) and math.isnan(found)) else str(found)
    if test == "starts":
        return text.startswith(wanted)
    if test == "from":
        return float(text) >= float(wanted)
    if test == "to":
        return float(text) <= float(wanted)
    if test == "never":
        return (text == "") == (wanted == "True")
    if test == "among":
        return text in wanted.split()
    if test == "not":
        return text != wanted
    if test == "before":
        return text < wanted
    try:
        return float(text) == float(wanted)
    except ValueError:
        return text == wanted
