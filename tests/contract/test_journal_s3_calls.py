"""What a journal on S3 costs in calls, and that it tells the same as one in a file whatever is done to it."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from otactl.errors import ConflictError, LeaseHeldError
from otactl.journal import open_journal
from otactl.journal.s3_format import MAX_SEGMENTS, MAX_TAIL
from otactl.model import Attempt, WaveRecord
from otactl.ports import Commit
from tests.support.journal_contract import ENVIRONMENT, NOW, STORES, change, record
from tests.support.s3_faults import Wire, quick

MANY = 1000


def full(name: str, version: str = "1") -> Commit:
    """A record of the size of a real one: three waves of three attempts."""
    attempts = tuple(
        Attempt(number=n, generation="0a1b2c3d", unit_id=f"acme-{name}-canary-{n}-0a1b2c3d", vendor_id=f"{n}" * 36)
        for n in range(3)
    )
    waves = tuple(WaveRecord(name=w, attempts=attempts) for w in ("canary", "early", "fleet"))
    held = msgspec.structs.replace(record(name, version), waves=waves, generation="0a1b2c3d")
    return Commit(record=held, expected_revision=int(version) - 1, events=change(0, "began", "went on").events)


def test_a_thousand_records_are_loaded_with_two_calls_and_one_changed_record_is_two_more(place: str) -> None:
    """The figures of docs/decisions/0007-journal-on-s3.md."""
    wire = Wire()
    journal = quick(place, client=wire)
    wire.forget()
    journal.commit(tuple(full(f"r{n:04}") for n in range(MANY)), 0)
    assert wire.seen == ["get", "put segments", "put heads"]

    fresh = quick(place, client=wire)
    wire.forget()
    assert len(fresh.load_all(ENVIRONMENT)) == MANY
    assert wire.seen == ["get", "get"]
    wire.forget()
    assert fresh.lease(ENVIRONMENT) is None
    assert len(fresh.load_all(ENVIRONMENT)) == MANY
    assert wire.seen == ["get", "get"]  # each one a question whether the head is still the same
    wire.forget()
    fresh.commit((full("r0500", "2"),), 0)
    assert wire.seen == ["put segments", "put heads"]


def test_however_many_commits_there_were_a_fresh_process_reads_a_bounded_number_of_objects(place: str) -> None:
    draw = random.Random(7)  # noqa: S311 - a test's draw, not a secret
    revisions = {f"r{n:03}": 0 for n in range(200)}
    with quick(place) as journal:
        for _ in range(150):
            some = draw.sample(sorted(revisions), draw.choice((1, 1, 1, 2, 30)))
            revisions |= journal.commit(tuple(change(revisions[name], "x", name=name) for name in some), 0)
    wire = Wire()
    fresh = quick(place, client=wire)
    wire.forget()
    found = fresh.load_all(ENVIRONMENT)
    assert {name: stored.revision for name, stored in found.items()} == {n: r for n, r in revisions.items() if r}
    assert len(wire.seen) <= 1 + MAX_SEGMENTS


def test_a_quiet_pass_writes_nothing_and_asks_four_times(place: str) -> None:
    with quick(place) as journal:
        journal.commit(tuple(change(0, name=f"r{n}") for n in range(50)), 0)
    wire = Wire()
    with quick(place, client=wire) as journal:
        journal.lease(ENVIRONMENT)
        journal.load_all(ENVIRONMENT)
    assert wire.seen == ["get"] * 4  # the journal itself, the head, the head again, its segment


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_done_to_it_a_journal_on_s3_tells_the_same_as_one_in_a_file(
    place: str, tmp_path: Path, seed: int
) -> None:
    draw, now = random.Random(seed), NOW  # noqa: S311 - as above
    names = [f"r{n}" for n in range(12)]
    with open_journal(STORES["sqlite"](tmp_path)) as one, quick(place) as two:
        for step in range(60):
            now += timedelta(seconds=draw.choice((1, 50, 130)))
            some = draw.choices(names, k=draw.choice((1, 2, 5)))
            known = {n: s.revision for n, s in one.load_all(ENVIRONMENT).items()}
            commits = []
            for name in some:
                messages = [f"{step}-{n}" for n in range(draw.choice((0, 1, 3, MAX_TAIL)))]
                commits.append(change(known.get(name, 0) + draw.choice((0,) * 9 + (1,)), *messages, name=name))
                known[name] = known.get(name, 0) + 1
            fencing, holder = draw.choice((1, 5, 99)), draw.choice(("cron-a", "cron-b"))
            reported = []
            for journal in (one, two):
                try:
                    lease = journal.acquire(ENVIRONMENT, holder, now) if step % 3 == 0 else None
                    if lease is not None and step % 2 == 0:
                        journal.release(lease, now)
                    reported.append((lease, journal.commit(tuple(commits), fencing)))
                except (ConflictError, LeaseHeldError) as error:
                    reported.append((str(error), {}))
            assert reported[0] == reported[1]
            assert one.lease(ENVIRONMENT) == two.lease(ENVIRONMENT)
        fresh = quick(place)
        assert one.load_all(ENVIRONMENT) == two.load_all(ENVIRONMENT) == fresh.load_all(ENVIRONMENT)
        for name in names:
            assert one.history(ENVIRONMENT, name) == two.history(ENVIRONMENT, name) == fresh.history(ENVIRONMENT, name)
