"""Units that an older backup of the journal does not know are taken up, or hold; they are not sent again."""

from __future__ import annotations

from copy import copy
from datetime import timedelta

import msgspec
import pytest

from otactl.model import (
    DeviceResult,
    Intent,
    Outcome,
    Phase,
    Record,
    RecordedCall,
    Retry,
    Stage,
    Unit,
    UnitPhase,
)
from otactl.model.tags import TAG_ATTEMPT
from otactl.model.unit_id import named_by
from otactl.planning.environment import NAME
from otactl.verdicts.deadlines import SETTLE
from tests.support.attempts import SHAPES, decided, made, many
from tests.support.builders import NOW, empty, look, record_of, rollout, seen, unit_of
from tests.support.in_memory_cloud import Cloud, Memory, run
from tests.support.plans import actions, holds

STARTED = {"start_at": NOW - timedelta(hours=1)}
BAD = (DeviceResult(device="a", outcome=Outcome.FAILED), DeviceResult(device="b", outcome=Outcome.SUCCEEDED))
DECLARED = rollout()


def kept(journal: Memory) -> Memory:
    """A backup: the journal as it is."""
    backup = copy(journal)
    backup.records, backup.revisions = dict(journal.records), dict(journal.revisions)
    return backup


@pytest.mark.parametrize("renamed_at", [None, 2], ids=["not renamed", "renamed after two runs"])
def test_units_that_are_still_there_are_not_sent_again_whatever_the_backup_is_of(renamed_at: int | None) -> None:
    """Every backup of a rollout that keeps its units, restored at every later time, also from before a renaming."""
    declared = rollout(cleanup="never")
    renamed = rollout(cleanup="never", name="soil", renamed_from="probe")
    cloud, journal = Cloud(NOW), Memory()
    backups = []
    for number in range(8):
        backups.append(kept(journal))
        declared = renamed if number == renamed_at else declared
        run(cloud, journal, declared, covers=True)
        cloud.advance(timedelta(minutes=40))
        for backup in backups:
            later, restored = copy(cloud), kept(backup)
            later.tasks, later.tokens = dict(cloud.tasks), {}
            later.created, later.sent = list(cloud.created), list(cloud.sent)
            for _ in range(8):
                run(later, restored, declared, covers=True)
                later.advance(timedelta(minutes=40))
            assert len(later.created) == 2, "a task for each wave"
            assert later.sent.count("StartFuotaTask") == 2
            assert restored.load("prod-eu", declared.name).record.phase is Phase.SUCCEEDED
            assert restored.load("prod-eu", NAME).record.drift == ()
    assert journal.load("prod-eu", declared.name).record.phase is Phase.SUCCEEDED


def test_a_name_that_another_rollout_took_over_since_is_not_looked_for_among_the_units_of_the_first() -> None:
    """The unit under it is the other one's, which the journal does not know yet."""
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, rollout())
    soil, lost = rollout(name="soil", renamed_from="probe"), Memory()

    run(cloud, lost, rollout(), soil)

    (attempt,) = lost.load("prod-eu", "probe").record.attempts
    assert attempt.found_by_tags
    assert [a.vendor_id for a in lost.load("prod-eu", "soil").record.attempts] == ["t-2"]


@pytest.mark.parametrize(
    ("phase", "given"),
    [
        (UnitPhase.OPEN, {"members": ()}),
        (UnitPhase.RUNNING, {"members": (), **STARTED}),
        (UnitPhase.ENDED, {"members": (), "results": BAD[1:], **STARTED}),
    ],
)
@pytest.mark.parametrize("stage", [Stage.OPEN, Stage.SCHEDULED, Stage.RUNNING])
def test_a_retry_that_the_backup_does_not_know_is_taken_up_beside_the_attempt_before_it(
    stage: Stage, phase: UnitPhase, given: dict[str, object]
) -> None:
    """That attempt is missing by now: it is taken for deleted, and nothing is created in its place."""
    later = unit_of(DECLARED, number=2, vendor_id="t-2", phase=phase, **given)
    record = record_of(DECLARED, unit_of(DECLARED), stage, **({} if stage is Stage.OPEN else STARTED))

    first = look(DECLARED, record, seen(later))
    second = look(DECLARED, first.record, seen(later), NOW + SETTLE)

    assert [a.vendor_id for a in first.record.attempts] == ["t-1", "t-2"]
    assert [(actions(r), holds(r)) for r in (first, second)] == [([], ["unit_may_be_a_retry"])] * 2
    assert not [e for e in second.record.drift if e.open and e.subject == "t-2"]


def test_a_replacement_for_the_whole_wave_goes_on_in_the_place_of_the_one_that_the_backup_knows() -> None:
    later = unit_of(DECLARED, number=2, vendor_id="t-2", phase=UnitPhase.RUNNING, **STARTED)
    record = record_of(DECLARED, unit_of(DECLARED), Stage.OPEN)

    first = look(DECLARED, record, seen(later))
    second = look(DECLARED, first.record, seen(later), NOW + SETTLE)

    assert [(actions(r), holds(r)) for r in (first, second)] == [([], [])] * 2
    assert [a.stage for a in second.record.attempts] == [Stage.LOST, Stage.RUNNING]


def test_every_unit_of_a_wave_is_taken_up_and_the_newest_counts() -> None:
    retry = msgspec.structs.replace(DECLARED.strategy, retry=Retry(on=("timeout",), attempts=2))
    declared = rollout(strategy=retry)
    first = unit_of(declared, phase=UnitPhase.ENDED, results=BAD, **STARTED)
    second = unit_of(declared, number=2, vendor_id="t-2", members=(), phase=UnitPhase.RUNNING, **STARTED)

    for units in ((first, second), (second, first)):
        result = look(declared, empty(declared), seen(*units))

        assert [a.vendor_id for a in result.record.attempts] == ["t-1", "t-2"]
        assert (actions(result), holds(result)) == ([], ["unit_may_be_a_retry"])


@pytest.mark.parametrize("stage", [Stage.OPEN, Stage.ENDED, Stage.LOST])
def test_a_copy_with_the_tags_of_a_unit_that_is_known_is_not_taken_up(stage: Stage) -> None:
    copied = unit_of(DECLARED, unit_id="probe-canary-copy", vendor_id="x-2")
    phase = UnitPhase.OPEN if stage is Stage.OPEN else UnitPhase.ENDED

    result = look(DECLARED, record_of(DECLARED, unit_of(DECLARED), stage), seen(unit_of(DECLARED, phase=phase), copied))

    assert [a.vendor_id for a in result.record.attempts] == ["t-1"]
    assert "x-2" in [e.subject for e in result.record.drift if e.open]
    assert named_by({**copied.tags, TAG_ATTEMPT: "²"}) == ""


@pytest.mark.parametrize("phase", [UnitPhase.OPEN, UnitPhase.RUNNING, UnitPhase.ENDED])
def test_a_wave_that_was_open_in_the_backup_is_not_sent_again_when_a_later_one_is_there(phase: UnitPhase) -> None:
    """Waves run one after another: it was sent, and its unit cleaned up."""
    declared = rollout(cleanup="never")
    given = {} if phase is UnitPhase.OPEN else STARTED
    results = BAD if phase is UnitPhase.ENDED else None
    fleet = unit_of(declared, "fleet", vendor_id="t-2", phase=phase, results=results, **given)
    record = record_of(declared, unit_of(declared), Stage.OPEN, missing_since=NOW - SETTLE)

    result = look(declared, record, seen(fleet))

    assert (actions(result), holds(result)) == ([], ["earlier_wave_is_unknown"])
    assert "does not know that it sent wave canary" in result.plan.holds[0].message


def pending(record: Record, unit: Unit) -> Record:
    """The same, with a create of a unit that has no answer and starts."""
    call = RecordedCall(service="iot", operation="CreateOTAUpdate", parameters={"otaUpdateId": unit.unit_id})
    intent = Intent(action="createUnit", unit_id=unit.unit_id, key="k", call=call, at=NOW, start_at=NOW)
    return msgspec.structs.replace(record, intents=(intent,))


@pytest.mark.parametrize("is_retried", [True, False])
def test_a_create_without_an_answer_in_the_backup_is_not_sent_again_when_its_retry_is_there(is_retried: bool) -> None:
    declared, record = many("otaUpdate", made(stage=Stage.DECLARED, vendor_id=None, start_at=None, members=()))
    known = record.waves[0].attempts[0]
    retry = made(
        2,
        stage=Stage.ENDED,
        ended_at=NOW,
        generation=declared.generation,
        unit_id="probe-all-2-x",
        found_by_tags=True,
        results=BAD[:1],
    )
    attempts = (known, retry) if is_retried else (known,)
    wave = msgspec.structs.replace(record.waves[0], attempts=attempts)
    lost = Unit(unit_id=known.unit_id, phase=UnitPhase.ABSENT, vendor_id="")
    before = pending(record.with_wave(wave), lost)
    there = Unit(unit_id=retry.unit_id, phase=UnitPhase.ENDED, vendor_id=retry.vendor_id or "", results=BAD[:1])

    result = decided("otaUpdate", declared, before, *((there,) if is_retried else ()))

    assert SHAPES["otaUpdate"][0].capabilities.create_is_idempotent
    assert ("resendCreate" in actions(result)) != is_retried
