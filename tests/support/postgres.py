"""Runs a PostgreSQL of Debian's packages for tests: a server in a folder of its own, a fresh database for each test.

1. It listens on a socket in its folder and on a free port of loopback; its super user is `postgres`, without password.
2. PostgreSQL refuses to run as root: under root it runs as the user `postgres` of Debian's package.
3. A guard stops it and removes its folder when the tests end, however they end: the guard reads a pipe that only the
   test process holds.
4. Nothing is flushed to disk unless the server is `durable`, which tests of lost power ask for.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

NEEDED = "PostgreSQL is not installed; on Debian: apt-get install --no-install-recommends postgresql"
HOST = "127.0.0.1"
SUPER_USER = "postgres"
TEMPLATE = "template1"
START_SECONDS = 60
_INITDB = ("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions")
_SETTINGS = (
    f"listen_addresses={HOST}",
    "max_connections=200",
    "shared_buffers=32MB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "jit=off",
    "deadlock_timeout=50ms",
    "timezone=UTC",
)
_CARELESS = ("fsync=off", "full_page_writes=off")
# $1 is the server's folder; the rest is its command. The pipe's end is the end of the tests.
_GUARD = """
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 & server=$!
read -r _
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$folder"
"""


def _programs() -> Path | None:
    """Return the folder of the newest PostgreSQL; Debian keeps its server programs outside PATH."""
    named = shutil.which("initdb")
    if named is not None and (Path(named).parent / "postgres").exists():
        return Path(named).parent
    found = [each.parent for each in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda each: int(each.parent.name)) if found else None


def missing() -> str:
    """Return what the machine lacks to run PostgreSQL; empty where nothing is missing."""
    return "" if _programs() is not None else NEEDED


def _user() -> pwd.struct_passwd | None:
    """Return the user that the server runs as; None for the present one (rule 2)."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("postgres")


class PostgresServer:
    """One server; use it as a context manager, or `stop` it."""

    def __init__(self, *, durable: bool = False) -> None:
        programs = _programs()
        if programs is None:
            raise RuntimeError(NEEDED)
        self.durable = durable
        self.folder = Path(tempfile.mkdtemp(prefix="otactl-postgres-"))
        self.data = self.folder / "data"
        self.port = 0
        self._programs = programs
        self._user = _user()
        self._numbers = count(1)
        self._guard: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        try:
            self._run(["initdb", "--pgdata", str(self.data), "--username", SUPER_USER, *_INITDB])
            self.start()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _as_user(self, words: list[str]) -> list[str]:
        command = [str(self._programs / words[0]), *words[1:]]
        if self._user is None:
            return command
        return ["setpriv", f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups", *command]

    def _run(self, words: list[str]) -> None:
        ran = subprocess.run(self._as_user(words), capture_output=True, text=True, check=False, cwd=self.folder)
        if ran.returncode:
            raise RuntimeError(f"{words[0]} failed: {ran.stderr or ran.stdout}")

    def start(self) -> None:
        """Start the server on the port it had, or on a free one; wait until it answers."""
        give_up = time.monotonic() + START_SECONDS
        self.port = self.port or _free_port()
        while not self._answers(give_up):
            self.halt()
            self.port = _free_port()

    def _answers(self, give_up: float) -> bool:
        """Start it; return whether it answers, which it does not where another process took its port meanwhile."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        settings = [*_SETTINGS, f"port={self.port}", f"unix_socket_directories={self.folder}"]
        settings += [] if self.durable else _CARELESS
        words = ["postgres", "-D", str(self.data), *(word for each in settings for word in ("-c", each))]
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", str(self.folder), *self._as_user(words)],
            stdin=subprocess.PIPE,
            cwd=self.folder,
            start_new_session=True,  # an interrupt at the terminal is for the tests alone
        )
        while True:
            try:
                psycopg.connect(self.conninfo(), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                said = log.read_text(errors="replace") if log.exists() else ""
                if time.monotonic() > give_up:
                    raise RuntimeError(f"PostgreSQL does not answer: {error}\n{said}") from error
                if "could not bind" in said:
                    return False
                time.sleep(0.02)
            else:
                return True

    def halt(self) -> None:
        """Stop the server as a crash does and keep its data, for a later `start`."""
        written = self.data / "postmaster.pid"
        if written.exists():
            postmaster = int(written.read_text().split()[0])
            os.kill(postmaster, signal.SIGQUIT)
            give_up = time.monotonic() + START_SECONDS
            while Path(f"/proc/{postmaster}/exe").exists() and time.monotonic() < give_up:
                time.sleep(0.01)
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.kill()  # it would remove the folder
            guard.wait()
            if guard.stdin is not None:
                guard.stdin.close()

    def stop(self) -> None:
        """Stop the server and remove its folder; a second time is harmless."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self, name: str, content: bytes) -> None:
        """Write a file of the server's data folder, readable by the server alone."""
        file = self.data / name
        file.write_bytes(content)
        file.chmod(0o600)
        if self._user is not None:
            os.chown(file, self._user.pw_uid, self._user.pw_gid)

    def conninfo(self, database: str = TEMPLATE, user: str = SUPER_USER) -> str:
        """Return a connection string for psycopg, over loopback."""
        return make_conninfo(host=HOST, port=self.port, user=user, dbname=database, sslmode="disable")

    def variables(self, database: str, user: str = SUPER_USER) -> dict[str, str]:
        """Return the variables by which libpq finds a database of this server."""
        return {"PGHOST": HOST, "PGPORT": str(self.port), "PGUSER": user, "PGDATABASE": database}

    def create_database(self, template: str = TEMPLATE) -> str:
        """Create a database as a copy of another, to which no one may be connected; return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return name

    def databases(self) -> set[str]:
        """Return the names of the databases."""
        with psycopg.connect(self.conninfo()) as connection:
            return {str(name) for (name,) in connection.execute("SELECT datname FROM pg_catalog.pg_database")}

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def execute(self, statement: LiteralString, *names: str, database: str = TEMPLATE) -> None:
        """Run one statement as the super user, outside a transaction; `{}` stand for quoted names."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            query = sql.SQL(statement).format(*map(sql.Identifier, names))
            connection.execute(query)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
