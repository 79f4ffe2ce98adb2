"""The test files that take longest, so that `make test` begins with them.

Files are handed to workers whole. Were a long one begun last, one core would wait for the other to the end.
"""

from __future__ import annotations

LONGEST = {
    "tests/golden/test_golden.py": 110,
}
"""File to about how many seconds of a processor it takes on its own; the order is all that is used of them."""


def longest_first(path: str) -> int:
    """Return the key by which files are sorted: all that are not listed come last, in the order they had."""
    return -LONGEST.get(path, 0)
