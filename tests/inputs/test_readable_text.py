"""Text that a person types must be text that a reader can see."""

from __future__ import annotations

import pytest

from cba.errors import InputError
from cba.inputs.files import LONGEST_TEXT, readable_text

UNSEEN = {
    "nothing": "",
    "blanks": " \t ",
    "no-break space": "\u00a0\u2003",
    "zero-width space": "\u200b",
    "zero-width space after a name": "A. Person\u200b",
    "direction override": "abc\u202edef",
    "NUL and colour code": "a\x00\x1b[31mRED",
    "line end": "two\nlines",
    "soft hyphen": "re\u00adform",
    "Hangul filler": "\u3164",
    "blank braille": "\u2800",
    "variation selector after a name": "A. Person\ufe0f",
    "line separator": "a\u2028b",
    "private use": "\ue000",
    "lone surrogate": "a\ud800",
    "tag characters": "a\U000e0041",
    "a combining mark alone": "\u0301",
}


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_text_that_cannot_be_seen_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        readable_text(text, field="title", file="x.toml")
    said = refused.value.details
    assert said["field"] == "title" and said["file"] == "x.toml" and said["next step"]
    assert str(refused.value).replace("\n", "").isprintable()  # nothing of it reaches a terminal raw


@pytest.mark.parametrize(
    "text",
    ["£2bn a year (2024–25)", "Children’s social care", "Zoë O'Hara-Núñez", "李", "a\u0301", "2032", "%"],
)
def test_plain_text_is_taken_as_it_is(text: str) -> None:
    assert readable_text(text) == text


def test_a_text_has_a_greatest_length() -> None:
    assert readable_text("x" * LONGEST_TEXT)
    with pytest.raises(InputError, match="too long"):
        readable_text("x" * (LONGEST_TEXT + 1))
