"""The durable memory of rollouts, behind the `Journal` port: which store a URL names, and nothing of how it works."""

from __future__ import annotations

from pathlib import Path

from controller.errors import UsageError
from controller.journal.s3 import S3Journal
from controller.journal.sql import SqlJournal

__all__ = ["AnyJournal", "S3Journal", "SqlJournal", "open_journal"]

AnyJournal = SqlJournal | S3Journal
SUPPORTED = "sqlite:///RELATIVE/PATH, sqlite:////ABSOLUTE/PATH, a plain path, or s3://BUCKET/PREFIX"
_LATER = ("postgresql://", "postgres://")


def open_journal(url: str, *, must_exist: bool = False) -> AnyJournal:
    """Open the journal a URL names, for a pass (creates it) or for a reading verb (`must_exist`: never creates it).

    A reading verb's journal also refuses to write. Close it, or use it as a context manager. Raises `UsageError` for
    a URL this version cannot serve, a missing or foreign journal, a missing bucket; `StalledError` for a journal a
    newer version wrote, a missing permission.
    """
    if url.startswith("s3://"):
        return S3Journal(url, create=not must_exist)
    return SqlJournal(_path(url), create=not must_exist)


def _path(url: str) -> Path:
    scheme, separator, rest = url.partition("://")
    if not separator:
        name = url
    elif scheme == "sqlite" and rest.startswith("/"):
        name = rest[1:]
    elif url.startswith(_LATER):
        raise UsageError(f"journal {scheme}://… is not supported yet by this version; use {SUPPORTED}")
    else:
        raise UsageError(f"journal {scheme}://… is not a journal URL this version knows; use {SUPPORTED}")
    if name in ("", "/") or ":memory:" in name:
        raise UsageError(f"journal {url!r} names no file, so nothing would be remembered; use {SUPPORTED}")
    return Path(name)
