"""TLS and passwords of a journal on PostgreSQL: verified by default elsewhere, and no secret in any message."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from otactl.errors import StalledError, TransientError, UsageError
from otactl.journal import open_journal
from otactl.journal.postgres import connection
from otactl.journal.postgres.address import address_of
from otactl.journal.postgres.connection import Database
from otactl.journal.postgres.iam import token
from otactl.journal.postgres.store import PostgresJournal
from tests.support.postgres import HOST, PostgresServer, missing

SECRET = "correct-horse"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    named = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "server.key", "-out", "server.crt"]
    subprocess.run([*words.split(), *named], cwd=folder, check=True, capture_output=True)
    return folder / "server.crt"


@pytest.fixture(scope="module")
def server(certificate: Path) -> Iterator[PostgresServer]:
    """A server that speaks TLS, and asks `runner` for a password."""
    if missing():
        pytest.skip(missing())
    with PostgresServer() as started:
        for name in ("server.crt", "server.key"):
            started.place(name, (certificate.parent / name).read_bytes())
        started.place("pg_hba.conf", b"host all runner all scram-sha-256\nhost all all all trust\n")
        started.execute("ALTER SYSTEM SET ssl = on")
        started.execute("ALTER SYSTEM SET password_encryption = 'scram-sha-256'")
        started.execute("SELECT pg_reload_conf()")
        while not _speaks_tls(started):
            pass
        started.execute(f"CREATE ROLE runner LOGIN SUPERUSER PASSWORD '{SECRET}'")
        yield started


def _speaks_tls(server: PostgresServer) -> bool:
    with psycopg.connect(server.conninfo()) as raw:
        return raw.execute("SHOW ssl").fetchone() == ("on",)


@pytest.fixture
def elsewhere(server: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The server as if it were another machine; no variable of libpq is set."""
    monkeypatch.setattr(connection, "is_local", lambda _host: False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [each for each in os.environ if each.startswith("PG")]:
        monkeypatch.delenv(name)
    return f"postgresql://runner@localhost:{server.port}/postgres"


def in_use(url: str) -> bool:
    database = Database(address_of(url), write=False)
    try:
        return database.read(lambda cursor: cursor.connection.pgconn.ssl_in_use)
    finally:
        database.close()


def test_a_server_elsewhere_must_prove_who_it_is(
    elsewhere: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    with pytest.raises(StalledError, match=r"no secure connection .*PGSSLROOTCERT") as caught:
        open_journal(elsewhere)
    assert caught.value.reason == "JournalConnectionIsNotSecure"
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("PGSSLROOTCERT", str(certificate))
    PostgresJournal(elsewhere).close()
    assert in_use(elsewhere)
    with pytest.raises(StalledError, match="no secure connection"):
        open_journal(elsewhere.replace("localhost", HOST))  # the certificate is of another name


@pytest.mark.parametrize(("mode", "encrypted"), [("require", True), ("disable", False)])
@pytest.mark.parametrize("where", ["variable", "address", "service"])
def test_the_operator_may_choose_less(
    elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, mode: str, encrypted: bool
) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    url = elsewhere
    if where == "variable":
        monkeypatch.setenv("PGSSLMODE", mode)
    elif where == "address":
        url = f"{elsewhere}?sslmode={mode}"
    else:
        port = elsewhere.rpartition(":")[2].partition("/")[0]
        lines = f"[mine]\nhost=localhost\nport={port}\nuser=runner\nsslmode={mode}\ndbname=postgres\n"
        (tmp_path / "services").write_text(lines, encoding="utf-8")
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
        url = "postgresql:///postgres?service=mine"
    assert in_use(url) is encrypted


def test_prefer_and_allow_promise_nothing(elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    for mode in ("prefer", "allow"):
        monkeypatch.setenv("PGSSLMODE", mode)
        with pytest.raises(StalledError, match="no secure connection"):
            in_use(elsewhere)


def test_a_password_comes_from_a_file_or_a_variable_and_a_wrong_one_is_not_repeated(
    elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{elsewhere}?sslmode=require"
    with pytest.raises(StalledError, match=r"refuses the connection .*PGPASSWORD, PGPASSFILE") as none:
        in_use(url)
    assert none.value.reason == "JournalAccessDenied"
    monkeypatch.setenv("PGPASSWORD", "wrong-" + SECRET)
    with pytest.raises(StalledError, match="refuses the connection") as wrong:
        in_use(url)
    monkeypatch.delenv("PGPASSWORD")
    kept = tmp_path / "passwords"
    kept.write_text(f"*:*:*:runner:{SECRET}\n", encoding="utf-8")
    kept.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(kept))
    assert in_use(url)
    assert SECRET not in f"{wrong.value!r} {wrong.value.__cause__!r} {wrong.value.__context__ and ''}"


@pytest.mark.parametrize(
    ("url", "kind", "reported"),
    [
        ("postgresql://localhost:1/postgres", TransientError, "does not answer"),
        ("postgresql:///postgres?service=none", UsageError, 'definition of service "none" not found'),
        ("postgresql://runner@localhost:PORT/none?sslmode=require", StalledError, "refuses the connection"),
    ],
)
def test_what_prevents_a_connection_is_one_line_with_what_to_do(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch, url: str, kind: type[Exception], reported: str
) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    port = elsewhere.rpartition(":")[2].partition("/")[0]
    monkeypatch.setattr(connection, "ATTEMPTS", 1)
    with pytest.raises(kind, match=reported) as caught:
        open_journal(url.replace("PORT", port), must_exist=True)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_database_user_of_iam_signs_in_by_a_token_for_that_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "AKIAEXAMPLE")
    signed = token({"host": "journal.abc.eu-west-1.rds.amazonaws.com", "port": "5432", "user": "runner"})
    assert signed.startswith("journal.abc.eu-west-1.rds.amazonaws.com:5432/?Action=connect&DBUser=runner&")
    assert "eu-west-1%2Frds-db%2Faws4_request" in signed
    for lacking in ({"host": "a,b", "user": "runner"}, {"host": "a"}, {"user": "runner"}):
        with pytest.raises(UsageError, match="auth=iam needs one host and the name of the database user"):
            token(lacking)
