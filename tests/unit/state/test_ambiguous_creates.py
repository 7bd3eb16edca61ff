"""Which creates without an answer a person has yet to clear up, and what the manifest decides."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from otactl.model import (
    Abort,
    AmbiguousCreate,
    Attempt,
    Intent,
    Observation,
    Record,
    RecordedCall,
    Rollout,
    Stage,
    Strategy,
    WaveRecord,
)
from otactl.state.ambiguous_creates import undecided
from otactl.state.lifecycle import advance
from tests.support.builders import NOW, rollout

CALL = RecordedCall(service="tuya", operation="Create", parameters={})
DECLARED = rollout()
WAVE = DECLARED.strategy.waves[0].name
OTHER_REVISION = replace(DECLARED, firmware=replace(DECLARED.firmware, sha256="e" * 64))
WITHOUT_WAVE = replace(DECLARED, strategy=Strategy(waves=DECLARED.strategy.waves[1:]))


def record() -> Record:
    attempt = Attempt(number=1, generation=DECLARED.generation, unit_id="u-1", devices=("d1",))
    intent = Intent(
        action="createUnit", unit_id="u-1", key="createUnit/u-1", call=CALL, at=NOW - timedelta(days=1), start_at=NOW
    )
    return Record(
        environment="prod-eu",
        name=DECLARED.name,
        backend=DECLARED.backend_kind,
        generation=DECLARED.generation,
        waves=(WaveRecord(name=WAVE, attempts=(attempt,)),),
        intents=(intent,),
    )


def seen(*, ended: bool) -> Observation:
    return Observation(ambiguous=(AmbiguousCreate(unit_id="u-1", message="one of two", ended=ended),))


DECISIONS = [
    (replace(DECLARED, resend_since=NOW), Stage.DECLARED),
    (OTHER_REVISION, Stage.LOST),
    (WITHOUT_WAVE, Stage.LOST),
    (replace(DECLARED, abort=Abort(reason="stop")), Stage.LOST),
    (replace(DECLARED, removed=True), Stage.LOST),
]
NAMES = ["resend", "revision", "wave", "abort", "removed"]


@pytest.mark.parametrize("declared", [d for d, _ in DECISIONS], ids=NAMES)
@pytest.mark.parametrize("ended", [True, False])
def test_the_manifest_decides_about_a_create_once_all_that_may_be_its_unit_have_ended(
    declared: Rollout, ended: bool
) -> None:
    assert bool(undecided(record(), declared, seen(ended=ended))) is not ended
    assert undecided(record(), DECLARED, seen(ended=ended))


@pytest.mark.parametrize(("declared", "stage"), DECISIONS, ids=NAMES)
def test_a_decided_create_is_dropped_after_two_observations_and_counts_as_sent_unless_it_is_sent_again(
    declared: Rollout, stage: Stage
) -> None:
    first, _ = advance(record(), declared, seen(ended=True), NOW)

    second, _ = advance(first, declared, seen(ended=True), NOW + timedelta(minutes=2))

    (attempt,) = second.attempts
    assert (len(first.intents), second.intents) == (1, ())
    assert (attempt.stage, attempt.reached) == (stage, stage is Stage.LOST)


@pytest.mark.parametrize("declared", [DECLARED, *(d for d, _ in DECISIONS)], ids=["declared", *NAMES])
def test_a_create_is_kept_while_what_may_be_its_unit_reaches_devices(declared: Rollout) -> None:
    moved = record()

    for minutes in range(0, 60, 5):
        moved, _ = advance(moved, declared, seen(ended=False), NOW + timedelta(minutes=minutes))

    assert len(moved.intents) == 1
    assert moved.attempts[0].stage is Stage.DECLARED


@pytest.mark.parametrize(
    ("since", "decided"),
    [(NOW, True), (NOW - timedelta(days=2), False)],
    ids=["asked for after it was sent", "asked for before it was sent"],
)
def test_a_create_is_sent_again_where_that_was_asked_for_after_it_was_sent(since: datetime, decided: bool) -> None:
    found = undecided(record(), replace(DECLARED, resend_since=since), seen(ended=True))

    assert bool(found) is not decided


def test_a_create_that_was_dropped_already_is_decided_by_any_wish_to_send_again() -> None:
    dropped = replace(record(), intents=())

    assert not undecided(dropped, replace(DECLARED, resend_since=NOW - timedelta(days=2)), seen(ended=True))
