"""A journal on S3 among others: killed between any two calls, overtaken, read while it is written."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from otactl.errors import ConflictError, LeaseHeldError, TransientError
from otactl.journal import S3Journal
from otactl.journal.maintenance import check
from otactl_simulator.server import SimulatorServer
from tests.support.journal_contract import BUCKET, ENVIRONMENT, NOW, change, record
from tests.support.s3_faults import CALLS, Killed, Wire, at, at_head, both, kill, moment, opened

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("condition", [{"IfNoneMatch": "*"}, {"IfMatch": "the etag"}])
def test_the_service_lets_one_of_eight_writers_at_the_same_moment_through(
    s3: SimulatorServer, tmp_path: Path, condition: dict[str, str]
) -> None:
    """What everything here stands on, so the stand-in must keep it as S3 does."""
    client = boto3.client("s3", config=Config(max_pool_connections=8, retries={"total_max_attempts": 1}))
    reported: list[int] = []

    def write(start: threading.Barrier, key: str, given: dict[str, str], body: bytes) -> None:
        start.wait()
        try:
            client.put_object(Bucket=BUCKET, Key=key, Body=body, **given)
            reported.append(200)
        except ClientError as error:
            reported.append(error.response["ResponseMetadata"]["HTTPStatusCode"])

    kept = sys.getswitchinterval()
    sys.setswitchinterval(0.00001)
    try:
        for number in range(20):
            key, start, given = f"{tmp_path.name}/{number}", threading.Barrier(8), condition
            if "IfMatch" in condition:
                given = {"IfMatch": client.put_object(Bucket=BUCKET, Key=key, Body=b"first")["ETag"]}
            reported.clear()
            bodies = [bytes([n]) * 20_000 for n in range(8)]
            threads = [threading.Thread(target=write, args=(start, key, given, body)) for body in bodies]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(reported) == [200] + [412] * 7
    finally:
        sys.setswitchinterval(kept)


def test_an_undisturbed_commit_makes_the_calls_at_which_it_is_killed_below(place: str, written: S3Journal) -> None:
    wire = Wire()
    opened(place, wire).commit(both("2"), 0)
    assert wire.seen == CALLS
    assert moment(written) == ({(2, "2")}, {1})


@pytest.mark.parametrize("number", range(1, len(CALLS) + 1))
@pytest.mark.parametrize("moment_of_death", ["before", "after"])
def test_a_commit_killed_at_any_call_is_there_whole_or_not_at_all_and_the_next_goes_on(
    place: str, written: S3Journal, number: int, moment_of_death: str
) -> None:
    wire = Wire(**{moment_of_death: at(number, kill)})
    with pytest.raises(Killed):
        opened(place, wire).commit(both("2"), 0)
    committed = (number, moment_of_death) == (len(CALLS), "after")
    assert moment(written) == (({(2, "2")}, {1}) if committed else ({(1, "")}, {0}))
    fresh = S3Journal(place)
    assert [d.code for d in check(fresh, NOW, HOUR) if d.severity == "error"] == []
    fresh.commit(both("next", 2 if committed else 1), 0)
    assert moment(written) == ({(3, "next")}, {2}) if committed else ({(2, "next")}, {1})


@pytest.mark.parametrize(("number", "left"), [(3, 0), (4, 1), (5, 2)])
def test_what_a_killed_commit_left_behind_is_counted_and_is_no_error(
    place: str, written: S3Journal, number: int, left: int
) -> None:
    with pytest.raises(Killed):
        opened(place, Wire(before=at(number, kill))).commit(both("2"), 0)
    for _ in range(2):  # also when the next commit has the same serial
        found = check(S3Journal(place), NOW, HOUR)
        assert [(d.severity, d.code, d.message.split()[0]) for d in found] == (
            [("warning", "leftover_objects", str(left))] if left else []
        )
        written.commit((change(written.load(ENVIRONMENT, "b").revision, name="b"),), 0)


@pytest.mark.parametrize("number", [1, 2])
def test_a_new_journal_whose_maker_was_killed_at_any_call_can_be_opened(
    s3: SimulatorServer, tmp_path: Path, number: int
) -> None:
    place = f"s3://{BUCKET}/{tmp_path.name}"
    with pytest.raises(Killed):
        S3Journal(place, client=Wire(after=at(number, kill)))
    assert S3Journal(place).commit((change(0),), 0) == {"soil": 1}


def test_a_writer_overtaken_by_another_of_the_same_record_loses_and_changes_nothing(
    place: str, written: S3Journal
) -> None:
    slow = opened(place, Wire(before=at_head(lambda: written.commit((change(1, "won", name="b", version="won"),), 0))))
    with pytest.raises(ConflictError, match="prod-eu/b: expected revision 1, found 2; nothing was written"):
        slow.commit((change(1, "lost", name="a"), change(1, "lost", name="b", version="lost")), 0)
    assert written.load(ENVIRONMENT, "a").revision == 1
    assert written.load(ENVIRONMENT, "b").record.version == "won"
    assert [e.message for e in written.history(ENVIRONMENT, "b")] == ["first", "won"]


def test_a_writer_overtaken_by_another_of_another_record_tries_again_and_both_are_kept(
    place: str, written: S3Journal
) -> None:
    slow = opened(place, Wire(before=at_head(lambda: written.commit((change(1, "one", name="b", version="1"),), 0))))
    assert slow.commit((change(1, "two", name="a", version="2"),), 0) == {"a": 2}
    assert {n: (s.revision, s.record.version) for n, s in written.load_all(ENVIRONMENT).items()} == {
        "a": (2, "2"),
        "b": (2, "1"),
    }
    assert [e.message for e in written.history(ENVIRONMENT, "b")] == ["first", "one"]
    assert written.history(ENVIRONMENT, "a")[-1].message == "two"


def test_a_writer_overtaken_while_it_merges_segments_does_not_bring_old_records_back(
    place: str, written: S3Journal
) -> None:
    """The slow one's segment holds a copy of `b` at revision 1; the head it writes must not point to that."""
    wire = Wire(before=at_head(lambda: written.commit((change(1, name="b", version="new"),), 0)))
    slow = opened(place, wire)
    assert slow.commit((change(0, name="c"),), 0) == {"c": 1}
    assert written.load(ENVIRONMENT, "b").record.version == "new"
    assert S3Journal(place).load_all(ENVIRONMENT) == written.load_all(ENVIRONMENT)


def test_others_who_always_come_first_end_in_try_again_and_nothing_written(place: str, written: S3Journal) -> None:
    others = iter(range(1, 100))

    def overtake(_count: int, operation: str) -> None:
        if operation == "put heads":
            written.commit((change(next(others), name="b"),), 0)

    with pytest.raises(TransientError, match="other processes keep writing") as caught:
        opened(place, Wire(before=overtake)).commit((change(1, "never", name="a"),), 0)
    assert caught.value.committed is False
    assert written.load(ENVIRONMENT, "a").revision == 1


def test_a_holder_paused_before_its_last_write_is_refused_when_another_took_over_meanwhile(
    place: str, written: S3Journal
) -> None:
    def take_over() -> None:
        lease = written.acquire(ENVIRONMENT, "cron-b", NOW + timedelta(seconds=120))
        assert lease.fencing == 2

    wire = Wire()
    paused = opened(place, wire)
    lease = paused.acquire(ENVIRONMENT, "cron-a", NOW)
    wire.before = at_head(take_over)
    with pytest.raises(ConflictError, match="fencing number 1 was given, 2 is the newest"):
        paused.commit(both("late"), lease.fencing)
    assert moment(written) == ({(1, "")}, {0})


def test_of_two_who_reach_for_a_free_lease_at_once_one_gets_it(place: str, written: S3Journal) -> None:
    slow = opened(place, Wire(before=at_head(lambda: written.acquire(ENVIRONMENT, "cron-b", NOW))))
    with pytest.raises(LeaseHeldError, match="cron-b"):
        slow.acquire(ENVIRONMENT, "cron-a", NOW)
    lease = written.lease(ENVIRONMENT)
    assert lease is not None
    assert (lease.holder, lease.fencing) == ("cron-b", 1)


def test_an_expired_lease_is_seen_as_it_is_now_and_not_as_it_was_read(place: str, written: S3Journal) -> None:
    other = S3Journal(place)
    other.acquire(ENVIRONMENT, "cron-b", NOW)
    written.lease(ENVIRONMENT)
    other.acquire(ENVIRONMENT, "cron-b", NOW + timedelta(seconds=119))
    with pytest.raises(LeaseHeldError, match="until 2026-03-01T12:03:59Z"):
        written.acquire(ENVIRONMENT, "cron-a", NOW + timedelta(seconds=121))


def test_of_two_who_begin_an_environment_at_once_one_is_refused_and_nothing_is_lost(place: str) -> None:
    first = S3Journal(place)
    slow = opened(place, Wire(before=at_head(lambda: first.commit((change(0, "won", version="won"),), 0))))
    with pytest.raises(ConflictError, match="prod-eu/soil: expected revision 0, found 1"):
        slow.commit((change(0, "lost", version="lost"),), 0)
    assert S3Journal(place).load(ENVIRONMENT, "soil").record.version == "won"


def test_a_reader_between_any_two_writes_of_a_commit_sees_it_whole_or_not_at_all(
    place: str, written: S3Journal
) -> None:
    reader, seen = S3Journal(place), []

    def look(_number: int, _operation: str) -> None:
        seen.append(moment(reader))

    wire = Wire()
    writer = opened(place, wire)
    wire.before = wire.after = look
    writer.commit(both("2"), 0)
    assert seen == [({(1, "")}, {0})] * (2 * len(CALLS) - 1) + [({(2, "2")}, {1})]


def test_a_reader_overtaken_between_head_and_segment_reads_the_moment_of_the_head(
    place: str, written: S3Journal
) -> None:
    slow = opened(place, Wire(before=at(2, lambda: written.commit(both("2"), 0))))
    assert {(s.revision, s.record.version) for s in slow.load_all(ENVIRONMENT).values()} == {(1, "")}
    assert {(s.revision, s.record.version) for s in slow.load_all(ENVIRONMENT).values()} == {(2, "2")}
    assert slow.load(ENVIRONMENT, "a").record == record("a", "2")
