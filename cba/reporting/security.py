"""The page's own protection: a policy that names its script and style by hash, so that nothing else runs.

Styles written on single elements (matplotlib writes thousands) would need ``'unsafe-inline'``; each distinct one
becomes a rule of the page's style sheet instead, which also makes the page smaller.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape

from cba.errors import InputError

_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="[^"]*">')
_STYLE = re.compile(r"<style>(.*?)</style>", re.S)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.S)
_BLOCK = re.compile(r"(<(script|style)\b[^>]*>.*?</\2>)", re.S)
_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_ATTRIBUTE = re.compile(r' (style|class)="([^"]*)"')


def secured(html: str) -> str:
    """Return the page with styles of single elements moved to its style sheet, and the policy that then holds.

    Parameters
    ----------
    html : str
        A page with one ``<meta http-equiv="Content-Security-Policy">``, one style sheet and escaped texts.

    Returns
    -------
    str
        The policy allows the page's own scripts and style sheets by SHA-256, images as data, and nothing else:
        no other script, no network, no form, no other base address.

    Raises
    ------
    InputError
        If the page has not one policy and one style sheet.

    Examples
    --------
    >>> bare = '<meta http-equiv="Content-Security-Policy" content=""><style>p {}</style><p style="color: red">a</p>'
    >>> print(secured(bare).partition("<style>")[2])
    p {}.e1 { color: red }
    </style><p class="e1">a</p>
    """
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

    Parameters
    ----------
    html : str
        The page.

    Returns
    -------
    str
        Blocks of data (scripts with a type) need no permission, since they do not run.

    References
    ----------
    .. [1] W3C, Content Security Policy Level 3, sections 6.7.2 and 6.7.3 (matching by hash).

    Examples
    --------
    >>> content_policy("<p>a</p>")
    "default-src 'none'; script-src 'none'; style-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"
    """
    scripts, styles = (_hashes(pattern.findall(html)) for pattern in (_SCRIPT, _STYLE))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def web_address(text: object) -> str | None:
    """Return an address that may stand in a link, or None.

    Parameters
    ----------
    text : object
        As written in a prior, an option or the evidence.

    Returns
    -------
    str or None
        Only http and https addresses are links; whatever else is shown as text.

    Examples
    --------
    >>> web_address("https://www.gov.uk/"), web_address("javascript:alert(1)"), web_address(None)
    ('https://www.gov.uk/', None, None)
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
