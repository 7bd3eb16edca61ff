"""A connection to PostgreSQL that is lost at any moment: before a commit it is written again, after it never twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from otactl.errors import ConflictError, TransientError
from otactl.journal import SqlJournal
from otactl.journal.maintenance import check, contents
from otactl.journal.postgres import connection, rows
from otactl.journal.postgres.connection import ATTEMPTS, Cursor
from otactl.journal.postgres.store import PostgresJournal
from tests.support.journal_contract import DATABASE, ENVIRONMENT, NOW, change
from tests.support.postgres import HOST, SUPER_USER, PostgresServer, missing
from tests.support.tcp_proxy import TcpProxy

Meddle = Callable[[bytes], bool]
HOUR = timedelta(hours=1)
COMMIT = b"COMMIT\0"  # BEGIN names READ COMMITTED


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[TcpProxy]:
    with TcpProxy(postgres.port) as between:
        yield between


@pytest.fixture
def journal(proxy: TcpProxy, tmp_path: Path) -> Iterator[PostgresJournal]:
    url = f"postgresql://{SUPER_USER}@{HOST}:{proxy.port}/{DATABASE}?sslmode=disable&journal={tmp_path.name}"
    with PostgresJournal(url, sleep=lambda _seconds: None) as opened:
        opened.commit((change(0, "one"),), 0)
        yield opened


@pytest.fixture
def direct(postgres: PostgresServer, journal: PostgresJournal) -> Iterator[PostgresJournal]:
    """The same journal, not through the proxy."""
    with PostgresJournal(f"postgresql:///{DATABASE}?journal={journal.key}") as opened:
        yield opened


def once(word: bytes) -> Meddle:
    """Cut the first piece with a word in it."""
    left = [True]

    def cut(piece: bytes) -> bool:
        found = left[0] and word in piece
        left[0] = left[0] and not found
        return found

    return cut


def after(proxy: TcpProxy, word: bytes) -> Meddle:
    """Cut the first answer to a piece with a word in it."""
    start, left = len(proxy.seen), [True]

    def cut(_piece: bytes) -> bool:
        found = left[0] and any(word in piece for piece in proxy.seen[start:])
        left[0] = left[0] and not found
        return found

    return cut


STATEMENTS = (b"BEGIN", b"FOR NO KEY UPDATE", b"SELECT name, revision", b"INTO otactl.records", b"INTO otactl.events")
STATEMENTS = (*STATEMENTS, b"SET recent", COMMIT)


@pytest.mark.parametrize("word", STATEMENTS)
@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_commit_whose_connection_is_lost_at_any_statement_is_written_once(
    journal: PostgresJournal, direct: PostgresJournal, proxy: TcpProxy, word: bytes, side: str
) -> None:
    connections = proxy.connections
    if side == "request":
        proxy.cut_request = once(word)
    else:
        proxy.cut_answer = after(proxy, word)

    assert journal.commit((change(1, "two", version="2"),), 0) == {"soil": 2}

    assert proxy.connections == connections + 1
    assert direct.load(ENVIRONMENT, "soil").revision == 2
    assert [e.message for e in direct.history(ENVIRONMENT, "soil")] == ["one", "two"]
    assert check(direct, NOW, HOUR) == ()


def test_a_commit_that_arrived_and_one_that_came_after_it_are_both_kept(
    journal: PostgresJournal, direct: PostgresJournal, proxy: TcpProxy
) -> None:
    """Revisions alone would say that our write came too late: the name of the write says that it came first."""

    def cut(_piece: bytes) -> bool:
        if any(piece.find(COMMIT) >= 0 for piece in proxy.seen[start:]):
            proxy.cut_answer = lambda _later: False
            direct.commit((change(2, "theirs"),), 0)
            return True
        return False

    start = len(proxy.seen)
    proxy.cut_answer = cut
    assert journal.commit((change(1, "ours"),), 0) == {"soil": 2}
    assert [e.message for e in direct.history(ENVIRONMENT, "soil")] == ["one", "ours", "theirs"]


def test_a_commit_that_never_arrived_meets_the_one_that_came_first(
    journal: PostgresJournal, direct: PostgresJournal, proxy: TcpProxy
) -> None:
    proxy.cut_request = once(COMMIT)
    journal.database._sleep = lambda _seconds: bool(direct.commit((change(1, "theirs"),), 0))
    with pytest.raises(ConflictError, match="expected revision 1, found 2"):
        journal.commit((change(1, "ours"),), 0)
    assert [e.message for e in direct.history(ENVIRONMENT, "soil")] == ["one", "theirs"]


@pytest.mark.parametrize(("word", "known"), [(b"BEGIN", False), (COMMIT, None)])
def test_a_connection_that_is_lost_each_time_gives_up_and_says_what_is_known(
    journal: PostgresJournal, proxy: TcpProxy, word: bytes, known: bool | None
) -> None:
    connections, start = proxy.connections, len(proxy.seen)

    def cut(piece: bytes) -> bool:
        return word in piece and len(proxy.seen) > start

    proxy.cut_request = cut
    with pytest.raises(TransientError, match="the connection was lost") as caught:
        journal.commit((change(1, "lost"),), 0)
    assert caught.value.committed is known
    assert "\n" not in str(caught.value)
    assert proxy.connections == connections + ATTEMPTS - 1


@pytest.mark.parametrize("word", [b"SET fencing", b"SET recent", COMMIT])
def test_a_lease_whose_answer_was_lost_is_taken_given_back_and_ended_once(
    journal: PostgresJournal, direct: PostgresJournal, proxy: TcpProxy, word: bytes
) -> None:
    proxy.cut_answer = after(proxy, word)
    lease = journal.acquire(ENVIRONMENT, "cron", NOW)
    assert (lease.fencing, direct.lease(ENVIRONMENT)) == (1, lease)
    proxy.cut_answer = after(proxy, word)
    assert journal.end_lease(ENVIRONMENT, NOW) == lease
    again = journal.acquire(ENVIRONMENT, "cron", NOW)
    assert again.fencing == 3
    proxy.cut_answer = after(proxy, word)
    journal.release(again, NOW)
    held = direct.lease(ENVIRONMENT)
    assert held is not None
    assert (held.released, held.fencing) == (True, 3)


@pytest.mark.parametrize("word", [b"BEGIN", b"INTO otactl.records", COMMIT])
def test_a_copy_whose_connection_is_lost_is_written_once(
    proxy: TcpProxy, journal: PostgresJournal, tmp_path: Path, word: bytes
) -> None:
    url = f"postgresql://{SUPER_USER}@{HOST}:{proxy.port}/{DATABASE}?sslmode=disable&journal={tmp_path.name}-to"
    with SqlJournal(tmp_path / "from.db") as source, PostgresJournal(url, sleep=lambda _seconds: None) as target:
        source.commit((change(0, "a", "b"),), 0)
        proxy.cut_answer = after(proxy, word)
        target.fill(contents(source))
        assert contents(target) == contents(source)


@pytest.mark.parametrize("state", [b"40001", b"40P01"])
@pytest.mark.parametrize("times", [1, ATTEMPTS - 1, ATTEMPTS])
def test_a_write_that_met_another_one_is_run_again_and_not_for_ever(
    journal: PostgresJournal, direct: PostgresJournal, monkeypatch: pytest.MonkeyPatch, state: bytes, times: int
) -> None:
    tries: list[bytes] = []
    remember = rows.remember

    def meet(cursor: Cursor, *given: str) -> None:
        tries.append(state)
        if len(tries) <= times:
            cursor.execute(b"DO $$ BEGIN RAISE EXCEPTION 'staged' USING ERRCODE = '" + state + b"'; END $$")
        remember(cursor, *given)

    monkeypatch.setattr(rows, "remember", meet)
    if times < ATTEMPTS:
        assert journal.commit((change(1, "two"),), 0) == {"soil": 2}
    else:
        with pytest.raises(TransientError, match=r"the server gave up the transaction .*nothing was written") as caught:
            journal.commit((change(1, "two"),), 0)
        assert caught.value.committed is False
    assert len(tries) == min(times + 1, ATTEMPTS)
    assert direct.load(ENVIRONMENT, "soil").revision == (2 if times < ATTEMPTS else 1)


def test_two_writers_that_lock_each_other_out_both_end(journal: PostgresJournal, direct: PostgresJournal) -> None:
    """PostgreSQL ends one of a deadlock's two transactions; that one is run again."""
    direct.commit((change(0, name="other"),), 0)
    locked, tries = threading.Barrier(2), []

    def work(first: str, second: str) -> Callable[[Cursor], None]:
        def run(cursor: Cursor) -> None:
            tries.append(first)
            query = "UPDATE otactl.records SET revision = revision + 1 WHERE journal = %s AND name = %s"
            cursor.execute(query, (journal.key, first))
            if len(tries) <= 2:
                locked.wait()
            cursor.execute(query, (journal.key, second))

        return run

    one = threading.Thread(target=journal.database.write, args=(work("soil", "other"),))
    two = threading.Thread(target=direct.database.write, args=(work("other", "soil"),))
    journal.database._sleep = lambda _seconds: two.join()
    direct.database._sleep = lambda _seconds: one.join()
    one.start()
    two.start()
    one.join()
    two.join()
    assert len(tries) == 3
    assert {name: stored.revision for name, stored in direct.load_all(ENVIRONMENT).items()} == {"soil": 3, "other": 3}


@pytest.mark.thorough
def test_a_network_that_swallows_everything_ends_the_wait(
    journal: PostgresJournal, direct: PostgresJournal, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 2)  # the least that libpq waits
    monkeypatch.setattr(connection, "ATTEMPTS", 2)
    proxy.silent = True
    with pytest.raises(TransientError, match=r"does not answer .*nothing was written") as caught:
        journal.commit((change(1, "two"),), 0)
    assert caught.value.committed is False
    proxy.silent = False
    assert journal.commit((change(1, "two"),), 0) == {"soil": 2}


@pytest.mark.thorough
def test_a_server_that_restarts_costs_a_new_connection_and_loses_nothing_that_was_confirmed() -> None:
    if missing():
        pytest.skip(missing())
    with PostgresServer(durable=True) as server:
        url = f"postgresql://{SUPER_USER}@{HOST}:{server.port}/postgres"
        with PostgresJournal(url) as journal:
            lease = journal.acquire(ENVIRONMENT, "cron", NOW)
            assert journal.commit((change(0, "one"), change(0, "x", name="other")), lease.fencing) != {}
            server.halt()
            server.start()
            assert journal.commit((change(1, "two"),), lease.fencing) == {"soil": 2}
            assert journal.lease(ENVIRONMENT) == lease
            assert check(journal, lease.expires_at - timedelta(seconds=1), HOUR) == ()
