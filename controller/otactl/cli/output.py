"""Prints all text: safe for its reader, and one line when it cannot be written.

1. Text is put together from manifests, file names and services. Whatever a renderer has let through, no control
   character and no override of the reading direction leaves here raw; line ends and tabs do.
2. No line gives a command to the log of a CI run, except in the form that is for one (`commands`).
3. A line of such text is made safe before it is joined to others (`plain`): a line end here is intended.
4. Output that cannot be written (a full disk, a reader that left) is an error of the verb: one line, exit code 1. What
   was done is done; the journal has it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from typing import IO

from otactl.errors import OutputError
from otactl.report.sanitize import without_commands, without_controls


class SafeStream:
    """A stream of text in front of another; what is not asked of it here is asked of that one."""

    def __init__(self, stream: IO[str]) -> None:
        self.commands = False
        self._stream = stream
        self._line_start = True
        self._held: list[str] | None = None

    def hold(self) -> None:
        """Keep back what is written from now on."""
        self._held = []

    def release(self, *, show: bool) -> None:
        """Write what was kept back, or drop it; raises OutputError when it is not taken."""
        held, self._held = self._held, None
        if held and show:
            self.write("".join(held))
            self.flush()

    def clear_screen(self) -> None:
        """Clear the terminal, if it is one: the only control characters that are sent on."""
        if self._held is None and self._stream.isatty():
            with self._reporting_errors():
                self._stream.write("\x1b[H\x1b[2J\x1b[3J")

    def __getattr__(self, name: str) -> object:
        """Return any other attribute of the stream."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, escaped (rules 1 and 2); raises OutputError when it is not taken."""
        if not isinstance(text, str):
            raise TypeError("text only")  # the command's library asks by an empty write what a stream takes
        if not text:
            return 0  # unbuffered, that would be a write, and fail where the library expects no failure
        if self._held is not None:
            self._held.append(text)
            return len(text)
        safe = without_controls(text)
        if not self.commands:
            safe = without_commands(safe, at_line_start=self._line_start)
        self._line_start = safe.endswith("\n")
        with self._reporting_errors():
            try:
                self._stream.write(safe)
            except UnicodeEncodeError as error:  # a terminal of another encoding: what it lacks is shown as an escape
                self._stream.write(safe.encode(error.encoding, "backslashreplace").decode(error.encoding))
        return len(text)

    def overwrite(self, text: str) -> None:
        """Write a text over the line that a terminal shows last, escaped; raises OutputError when it is not taken."""
        with self._reporting_errors():
            self._stream.write(f"\r{without_controls(text)}")
            self._stream.flush()

    @property
    def is_terminal(self) -> bool:
        """Return whether a terminal shows it."""
        return not self._stream.closed and self._stream.isatty()

    @property
    def number(self) -> int:
        """Return the number of its file. Raises: OSError where it has none."""
        return self._stream.fileno()

    def flush(self) -> None:
        """Write what is buffered; raises OutputError when it is not taken."""
        with self._reporting_errors():
            self._stream.flush()

    @contextlib.contextmanager
    def _reporting_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            if self._stream.closed:  # kept by a log handler of a command that has ended: logging knows what to do
                raise
            self._give_up()
            why = getattr(error, "strerror", None) or type(error).__name__
            raise OutputError(why) from error

    def _give_up(self) -> None:
        """Discard what is still buffered, or the interpreter would fail on it again at its end."""
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is, which COLUMNS may set; None where it is no terminal."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size(fallback=(0, 0)).columns or None


def terminal_height() -> int | None:
    """Return the lines of the terminal that stdout is, which LINES may set; None where it is no terminal."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size(fallback=(0, 0)).lines or None


@contextlib.contextmanager
def safe_output() -> Iterator[None]:
    """Put a safe stream in front of stdout and stderr."""
    kept = sys.stdout, sys.stderr
    for stream in kept:
        # The command's library writes around a stream that says it is ASCII; its own choice is UTF-8.
        if stream is not None and (stream.encoding or "").lower() in ("ascii", "ansi_x3.4-1968", "us-ascii"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # a text stream in typeshed, which has no reconfigure
    sys.stdout, sys.stderr = (SafeStream(s) if s is not None else s for s in kept)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = kept
