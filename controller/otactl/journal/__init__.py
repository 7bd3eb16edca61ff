"""Opens the store that a journal URL names, behind the `Journal` port."""

from __future__ import annotations

from pathlib import Path

from otactl.errors import UsageError
from otactl.journal.s3 import S3Journal
from otactl.journal.sqlite import SqlJournal

__all__ = ["AnyJournal", "S3Journal", "SqlJournal", "open_journal"]

AnyJournal = SqlJournal | S3Journal
SUPPORTED = "sqlite:///RELATIVE/PATH, sqlite:////ABSOLUTE/PATH, a plain path, or s3://BUCKET/PREFIX"
_LATER = ("postgresql://", "postgres://")


def open_journal(url: str, *, must_exist: bool = False, write: bool = False) -> AnyJournal:
    """Open the journal a URL names; create it if there is none, unless `must_exist`.

    One that must exist also refuses to write, unless it is opened to `write`. Close it, or use it as a context manager.
    Raises `UsageError` for a URL this version cannot serve, a foreign journal, a missing bucket, and
    `JournalMissingError`; `StalledError` for a journal a newer version wrote, a missing permission.
    """
    write = write or not must_exist
    if is_on_s3(url):
        return S3Journal(url, create=not must_exist, write=write)
    return SqlJournal(path_of(url), create=not must_exist, write=write)


def is_on_s3(url: str) -> bool:
    """Return whether a journal's URL names a bucket rather than a file."""
    return url.startswith("s3://")


def path_of(url: str) -> Path:
    """Return the file that a URL names; raises `UsageError` for one that names none."""
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
