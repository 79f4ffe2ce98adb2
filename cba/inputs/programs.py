"""Other programs that are started, in a group that is ended whole; and Ctrl-C, which no library may swallow."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import IO

KEPT_BYTES = 65_536
"""How much of what a program says is kept, counted from its end; the rest is read and dropped."""

_PART = 8_192
_LAST_WORDS = 5.0
"""Seconds to wait for the end of the output, which a process that left its group may hold open."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its code (None where its time was up) and the end of what it said."""

    code: int | None
    output: str
    errors: str


def run_program(words: list[str], *, seconds: float, given: str = "") -> Ended:
    """Run a program and end every process of its group with it, or when its time is up.

    `given`: its standard input. Raises OSError where it cannot be started.
    """
    with TemporaryFile() as asked:  # a file, not a pipe: a program that reads nothing must not stop us
        asked.write(given.encode())
        asked.seek(0)
        code, program, pipes = None, None, subprocess.PIPE
        try:
            with interrupts_kept(heard_inside=False):  # or one in between would leave it running
                program = subprocess.Popen(
                    words, stdin=asked, stdout=pipes, stderr=pipes, start_new_session=True
                )
                ends = [_Tail(pipe) for pipe in (program.stdout, program.stderr) if pipe is not None]
            with suppress(subprocess.TimeoutExpired):
                code = program.wait(seconds)
        finally:  # interrupted too: what is in a group of its own does not hear Ctrl-C
            if program is not None:
                _end_group(program)
    output, errors = (tail.text() for tail in ends)
    return Ended(code, output, errors)


def _end_group(program: subprocess.Popen[bytes]) -> None:
    """End a program and all it has started, also where it has itself come to its end."""
    with suppress(ProcessLookupError, PermissionError):  # nothing of it is left
        if hasattr(os, "killpg"):
            os.killpg(program.pid, signal.SIGKILL)
        else:
            program.kill()
    program.wait()


class _Tail(Thread):
    """Reads a pipe to its end and keeps the last bytes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._said = bytearray()
        self.start()

    def run(self) -> None:
        """Read until nobody holds the other end."""
        with self._pipe as pipe:
            while part := os.read(pipe.fileno(), _PART):
                self._said += part
                del self._said[:-KEPT_BYTES]

    def text(self) -> str:
        """Return what was said last; other encodings are no reason to fail."""
        self.join(_LAST_WORDS)
        return bytes(self._said).decode("utf-8", errors="replace")


# --- Ctrl-C, which no library may take for an early end of its work ---


@contextmanager
def interrupts_kept(*, heard_inside: bool = True) -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of a block in which Ctrl-C was pressed, whatever was made of it inside.

    `heard_inside`: whether the block is interrupted too, or first comes to its end.
    """
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(before):
        yield  # nothing hears Ctrl-C here, or nothing is to
        return
    heard = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        if heard_inside:
            before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            raise KeyboardInterrupt
