"""Text that a spreadsheet would take for a formula, made harmless before a table is written as CSV."""

from __future__ import annotations

import pandas as pd

_SPREADSHEET_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def harmless_in_spreadsheet(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with an apostrophe before every text that starts like a formula.

    Parameters
    ----------
    frame : DataFrame
        Rows to write.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> harmless_in_spreadsheet(pd.DataFrame({"a": ["=1+1", "plain"]}))["a"].tolist()
    ["'=1+1", 'plain']
    """
    return frame.map(
        lambda value: (
            f"'{value}" if isinstance(value, str) and value.startswith(_SPREADSHEET_SIGNS) else value
        )
    )
