"""Shows how far long work is: one line on stderr, rewritten in place, and erased at its end.

1. Only on a terminal that can rewrite a line; a file, a pipe and a log get nothing. Nor does anyone with `-q`, or with
   `-v`, which shows each call.
2. It has no colour, so `NO_COLOR` changes nothing. It is no part of a report: a line wider than the terminal is cut.
3. Work that is over within a second shows none, and a line changes at most ten times a second.
4. It never stops the work that it is about: a terminal that takes no line any more gets none.
"""

from __future__ import annotations

import io
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from otactl.cli.output import SafeStream
from otactl.cli.verbosity import is_quiet, is_verbose
from otactl.errors import OutputError

DELAY, INTERVAL = 1.0, 0.1
Show = Callable[[str], None]


class ProgressLine:
    """The line, on a stream of a terminal; `clock` gives seconds."""

    def __init__(self, stream: SafeStream, width: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._width, self._clock = stream, width, clock
        self._due = clock() + DELAY
        self._shown = 0
        self._lock = Lock()

    def show(self, text: str) -> None:
        """Show a text instead of the one before (rule 3)."""
        with self._lock:
            now = self._clock()
            if now < self._due:
                return
            self._due = now + INTERVAL
            self._write(text[: self._width - 1])

    def erase(self) -> None:
        """Leave the line as if nothing had been shown."""
        with self._lock:
            if self._shown:
                self._write("")
                self._write("")  # back to the start of the line

    def _write(self, text: str) -> None:
        try:
            self._stream.overwrite(text.ljust(self._shown))
        except OutputError:
            self._due, self._shown = math.inf, 0  # rule 4
            return
        self._shown = len(text)


@contextmanager
def progress() -> Iterator[Show]:
    """Give what shows how far the work inside is; it shows nothing where no one looks on (rule 1)."""
    stream = sys.stderr
    if not (isinstance(stream, SafeStream) and _rewrites(stream)) or is_quiet() or is_verbose():
        yield lambda _text: None
        return
    line = ProgressLine(stream, _columns(stream))
    try:
        yield line.show
    finally:
        line.erase()


class WatchedBytes(io.BytesIO):
    """Bytes that tell how many of them were read."""

    def __init__(self, content: bytes, counted: Callable[[int, int], None]) -> None:
        super().__init__(content)
        self._size, self._counted = len(content), counted

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and tell how far."""
        found = super().read(size)
        self._counted(self.tell(), self._size)
        return found


def _rewrites(stream: SafeStream) -> bool:
    return stream.is_terminal and os.environ.get("TERM", "") != "dumb"


def _columns(stream: SafeStream) -> int:
    try:
        return os.get_terminal_size(stream.number).columns or 80
    except OSError:
        return 80
