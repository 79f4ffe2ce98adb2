"""The templates of the page and of the card: everything escaped, a missing value an error."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def templates() -> Environment:
    """Return the templates: everything escaped, a missing value an error.

    Returns
    -------
    jinja2.Environment

    Examples
    --------
    >>> templates().from_string("{{ text }}").render(text="<b>")
    '&lt;b&gt;'
    """
    return Environment(
        loader=PackageLoader("cba.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
