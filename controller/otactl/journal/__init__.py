"""Opens the store that a journal URL names, behind the `Journal` port."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from otactl.errors import UsageError
from otactl.journal.chain_reading import ChainReading
from otactl.journal.contents import Contents, Rows
from otactl.journal.postgres.address import FORM as _POSTGRES
from otactl.journal.postgres.address import address_of, is_on_postgres
from otactl.journal.s3 import S3Journal
from otactl.journal.sqlite import SqlJournal
from otactl.ports import Identity, Journal

__all__ = ["AnyJournal", "S3Journal", "SqlJournal", "is_file", "open_journal", "path_of", "shown_of"]

SUPPORTED = f"sqlite:///RELATIVE/PATH, sqlite:////ABSOLUTE/PATH, a plain path, s3://BUCKET/PREFIX, {_POSTGRES}"
EXTRA = "pip install 'otactl[postgres]'"


class AnyJournal(Journal, Protocol):
    """A journal with what its care needs; use it as a context manager, or close it."""

    @property
    def path(self) -> object:
        """Return where it is, for messages."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Close it."""
        ...

    def size_bytes(self) -> int:
        """Return the bytes it takes."""
        ...

    def take_over(self, lost: str) -> Identity:
        """Take over from the journal `lost`; return the identity of this journal."""
        ...

    def chained(self, environment: str, name: str) -> ChainReading:
        """Read a rollout's events as they are chained, with the head of the chain."""
        ...

    def reading(self) -> AbstractContextManager[Rows]:
        """Yield the journal in rows, for its maintenance."""
        ...

    def fill(self, contents: Contents) -> None:
        """Write everything into this journal, which must be empty. Raises: UsageError when it is not."""
        ...


def open_journal(url: str, *, must_exist: bool = False, write: bool = False) -> AnyJournal:
    """Open the journal a URL names; create it if there is none, unless `must_exist`.

    One that must exist also refuses to write, unless it is opened to `write`. Close it, or use it as a context manager.
    Raises `UsageError` for a URL this version cannot serve, a foreign journal, a missing bucket, and
    `JournalMissingError`; `StalledError` for a journal a newer version wrote, a missing permission.
    """
    write = write or not must_exist
    if url.startswith("s3://"):
        return S3Journal(url, create=not must_exist, write=write)
    if is_on_postgres(url):
        return _on_postgres(url, create=not must_exist, write=write)
    return SqlJournal(path_of(url), create=not must_exist, write=write)


def _on_postgres(url: str, *, create: bool, write: bool) -> AnyJournal:
    try:
        from otactl.journal.postgres.store import PostgresJournal
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "psycopg":
            raise
        raise UsageError(f"a journal on PostgreSQL needs psycopg, which is missing; install it: {EXTRA}") from missing
    return PostgresJournal(url, create=create, write=write)


def is_file(url: str) -> bool:
    """Return whether a journal's URL names a file of this machine."""
    return not url.startswith("s3://") and not is_on_postgres(url)


def shown_of(url: str) -> str:
    """Return the URL of a journal elsewhere as reports show it; raises `UsageError` for an address of no form."""
    return address_of(url).url if is_on_postgres(url) else url


def path_of(url: str) -> Path:
    """Return the file that a URL names; raises `UsageError` for one that names none."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        name = url
    elif scheme == "sqlite" and rest.startswith("/"):
        name = rest[1:]
    else:
        raise UsageError(f"journal {scheme}://… is not a journal URL this version knows; use {SUPPORTED}")
    if name in ("", "/") or ":memory:" in name:
        raise UsageError(f"journal {url!r} names no file, so nothing would be remembered; use {SUPPORTED}")
    return Path(name)
