"""A journal on S3 whose answers do not arrive: what was written is found again, what is not known is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otactl.errors import TransientError
from otactl.journal import S3Journal
from otactl.journal.maintenance import check
from otactl.journal.s3_format import REMEMBERED_COMMITS
from otactl_simulator.server import SimulatorServer
from tests.support.journal_contract import ENVIRONMENT, NOW, change
from tests.support.s3_faults import CALLS, Wire, at, at_head, both, busy, lose, moment, opened

HOUR = timedelta(hours=1)
PUTS = [number for number, operation in enumerate(CALLS, start=1) if operation.startswith("put")]


@pytest.mark.parametrize("number", PUTS)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_commit_whose_answer_is_lost_once_is_made_once_and_is_no_conflict(
    place: str, written: S3Journal, number: int, side: str
) -> None:
    lossy = opened(place, Wire(**{side: at(number, lose)}))
    assert lossy.commit(both("2"), 0) == {"a": 2, "b": 2}
    assert moment(written) == ({(2, "2")}, {1})
    assert lossy.commit(both("3", 2), 0) == {"a": 3, "b": 3}
    assert check(S3Journal(place), NOW, HOUR) == ()


@pytest.mark.parametrize("effect", ["timeoutBeforeCommit", "timeoutAfterCommit", "throttle", "error500"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_commit_under_a_fault_of_the_service_is_made_once(
    place: str, written: S3Journal, s3: SimulatorServer, effect: str, nth: int
) -> None:
    fresh = opened(place, Wire())
    s3.world.faults.replace([{"service": "s3", "operation": "PutObject", "effect": effect, "nth": nth}])
    assert fresh.commit(both("2"), 0) == {"a": 2, "b": 2}
    s3.world.faults.replace([])
    assert moment(written) == ({(2, "2")}, {1})


@pytest.mark.parametrize("times", [1, 2])
def test_a_write_that_stands_in_the_way_of_another_is_tried_again(place: str, written: S3Journal, times: int) -> None:
    assert opened(place, Wire(before=busy(times))).commit(both("2"), 0) == {"a": 2, "b": 2}
    assert moment(written) == ({(2, "2")}, {1})


def test_records_that_could_not_be_written_are_never_referred_to(place: str, written: S3Journal) -> None:
    with pytest.raises(TransientError, match="could not be written; nothing was changed") as caught:
        opened(place, Wire(before=busy(3))).commit(both("2"), 0)
    assert caught.value.committed is False
    assert moment(written) == ({(1, "")}, {0})


def test_a_try_that_arrives_late_while_the_next_is_made_is_recognised(place: str, written: S3Journal) -> None:
    """The head's first write hangs: its answer is lost, then S3 is busy with it; it acts when we have tried again."""
    wire = Wire()
    late: list[dict[str, object]] = []
    plain = wire.client.put_object

    def put(**given: object) -> dict[str, object]:
        if "/heads/" in str(given["Key"]) and len(late) < 3:
            late.append(given)
            if len(late) == 1:
                lose()
            busy(1)(0, "put heads")
        if "/heads/" in str(given["Key"]) and len(late) == 3:
            late.append(given)
            plain(**late[0])
        return plain(**given)

    writer = opened(place, wire)
    wire.client.put_object = put
    assert writer.commit(both("2"), 0) == {"a": 2, "b": 2}
    assert len(late) == 4
    assert moment(written) == ({(2, "2")}, {1})


def test_a_lost_commit_on_which_others_have_built_already_is_recognised(place: str, written: S3Journal) -> None:
    def go_on_and_lose() -> None:
        for revision in range(1, REMEMBERED_COMMITS):
            written.commit((change(revision, name="b"),), 0)
        lose()

    assert opened(place, Wire(after=at_head(go_on_and_lose))).commit((change(1, name="a"),), 0) == {"a": 2}
    assert written.load(ENVIRONMENT, "a").revision == 2


def test_a_lost_lease_is_recognised_and_keeps_its_number(place: str, written: S3Journal) -> None:
    lease = opened(place, Wire(after=at_head(lose))).acquire(ENVIRONMENT, "cron", NOW)
    assert lease.fencing == 1
    assert written.lease(ENVIRONMENT) == lease


@pytest.mark.parametrize("lost", ["put heads", "get"])
def test_without_any_answer_it_is_said_that_the_commit_may_have_been_made(
    place: str, written: S3Journal, lost: str
) -> None:
    """Every answer is lost from the head's write on; or that one, and then those of reading back."""

    def cut(number: int, operation: str) -> None:
        if number == len(CALLS) or (number > len(CALLS) and operation in (lost, "get")):
            lose()

    with pytest.raises(TransientError, match=r"no answer after 3 attempts.* may be (there or not|written)") as caught:
        opened(place, Wire(after=cut)).commit(both("2"), 0)
    assert caught.value.committed is None
    assert moment(written) == ({(2, "2")}, {1})
