"""Connects to PostgreSQL, and runs one transaction until it is known whether it was carried out.

1. Every wait has an end: the connection, a lock and a statement by PostgreSQL's own timeouts; a server or a network
   that no longer answers by closing our end of the connection after `DEADLINE_SECONDS`.
2. A host that is not this machine is met with TLS and its name is verified (`verify-full`), unless the operator's
   address, service file or PGSSLMODE says otherwise; `prefer` and `allow` promise nothing, so they count as unset.
3. A write that met another one (40001, 40P01), or lost its connection, is run again, `ATTEMPTS` times in all. It
   carries a name that its commit stores: where the row it locks shows that name, an earlier try was carried out whose
   answer was lost. Nothing is concluded from the time or from the error.
4. Reads are repeated as often; they change nothing.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from otactl.errors import UsageError
from otactl.journal.postgres.address import Address, is_local
from otactl.journal.postgres.errors import is_contention, is_lost, refused, translate

T = TypeVar("T")
Cursor = psycopg.Cursor[tuple[Any, ...]]
Connection = psycopg.Connection[tuple[Any, ...]]
ATTEMPTS = 5
CONNECT_SECONDS = 10
LOCK_SECONDS = 10
STATEMENT_SECONDS = 30
DEADLINE_SECONDS = 60.0
OLDEST = 13
_BACKOFF_SECONDS = 0.1
_WITHOUT_PROMISE = ("", "prefer", "allow")
_reading_defaults = threading.Lock()


class Database:
    """One connection, made when it is needed and again when it was lost; threads share it under a lock."""

    def __init__(self, address: Address, *, write: bool, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url = address.url
        self.lock = threading.RLock()
        self._address = address
        self._write = write
        self._sleep = sleep
        self._connection: Connection | None = None

    def close(self) -> None:
        """Close the connection; a second time is harmless."""
        with self.lock:
            self._drop()

    def read(self, work: Callable[[Cursor], T]) -> T:
        """Return what `work` reads, at one moment; it is repeated after a lost connection.

        Raises: an error of `errors.py`.
        """
        return self._run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work, None)

    def write(self, work: Callable[[Cursor], T], seconds: float | None = None) -> T:
        """Return what `work` writes in one transaction, within so many seconds; it may run several times (rule 3)."""
        return self._run("BEGIN ISOLATION LEVEL READ COMMITTED", work, seconds)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Yield a connection of its own that sees one moment, for long readings that hold no one up.

        Raises: an error of `errors.py`.
        """
        connection = self._connect()
        try:
            connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
        except psycopg.Error as error:
            raise translate(error, self.url) from error
        finally:
            connection.close()

    def _run(self, start: LiteralString, work: Callable[[Cursor], T], seconds: float | None) -> T:
        unsure = False
        for attempt in range(1, ATTEMPTS + 1):
            with self.lock:
                if self._connection is None:
                    self._connection = self._connect()
                connection, sent = self._connection, False
                try:
                    with _deadline(connection, seconds or DEADLINE_SECONDS), connection.cursor() as cursor:
                        cursor.execute(start)
                        found = work(cursor)
                        sent = True
                        cursor.execute("COMMIT")
                        return found
                except psycopg.Error as error:
                    lost = is_lost(error, connection)
                    unsure = unsure or (sent and lost)
                    again = lost or is_contention(error)
                    self._drop() if lost else _roll_back(connection)
                    if not again or attempt == ATTEMPTS:
                        raise translate(error, self.url, unsure=unsure) from error
                except UnicodeEncodeError as error:
                    _roll_back(connection)
                    text = f"journal {self.url}: {error.object!r} is not valid text; fix the name"
                    raise UsageError(text) from error
                except BaseException:
                    if not _roll_back(connection):
                        self._drop()
                    raise
            self._sleep(_BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1))  # noqa: S311 - spreads load
        raise AssertionError("the last attempt returns or raises")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> Connection:
        try:
            connection = psycopg.connect(make_conninfo(**self._parameters()), autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            raise refused(error, self.url) from None  # the error holds the parameters, and a password among them
        try:
            with _deadline(connection, CONNECT_SECONDS):
                connection.execute(self._settings())
        except psycopg.Error as error:
            connection.close()
            raise translate(error, self.url) from None
        if connection.info.server_version < OLDEST * 10_000:
            connection.close()
            text = f"journal {self.url}: the server is older than PostgreSQL {OLDEST}; upgrade it, or name another"
            raise UsageError(text)
        return connection

    def _settings(self) -> bytes:
        text = (
            f"SET statement_timeout = '{STATEMENT_SECONDS}s'; SET lock_timeout = '{LOCK_SECONDS}s'; "
            f"SET idle_in_transaction_session_timeout = '{2 * STATEMENT_SECONDS}s'; SET search_path = ''; "
            f"SET timezone = 'UTC'; SET default_transaction_read_only = {'off' if self._write else 'on'}"
        )
        return text.encode()

    def _parameters(self) -> dict[str, str]:
        given = self._address.parameters
        known = defaults(given.get("service", "")) | given
        found = {
            "connect_timeout": str(CONNECT_SECONDS),
            "keepalives_idle": "15",
            "keepalives_interval": "5",
            "keepalives_count": "3",
            "tcp_user_timeout": "30000",
            "client_encoding": "UTF8",
            "application_name": "otactl",
        } | given
        hosts = [*known.get("host", "").split(","), *known.get("hostaddr", "").split(",")]
        if not all(is_local(host) for host in hosts) and known.get("sslmode", "") in _WITHOUT_PROMISE:
            found["sslmode"] = "verify-full"
            if not known.get("sslrootcert") and not Path("~/.postgresql/root.crt").expanduser().exists():
                found["sslrootcert"] = "system"
        if found.pop("auth", "") == "iam":
            from otactl.journal.postgres.iam import token

            found["password"] = token(known)
            found["sslmode"] = known["sslmode"] if known.get("sslmode") == "verify-ca" else "verify-full"
        return found


def defaults(service: str = "") -> dict[str, str]:
    """Return what libpq takes from its variables and from a service of its service file."""
    with _reading_defaults:
        before = os.environ.get("PGSERVICE")
        try:
            if service:
                os.environ["PGSERVICE"] = service  # libpq has no other way to ask
            found = psycopg.pq.Conninfo.get_defaults()
        finally:
            if before is None:
                os.environ.pop("PGSERVICE", None)
            else:
                os.environ["PGSERVICE"] = before
    return {each.keyword.decode(): each.val.decode() for each in found if each.val}


@contextmanager
def _deadline(connection: Connection, seconds: float) -> Iterator[None]:
    """Close our end of a connection that does not answer in time (rule 1)."""
    timer = threading.Timer(seconds, _hang_up, (connection.fileno(),))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as end:
        end.shutdown(socket.SHUT_RDWR)


def _roll_back(connection: Connection) -> bool:
    """Undo the transaction; return whether the connection is of use still."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        return False
    return True
