"""Reads and writes the JSON of a row, for the journals in a database: SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from otactl.errors import StalledError
from otactl.model import Record, Value
from otactl.ports import Commit, Stored

T = TypeVar("T", bound=Value)


class RowFormat:
    """The rows of one journal; its errors name the `place` of that journal."""

    def __init__(self, place: str) -> None:
        self._place = place

    def stored(self, environment: str, name: str, text: object, revision: object) -> Stored:
        """Read a record. Raises: StalledError where it cannot be read, or is not the record that was asked for."""
        record = self.decode(text, Record, f"the record {environment}/{name}")
        if (record.environment, record.name) != (environment, name):
            raise self.damaged(f"the record {environment}/{name}", f"it is of {record.key!r}")
        if not isinstance(revision, int) or revision < 1:
            raise self.damaged(f"the revision of {environment}/{name}", f"it is {revision!r}")
        return Stored(record=record, revision=revision)

    def decode(self, text: object, kind: type[T], what: str) -> T:
        """Read a value. Raises: StalledError where it cannot be read, naming `what` it is."""
        try:
            return msgspec.json.decode(str(text), type=kind)
        except (msgspec.DecodeError, RecursionError) as error:  # ValidationError is one
            raise self.damaged(what, str(error)) from error

    def damaged(self, what: str, why: str) -> StalledError:
        """Return the error for what cannot be read."""
        next_step = "run `otactl journal check`, then restore a backup or run the version that wrote it"
        return StalledError("JournalIsDamaged", f"journal {self._place}: {what} cannot be read ({why}); {next_step}")

    def encode(self, value: Value, commit: Commit) -> str:
        """Write a value of a commit. Raises: StalledError where JSON cannot hold it."""
        try:
            return msgspec.json.encode(value).decode()
        except (TypeError, ValueError, OverflowError) as error:  # a lone surrogate from a service is a ValueError
            text = (
                f"journal {self._place}: {commit.record.key} cannot be written as JSON ({error}); nothing was written"
            )
            raise StalledError("RecordIsNotStorable", f"{text}; check for a broken name in the service") from error
