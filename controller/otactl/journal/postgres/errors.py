"""Maps what PostgreSQL and libpq report to errors of ours: one line each, with what to do next.

1. SQLSTATEs are those of PostgreSQL's appendix A. A connection that fails has none: libpq gives its text alone.
2. `is_lost`: the connection is of no use any more, and what was sent last may have been carried out.
3. `is_contention`: another transaction was in the way; the server undid ours, and it may be run again.
"""

from __future__ import annotations

import psycopg

from otactl.errors import JournalMissingError, OtactlError, StalledError, TransientError, UsageError

RETRY_AFTER = 5.0
_CONTENTION = ("40001", "40P01")
_SHUTDOWN = ("57P01", "57P02", "57P03", "57P05")
_UNREACHABLE = (
    "Connection refused",
    "timeout expired",
    "Connection timed out",
    "could not translate host name",
    "failed to resolve host",
    "closed the connection unexpectedly",
    "Connection reset",
    "No route to host",
    "Network is unreachable",
    "No such file or directory\n\tIs the server running",
    "starting up",
    "shutting down",
    "recovery mode",
    "too many clients",
    "remaining connection slots",
)
_INSECURE = ("certificate", "SSL", "TLS", "channel binding")
_SECURE_HOW = "give the certificate of its authority in PGSSLROOTCERT, or choose PGSSLMODE where otactl runs"


def is_contention(error: psycopg.Error) -> bool:
    """Return whether the server undid the transaction for another one's sake (rule 3)."""
    return error.sqlstate in _CONTENTION


def is_lost(error: psycopg.Error, connection: psycopg.Connection | None) -> bool:
    """Return whether the connection is lost (rule 2)."""
    state = error.sqlstate or ""
    return connection is None or connection.closed or connection.broken or state[:2] == "08" or state in _SHUTDOWN


def refused(error: psycopg.Error, url: str) -> OtactlError:
    """Return the error for a connection that could not be made (rule 1)."""
    whole = str(error)
    detail = _line(whole)
    if "definition of service" in whole or "service file" in whole:
        return UsageError(f"journal {url}: {detail}; correct the service's name, or set PGSERVICEFILE to its file")
    if any(each in whole for each in _UNREACHABLE) or isinstance(error, psycopg.errors.ConnectionTimeout):
        text = f"journal {url} does not answer ({detail}); nothing was written, check the server and run again"
        return TransientError(text, retry_after=RETRY_AFTER, committed=False)
    if "FATAL:" not in whole and any(each in whole for each in _INSECURE):
        text = f"journal {url}: no secure connection ({detail}); {_SECURE_HOW}"
        return StalledError("JournalConnectionIsNotSecure", text)
    text = f"journal {url} refuses the connection ({detail}); check the database's name, the user and its password"
    return StalledError("JournalAccessDenied", f"{text} (PGUSER, PGPASSWORD, PGPASSFILE or the service file)")


def translate(error: psycopg.Error, url: str, *, unsure: bool = False) -> OtactlError:
    """Return what happened to a statement; `unsure` says that a commit was sent whose answer never came."""
    state, detail = error.sqlstate or "", _line(str(error))
    if state[:2] == "22" or isinstance(error, psycopg.DataError):
        return UsageError(f"journal {url}: a name or text cannot be stored ({detail}); fix the name")
    if unsure or state[:2] == "08" or state in _SHUTDOWN or not state:
        wrote = "it is not known whether the last write was carried out" if unsure else "nothing was written"
        text = f"journal {url}: the connection was lost ({detail}); {wrote}, run again"
        return TransientError(text, retry_after=RETRY_AFTER, committed=None if unsure else False)
    if state in (*_CONTENTION, "55P03", "57014", "25P03", "53200", "53300"):
        text = f"journal {url}: the server gave up the transaction ({detail}); nothing was written, run again"
        return TransientError(text, retry_after=RETRY_AFTER, committed=False)
    if state in ("42501", "28000", "28P01"):
        text = f"journal {url}: this user may not do that ({detail}); grant the role that `otactl journal roles` prints"
        return StalledError("JournalAccessDenied", text)
    if state == "25006":
        text = f"journal {url} cannot be opened or written ({detail}); connect to the primary as a role that writes"
        return UsageError(text)
    if state in ("3F000", "42P01"):
        return JournalMissingError(url, url)
    if state == "53100":
        text = f"journal {url}: the server's disk is full ({detail}); nothing was written, free some space"
        return StalledError("JournalDiskIsFull", f"{text} and run again")
    text = f"journal {url} is damaged ({detail}); run `otactl journal check`, then restore a backup"
    return StalledError("JournalIsDamaged", text)


def _line(text: str) -> str:
    return " ".join(text.split())
