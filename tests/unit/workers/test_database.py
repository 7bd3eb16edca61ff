"""The database is named by a connection string without a secret on the command line."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from otactl.errors import UsageError
from otactl.workers.database import conninfo_of


def test_the_option_goes_before_the_variable_and_that_before_libpqs_own() -> None:
    environ = {"OTACTL_DATABASE": "postgresql://db.example/variable", "PGHOST": "elsewhere.example"}
    found = [conninfo_to_dict(conninfo_of(option, environ)) for option in ("dbname=option", None)]
    assert [each["dbname"] for each in found] == ["option", "variable"]
    assert "host" not in conninfo_to_dict(conninfo_of(None, {"PGHOST": "db.example"}))


def test_every_connection_finds_the_tables_of_the_workers() -> None:
    plain, own = (
        conninfo_to_dict(conninfo_of(text, {}))["options"] for text in ("dbname=a", "dbname=a options='-c jit=off'")
    )
    assert plain == "-c search_path=otactl_workers"
    assert own == "-c jit=off -c search_path=otactl_workers"


@pytest.mark.parametrize("text", ["postgresql://ada:secret@db.example/a", "dbname=a password=secret"])
def test_a_password_on_the_command_line_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(UsageError, match="put it in OTACTL_DATABASE") as refused:
        conninfo_of(text, {})
    assert "secret" not in str(refused.value)
    assert conninfo_to_dict(conninfo_of(None, {"OTACTL_DATABASE": text}))["password"] == "secret"


def test_a_text_that_cannot_be_read_is_not_shown_either() -> None:
    with pytest.raises(UsageError, match="no connection string") as refused:
        conninfo_of(None, {"OTACTL_DATABASE": "password=secret what is this"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("environ", [{}, {"OTACTL_DATABASE": " "}])
def test_without_a_database_it_is_said_what_to_set(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="set OTACTL_DATABASE"):
        conninfo_of(None, environ)
