"""Who started a run, and what a re-run leaves for machines: lines of JSON in a log, and a command told of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.runs.whole_writing import plain, store_errors, to_json

STANDARD_ERROR = "-"
_HOOK_SECONDS = 60.0


def json_log(file: str | Path | None, **always: Any) -> Callable[..., None]:
    """Return a function that writes one line of JSON for each event.

    Parameters
    ----------
    file : str, Path or None
        Appended to, its folder made if it is missing; ``-`` is standard error; None writes nothing.
    **always
        Facts on every line.

    Returns
    -------
    callable
        ``log(event, **facts)``; each line has ``at`` (UTC), ``event`` and the facts.

    Raises
    ------
    StoreError
        If a line cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     json_log(Path(folder) / "a.log", analysis="latest")("no change", run="a")
    ...     sorted(json.loads((Path(folder) / "a.log").read_text()))
    ['analysis', 'at', 'event', 'run']
    """

    def log(event: str, **facts: Any) -> None:
        if file is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps(plain({"at": at, "event": event, **always, **facts}), ensure_ascii=False) + "\n"
        if str(file) == STANDARD_ERROR:
            sys.stderr.write(line)
            return
        with store_errors("the log could not be written", file=file):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            with Path(file).open("a", encoding="utf-8") as opened:
                opened.write(line)

    return log


def tell_hook(words: list[str], summary: Mapping[str, Any], *, seconds: float = _HOOK_SECONDS) -> str:
    """Start a command and give it a summary as JSON on its standard input.

    Parameters
    ----------
    words : list of str
        Command and arguments; no shell reads them.
    summary : mapping
        Plain values.
    seconds : float
        How long it may take.

    Returns
    -------
    str
        What went wrong, in a few words; empty where the command ended with code 0.

    Raises
    ------
    InputError
        If no command is named.

    Examples
    --------
    >>> tell_hook(["false"], {})
    'it ended with code 1'
    """
    if not words:
        raise InputError(
            "the hook names no command",
            field="--hook",
            found="nothing",
            allowed="a command and its arguments",
            cause="an empty text",
            remedy="name a command, or leave --hook out",
        )
    try:
        done = subprocess.run(
            words,
            input=to_json(dict(summary)),
            encoding="utf-8",
            errors="replace",  # what a hook says in other encodings is no reason to fail
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {seconds:.0f} seconds and was ended"
    except OSError as error:
        return f"it could not be started ({error.strerror or error})"
    said = done.stderr.strip().splitlines()
    return (
        ""
        if done.returncode == 0
        else f"it ended with code {done.returncode}" + (f" ({said[-1][:200]})" if said else "")
    )


def person(given: str | None = None) -> str:
    """Return who runs this: the name given, else the user of the machine.

    Parameters
    ----------
    given : str, optional
        As typed with ``--by``.

    Returns
    -------
    str
        Empty where the machine does not say.

    Examples
    --------
    >>> person(" A. Analyst ")
    'A. Analyst'
    """
    if given and given.strip():
        return given.strip()
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return os.environ.get("USER", "")
