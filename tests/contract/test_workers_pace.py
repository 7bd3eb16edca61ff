"""Every process of the workers takes its slots from the same row of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from otactl.workers.database import create_tables
from otactl.workers.pace import DatabasePace

PLACE, READ, WRITE = "123456789012/eu-west-1", "iotwireless:GetFuotaTask", "iotwireless:CreateFuotaTask"


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def paces(conninfo: str, slept: list[float]) -> Iterator[list[DatabasePace]]:
    """Four processes, as far as the database can tell."""
    found = [DatabasePace(conninfo, 4, sleep=slept.append) for _ in range(4)]
    yield found
    for each in found:
        each.close()


def ahead(conninfo: str, key: str) -> float:
    """How far the next free slot lies ahead, in seconds."""
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM next_at - clock_timestamp())::float8 FROM pace WHERE key = %s", (key,)
        ).fetchone()
    assert row is not None
    return float(row[0])


def test_no_slot_is_given_twice_and_none_is_left_out(
    conninfo: str, paces: list[DatabasePace], slept: list[float]
) -> None:
    """Two hundred calls at one a minute fill two hundred minutes, whoever asks: the whole rate is used, and no more."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: paces[number % 4].wait(PLACE, READ, 1 / 60), range(200)))

    minutes = sorted(round(each / 60) for each in slept)
    assert minutes == list(range(1, 200))  # the first waits for nothing
    assert 199 * 60 < ahead(conninfo, READ) <= 200 * 60


def test_operations_and_places_have_slots_of_their_own(paces: list[DatabasePace], slept: list[float]) -> None:
    paces[0].wait(PLACE, READ, 1 / 60)
    paces[1].wait(PLACE, WRITE, 1 / 60)
    paces[2].wait("210987654321/eu-west-1", READ, 1 / 60)
    assert slept == []
    paces[3].wait(PLACE, READ, 1 / 60)
    assert len(slept) == 1


def test_a_lower_rate_of_an_environment_takes_more_of_the_time_of_all(
    paces: list[DatabasePace], slept: list[float]
) -> None:
    paces[0].wait(PLACE, READ, 1 / 600)
    paces[1].wait(PLACE, READ, 1 / 60)
    assert [round(each / 60) for each in slept] == [10]


def test_slots_that_no_one_asked_for_are_not_saved_up(conninfo: str, paces: list[DatabasePace]) -> None:
    paces[0].wait(PLACE, READ, 1 / 60)
    with psycopg.connect(conninfo) as connection:
        connection.execute("UPDATE pace SET next_at = next_at - interval '1 day'")
    paces[0].wait(PLACE, READ, 1 / 60)
    assert 0 < ahead(conninfo, READ) <= 60


def test_without_the_database_a_process_keeps_to_its_share(slept: list[float]) -> None:
    """At one call a second for all of four environments, one alone sends one in four seconds."""
    pace = DatabasePace("host=127.0.0.1 port=1 connect_timeout=1", 4, sleep=slept.append, monotonic=lambda: 0.0)
    for _ in range(3):
        pace.wait(PLACE, READ, 1.0)
    assert slept == [4.0, 8.0]


def test_a_connection_that_is_lost_is_opened_again(conninfo: str, slept: list[float]) -> None:
    pace = DatabasePace(conninfo, 4, sleep=slept.append)
    pace.wait(PLACE, READ, 1 / 60)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    pace.wait(PLACE, READ, 1 / 60)
    pace.close()
    assert [round(each / 60) for each in slept] == [1]


def test_tables_are_created_once_and_a_second_time_is_harmless(conninfo: str) -> None:
    assert create_tables(conninfo) == ()
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT to_regclass('otactl_workers.procrastinate_jobs')").fetchone()
    assert row is not None
    assert row[0] is not None
