"""What holds and actions say, word for word: people act on these."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from otactl.model import (
    Approval,
    DeviceResult,
    DriftPolicy,
    Gate,
    Ignore,
    Outcome,
    Reason,
    Requires,
    Stage,
    Suspend,
    Targets,
    Unit,
    UnitPhase,
    Wave,
)
from otactl.model.actions import CreateUnit, DeleteUnit, UpdateUnit
from otactl.planning.membership import approval_digest
from otactl.planning.unseen_changes import _words
from tests.support.attempts import BEFORE, NAMES, SHAPES, decided, judged, made, many
from tests.support.builders import NOW, look, record_of, rollout, seen, unit_of

ROLE = {"stage": Stage.FAILED, "failure": "no such role", "start_at": None}


def shown(kind: str, attempt: dict[str, Any], phase: UnitPhase | None, **changes: Any) -> Any:
    """Look at a rollout whose only wave has one attempt, and whose unit is in a phase."""
    declared, record = many(kind, made(**attempt))
    declared = replace(declared, **changes)
    (mine,) = record.attempts
    units = (Unit(unit_id=mine.unit_id, vendor_id="v-1", phase=phase),) if phase is not None else ()
    return decided(kind, declared, record, *units)


@pytest.mark.parametrize(
    ("start_at", "when"),
    [(None, "before its start"), (BEFORE, "after its start, which spec.drift.ignore accepts")],
)
def test_a_unit_that_was_deleted_is_made_again_with_the_reason(start_at: Any, when: str) -> None:
    lost = {"stage": Stage.LOST, "start_at": start_at, "lost_at": BEFORE}
    first = shown("otaUpdate", lost, None)
    accepted = DriftPolicy(ignore=(Ignore(field="unit", reason="deleted by mistake"),))
    declared, _ = many("otaUpdate")
    edited = replace(declared, drift=accepted, source=replace(declared.source, digest="e" * 64))
    found = decided("otaUpdate", edited, first.record) if start_at is not None else first

    (action,) = found.plan.actions
    assert isinstance(action, CreateUnit)
    assert action.reason.startswith(f"{first.record.attempts[0].unit_id} was deleted out of band {when}")


def test_a_unit_that_could_not_be_created_is_held_with_cause_and_ways_out() -> None:
    (hold,) = shown("otaUpdate", ROLE, UnitPhase.FAILED).plan.holds

    assert hold.reason == "unit_creation_failed"
    assert "could not be created: no such role; fix the cause; it is recreated when role, image or" in hold.message
    assert SHAPES["otaUpdate"][0].capabilities.delete_command.format(id="v-1") in hold.message


def test_a_record_without_use_of_another_revision_is_deleted_because_of_the_new_one() -> None:
    declared, record = many("otaUpdate", made(**ROLE))
    (mine,) = record.attempts
    unit = Unit(unit_id=mine.unit_id, vendor_id="v-1", phase=UnitPhase.FAILED)
    newer = replace(declared, firmware=replace(declared.firmware, version="2.5.0", sha256="cd" * 32))

    (action,) = decided("otaUpdate", newer, record, unit).plan.actions

    assert isinstance(action, DeleteUnit)
    assert (action.why, action.reason) == ("replace", "the manifest declares another revision now")


def test_devices_without_an_answer_are_counted_with_the_end_of_the_wait_for_them() -> None:
    results = (
        DeviceResult(device="a", outcome=Outcome.SUCCEEDED),
        *(DeviceResult(device=n, outcome=Outcome.FAILED, reason=Reason.TIMEOUT, silent=True) for n in ("b", "c")),
    )
    declared, record = many("otaUpdate", made(stage=Stage.ENDED, ended_at=NOW, results=results, devices=NAMES))
    gated = replace(declared, strategy=replace(declared.strategy, gate=Gate(silence_after="24h")))

    (hold,) = decided("otaUpdate", gated, record).plan.holds

    assert hold.message == "wave all: 2 devices have not answered; they count as failed at 2026-03-02T12:00:00Z"


def test_results_that_this_version_does_not_know_are_named() -> None:
    results = tuple(
        DeviceResult(device=n, outcome=Outcome.UNKNOWN if n != "b" else Outcome.SUCCEEDED, name=n) for n in NAMES
    )
    declared, record = many("otaUpdate", made(devices=NAMES))
    (mine,) = record.attempts
    unit = Unit(unit_id=mine.unit_id, vendor_id="v-1", phase=UnitPhase.ENDED, results=results, start_at=BEFORE)

    (hold,) = decided("otaUpdate", declared, record, unit).plan.holds

    assert hold.message == "devices with a result this version does not know: a, c; update otactl"


def test_a_suspended_rollout_says_how_many_devices_follow() -> None:
    waits = judged(None, Reason.CANCELED, Reason.CANCELED, devices=NAMES)
    declared, record = many("otaUpdate", waits, suspend=Suspend(owner="ana", reason="heat"))

    messages = [h.message for h in decided("otaUpdate", declared, record).plan.holds]

    unit = record.attempts[0].unit_id
    assert any(f"2 devices of {unit} had not started, and follow in another attempt" in m for m in messages)


def test_a_field_that_is_set_back_says_why() -> None:
    declared = rollout()
    unit = unit_of(declared)
    unit = replace(unit, fields={**unit.fields, "redundancyPercent": 3})
    record = record_of(declared, unit, Stage.OPEN)

    (action, *_) = look(declared, record, seen(unit)).plan.actions

    assert isinstance(action, UpdateUnit)
    assert "redundancyPercent" in action.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("fragmentIntervalMs=ab12", "fragmentIntervalMs (shown: 9)"),
        ("descriptor=ab12", "descriptor (shown: None)"),
        ("with group:g1", "with group:g1"),
        ("with group:a=b", "with group:a=b"),
        ("tags", "tags"),
    ],
)
def test_a_change_that_is_not_shown_is_named_with_what_is_shown_instead(change: str, words: str) -> None:
    unit = Unit(unit_id="u", vendor_id="v", phase=UnitPhase.OPEN, fields={"fragmentIntervalMs": 9})

    assert _words(change, unit) == words


@pytest.mark.parametrize(
    ("waves", "remedy"),
    [
        ({"early": "g1"}, "call the wave canary again"),
        ({"canary": "g2", "fleet": "g1"}, "leave it there"),
    ],
)
def test_targets_that_another_wave_was_sent_to_are_held_with_what_to_do(waves: dict[str, str], remedy: str) -> None:
    sent = rollout()
    unit = unit_of(sent, phase=UnitPhase.ENDED)
    record = record_of(sent, unit, Stage.DELETED, start_at=NOW, started_by_us=True, start_sent_at=NOW)
    named = tuple(Wave(name=name, targets=Targets(multicast_groups=(group,))) for name, group in waves.items())
    moved = replace(sent, strategy=replace(sent.strategy, waves=named))

    (hold,) = (h for h in look(moved, record, seen()).plan.holds if h.reason == "targets_were_sent_already")

    assert f"was sent this content to (group:g1); {remedy}; to send it to them again, " in hold.message


def test_a_unit_whose_results_are_recorded_is_deleted_with_the_reason() -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.ENDED)
    well = tuple(DeviceResult(device=n, outcome=Outcome.SUCCEEDED) for n in NAMES)
    record = record_of(declared, unit, Stage.ENDED, results=well, start_at=NOW, ended_at=NOW)

    (action,) = look(declared, record, seen(unit)).plan.actions

    assert isinstance(action, DeleteUnit)
    assert (action.why, action.reason) == (
        "cleanup",
        "its results are recorded; a done unit may still hold its devices",
    )


@pytest.mark.parametrize(
    ("covers", "words"),
    [
        ("3:abc", "was of 3 devices in its groups, which hold other devices now, 2 of them"),
        ("", "names no devices of its groups, and they have to be named"),
    ],
)
def test_an_approval_of_other_devices_says_how_many_it_covers_and_how_many_there_are(covers: str, words: str) -> None:
    base = rollout()
    asking = replace(base.strategy.waves[0], requires=Requires(approval="owners"))
    declared = replace(base, strategy=replace(base.strategy, waves=(asking, *base.strategy.waves[1:])))
    digest = approval_digest(declared, asking)
    given = Approval(wave="canary", role="owners", by="ada", digest=digest, at=NOW, devices=covers)
    declared = replace(declared, approvals=(given,))
    unit = unit_of(declared)
    shown = seen(unit)
    inside = tuple(replace(t, members=("d1", "d2")) for t in shown.targets)
    record = record_of(declared, unit, Stage.OPEN)

    (hold,) = look(declared, record, replace(shown, targets=inside)).plan.holds

    assert hold.message.startswith(f"wave canary: the approval by ada {words}; otactl approve rollouts/a.yaml ")


def test_a_change_of_phase_is_an_event_of_its_rollout() -> None:
    declared = rollout()
    known = record_of(declared, unit_of(declared), Stage.OPEN)

    for record in (known, replace(known, name="")):
        events = look(declared, record, seen(unit_of(declared))).events
        assert {e.subject for e in events if e.kind == "phase"} == {declared.name}
