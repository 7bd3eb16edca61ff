"""Writes several new files as one: all are on the disk before the first has its name.

What can fail (no space, no right to write) fails in `prepared`; between the two a journal may be written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from otactl.errors import UsageError


class NewFiles:
    """Files that are written and have no name yet, by the name they get."""

    def __init__(self, waiting: Mapping[str, Path]) -> None:
        self._waiting = waiting

    def publish(self) -> None:
        """Give every file its name. Raises: UsageError where one is there by now, which is left as it is."""
        for file, temporary in self._waiting.items():
            try:
                os.link(temporary, file)
            except FileExistsError as error:
                raise UsageError(
                    f"{file} is there by now; nothing was overwritten: move it, and adopt again"
                ) from error
            except OSError as error:
                raise UsageError(f"cannot write {file}: {error.strerror}; adopt again to write it") from error


@contextmanager
def prepared(texts: Mapping[str, bytes]) -> Iterator[NewFiles]:
    """Write the files under other names, which are removed at the end. Raises: UsageError where that fails."""
    waiting: dict[str, Path] = {}
    try:
        for file, data in texts.items():
            folder = Path(file).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(dir=folder, prefix=".otactl-")
                waiting[file] = Path(name)
                with os.fdopen(handle, "wb") as opened:
                    opened.write(data)
                    opened.flush()
                    os.fsync(opened.fileno())
                waiting[file].chmod(0o644)
            except OSError as error:
                raise UsageError(f"cannot write {file}: {error.strerror}; nothing was adopted") from error
        yield NewFiles(waiting)
    finally:
        for temporary in waiting.values():
            temporary.unlink(missing_ok=True)
