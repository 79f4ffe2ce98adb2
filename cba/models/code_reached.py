"""What some functions of a file do, whatever is written around them: for saying whether a model has changed."""

from __future__ import annotations

import ast
from pathlib import Path


def code_reached(file: Path, roots: tuple[str, ...]) -> str:
    r"""Return what some definitions of a file, and those of the same file they use, do.

    Parameters
    ----------
    file : Path
        A Python file.
    roots : tuple of str
        Names of its functions.

    Returns
    -------
    str
        Their syntax trees without docstrings: comments, layout and other definitions of the file do not count.

    Raises
    ------
    ValueError
        If a name is not defined there.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "one.py"
    >>> _ = place.write_text("A = 1\nB = 2\ndef use():\n    return A")
    >>> "B" in code_reached(place, ("use",)), "A" in code_reached(place, ("use",))
    (False, True)
    """
    defined: dict[str, ast.stmt] = {}
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            for part in ast.walk(target) if target is not None else ():
                if isinstance(part, ast.Name):
                    defined[part.id] = node
    missing = [name for name in roots if name not in defined]
    if missing:
        raise ValueError(
            f"{file.name} does not define {missing[0]}: correct the list a calibration is made from"
        )
    reached: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name in defined and name not in reached:
            reached.add(name)
            left += [part.id for part in ast.walk(defined[name]) if isinstance(part, ast.Name)]
    return "\n".join(ast.dump(_without_docstrings(defined[name])) for name in sorted(reached))


def _without_docstrings(tree: ast.stmt) -> ast.stmt:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_text(part)]  # type: ignore[attr-defined]
    return tree


def _is_text(part: ast.stmt) -> bool:
    constant = part.value if isinstance(part, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)
