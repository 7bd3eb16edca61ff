"""Notices on every store: in the commit that caused them, sent until accepted, once, whoever is killed and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import msgspec
import pytest

from otactl.errors import TransientError
from otactl.journal import AnyJournal, open_journal
from otactl.journal.postgres.store import PostgresJournal
from otactl.model.notices import Notice, Receiver
from otactl.planning.environment import NAME
from otactl.ports import Commit
from otactl.reconcile.deliver import BATCH, KEPT, RUN_SECONDS, Sent
from tests.support.builders import NOW
from tests.support.notice_stage import HOME, Runner, receiver

OPS = receiver()
NAMES = [f"r{n}" for n in range(2 * BATCH + 3)]


class KilledError(BaseException):
    """The process died here."""


class Inbox:
    """A receiver that keeps what it accepts; `answer` says what comes back, by the number of the request."""

    def __init__(self, answer: Callable[[int], Sent] = lambda _: Sent()) -> None:
        self.answer, self.requests = answer, 0
        self.accepted: Counter[str] = Counter()
        self.events: set[tuple[str, str]] = set()
        self.seconds: list[float] = []

    def __call__(self, to: Receiver, notice: Notice, seconds: float) -> Sent:
        self.requests += 1
        self.seconds.append(seconds)
        came = self.answer(self.requests)
        if not came.problem:
            self.accepted[f"{to.name}:{notice.id}"] += 1
            self.events.add((notice.rollout, notice.reason))
        return came


@pytest.fixture
def journal(url: str) -> Iterator[AnyJournal]:
    with open_journal(url) as opened:
        yield opened


def waiting(journal: AnyJournal) -> int:
    return sum(len(n.to) for s in journal.load_all(HOME).values() for n in s.record.notices)


def one_run(
    journal: AnyJournal, send: Inbox, *, happens: int | None = None, names: list[str] = NAMES
) -> tuple[str, ...]:
    runner = Runner(journal, (OPS,), send)
    if happens is not None:
        runner.happen(names, happens)
    notes = runner.deliver()
    runner.end()
    return notes


def test_a_notice_is_written_with_what_caused_it_and_leaves_when_it_was_accepted(journal: AnyJournal) -> None:
    inbox = Inbox()
    runner = Runner(journal, (OPS,), inbox)
    runner.happen(["soil"], 1)

    (kept,) = journal.load(HOME, "soil").record.notices
    assert (kept.reason, kept.to, inbox.requests) == ("hold_1", ("ops",), 0)
    assert runner.deliver() == ()
    assert journal.load(HOME, "soil").record.notices == ()
    assert set(inbox.accepted) == {f"ops:{kept.id}"}


def test_a_commit_that_is_refused_leaves_no_notice(journal: AnyJournal) -> None:
    first, second = Runner(journal, (OPS,), Inbox()), Runner(journal, (OPS,), Inbox())
    first.happen(["soil"], 1)
    with pytest.raises(Exception, match=r"expected revision 0|another process held it"):
        second.happen(["soil"], 2)

    assert [n.reason for n in journal.load(HOME, "soil").record.notices] == ["hold_1"]


def test_a_run_without_notices_takes_no_lease_and_writes_nothing(journal: AnyJournal) -> None:
    one_run(journal, Inbox(), happens=1)
    lease = journal.lease(HOME)

    assert one_run(journal, Inbox()) == ()
    assert journal.lease(HOME) == lease


def test_what_is_refused_is_sent_again_with_the_same_id_until_it_is_accepted(journal: AnyJournal) -> None:
    inbox = Inbox(lambda n: Sent() if n % 2 == 0 else Sent(problem="it answered 500"))
    notes = one_run(journal, inbox, happens=1)

    assert "receiver ops: it answered 500; 12 notices wait for the next run" in notes
    while waiting(journal):
        one_run(journal, inbox)
    assert set(inbox.accepted.values()) == {1}
    assert len(inbox.accepted) == len(inbox.events) == len(NAMES)


def test_a_receiver_that_does_not_answer_gets_one_request_a_run_and_the_others_all(journal: AnyJournal) -> None:
    asked: Counter[str] = Counter()

    def send(to: Receiver, _notice: Notice, _seconds: float) -> Sent:
        asked[to.name] += 1
        return Sent(problem="no answer", silent=True) if to.name == "dead" else Sent()

    runner = Runner(journal, (receiver("dead"), OPS), send)
    runner.happen(NAMES, 1)
    runner.deliver()

    assert asked == {"dead": 1, "ops": len(NAMES)}
    assert waiting(journal) == len(NAMES)
    failure = journal.load(HOME, NAME).record.receiver_failures
    assert {n: f.error for n, f in failure.items()} == {"dead": "no answer"}


def test_the_time_of_a_run_is_shared_and_bounded(journal: AnyJournal) -> None:
    clock = [0.0]

    def answer(_: int) -> Sent:
        clock[0] += 2.4
        return Sent(problem="it answered 503")

    inbox = Inbox(answer)
    runner = Runner(journal, (OPS, receiver("other")), inbox, monotonic=lambda: clock[0])
    runner.happen(NAMES, 1)
    runner.deliver()

    assert inbox.requests == 5
    assert sum(min(2.4, s) for s in inbox.seconds) <= RUN_SECONDS
    assert inbox.seconds[-1] == pytest.approx(RUN_SECONDS - 4 * 2.4)


def test_a_failure_is_remembered_once_since_its_start_and_forgotten_when_a_notice_is_accepted(
    journal: AnyJournal,
) -> None:
    broken = Inbox(lambda n: Sent(problem=f"no answer within {n} s", silent=True))
    one_run(journal, broken, happens=1, names=["soil"])
    before = journal.load(HOME, NAME)
    one_run(journal, broken)

    assert journal.load(HOME, NAME) == before
    one_run(journal, Inbox())
    assert journal.load(HOME, NAME).record.receiver_failures == {}


def test_a_day_old_notice_is_dropped_and_history_says_so(journal: AnyJournal) -> None:
    one_run(journal, Inbox(lambda _: Sent(problem="it answered 500")), happens=1, names=["soil"])
    later = Inbox()
    Runner(journal, (OPS,), later, now=lambda: NOW + KEPT).deliver()

    assert later.requests == 0
    assert journal.load(HOME, "soil").record.notices == ()
    (event,) = [e for e in journal.history(HOME, "soil") if e.kind == "noticeDropped"]
    assert event.message == "held was not accepted by ops: a day old; it is not sent again"


def test_a_receiver_that_left_the_manifest_gets_nothing_more(journal: AnyJournal) -> None:
    one_run(journal, Inbox(lambda _: Sent(problem="it answered 500")), happens=1, names=["soil"])
    assert set(journal.load(HOME, NAME).record.receiver_failures) == {"ops"}
    other = Inbox()
    Runner(journal, (receiver("new"),), other).deliver()

    assert (other.requests, waiting(journal)) == (0, 0)
    assert journal.load(HOME, NAME).record.receiver_failures == {}


def test_what_is_remembered_of_a_receiver_that_left_goes_also_where_nothing_waits(journal: AnyJournal) -> None:
    one_run(journal, Inbox(lambda _: Sent(problem="it answered 500")), happens=1, names=["soil"])
    stored = journal.load(HOME, "soil")
    emptied = msgspec.structs.replace(stored.record, notices=())
    journal.commit((Commit(record=emptied, expected_revision=stored.revision),), 9)
    Runner(journal, (), Inbox()).deliver()

    assert journal.load(HOME, NAME).record.receiver_failures == {}


@pytest.mark.parametrize("at", [1, BATCH, BATCH + 1, 2 * BATCH, len(NAMES)])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_request_nothing_is_lost_and_a_batch_at_most_comes_twice(
    journal: AnyJournal, at: int, when: str
) -> None:
    inbox = Inbox()
    fatal = [True]

    def dying(to: Receiver, notice: Notice, seconds: float) -> Sent:
        dies = fatal[0] and inbox.requests + 1 == at
        if dies and when == "before":
            raise KilledError
        came = inbox(to, notice, seconds)
        if dies:
            raise KilledError
        return came

    runner = Runner(journal, (OPS,), dying)
    runner.happen(NAMES, 1)
    with pytest.raises(KilledError):
        runner.deliver()
    fatal[0] = False
    if isinstance(journal, PostgresJournal):  # its leases end by the server's clock, which has not moved
        journal.end_lease(HOME, NOW + timedelta(minutes=10))
    Runner(journal, (OPS,), inbox, now=lambda: NOW + timedelta(minutes=10), holder="b/2").deliver()

    assert waiting(journal) == 0
    assert len(inbox.accepted) == len(inbox.events) == len(NAMES)
    assert sum(n - 1 for n in inbox.accepted.values()) <= BATCH


def test_a_commit_after_sending_that_fails_is_a_note_and_the_same_ids_come_again(
    journal: AnyJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox()
    runner = Runner(journal, (OPS,), inbox)
    runner.happen(["soil"], 1)

    def refuse(*_: object, **__: object) -> None:
        raise TransientError("the disk is full")

    monkeypatch.setattr(runner.leased, "commit", refuse)
    assert runner.deliver() == (
        "notices were not sent, or not recorded as sent: the disk is full; the next run goes on",
    )
    one_run(journal, inbox)

    assert list(inbox.accepted.values()) == [2]


def test_two_runners_do_not_send_the_same_notice(journal: AnyJournal) -> None:
    inbox = Inbox()
    runner = Runner(journal, (OPS,), Inbox(lambda _: Sent(problem="it answered 500")))
    runner.happen(NAMES, 1)
    runner.end()
    first = Runner(journal, (OPS,), inbox, holder="b/2")
    second = Runner(journal, (OPS,), inbox, holder="c/3")

    assert first.deliver() == ()
    first.end()
    (note,) = second.deliver()

    assert "another process held it since its records were read" in note
    assert set(inbox.accepted.values()) == {1}


def test_a_defect_of_sending_is_a_note(journal: AnyJournal) -> None:
    def send(*_: object) -> Sent:
        raise ValueError("a secret")

    runner = Runner(journal, (OPS,), send)
    runner.happen(["soil"], 1)
    (note,) = runner.deliver()

    assert note.startswith("notices were not sent: ValueError in ")
    assert "a secret" not in note
