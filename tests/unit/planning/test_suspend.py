"""What a suspension withdraws, what it lets go on, and for whom the next attempt is."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.model import (
    Abort,
    Attempt,
    Device,
    DeviceResult,
    Gate,
    Intent,
    Outcome,
    Phase,
    Reason,
    Record,
    RecordedCall,
    Rollout,
    Stage,
    Strategy,
    Suspend,
    TargetFacts,
    Targets,
    Unit,
    UnitPhase,
    Wave,
)
from otactl.model.actions import Action, CancelUnit, CreateUnit, DeleteUnit
from otactl.planning import suspend
from otactl.planning.assess import Assessment
from otactl.ports import Capabilities
from otactl.state.intents import intend
from tests.support.attempts import BEFORE, LATER, SHAPES, decided, judged, made, many
from tests.support.builders import NOW, look, record_of, rollout, seen, unit_of
from tests.support.in_memory_cloud import Cloud, Memory, run

HELD = Suspend(reason="bad batch", owner="ada")


def session(phase: UnitPhase, **changes: object) -> Assessment:
    declared = rollout(suspend=msgspec.structs.replace(HELD, running=changes.pop("running", "withdraw")))
    unit = unit_of(declared, phase=phase, start_at=changes.pop("start", LATER))
    record = record_of(declared, unit, changes.pop("stage", Stage.SCHEDULED), start_at=unit.start_at, start_sent_at=NOW)
    return look(declared, msgspec.structs.replace(record, **changes), seen(unit))


def test_a_session_whose_start_lies_ahead_is_deleted_and_not_after_its_start() -> None:
    (action,) = session(UnitPhase.SCHEDULED).plan.actions

    assert isinstance(action, DeleteUnit)
    assert (action.why, action.not_after, action.reason) == ("suspended", LATER, "suspended by ada: bad batch")


def test_a_start_that_is_not_shown_yet_is_withdrawn_too() -> None:
    sent = Intent(
        action="startUnit",
        unit_id=record_of(rollout(), unit_of(rollout()), Stage.OPEN).attempts[0].unit_id,
        key="k",
        call=RecordedCall(service="s", operation="o", parameters={}),
        at=NOW,
        start_at=LATER,
    )

    lagging = session(UnitPhase.OPEN)
    unheard = session(UnitPhase.OPEN, stage=Stage.OPEN, start=None, intents=(sent,))

    assert [type(a) for reported in (lagging, unheard) for a in reported.plan.actions] == [DeleteUnit, DeleteUnit]


@pytest.mark.parametrize(
    ("phase", "changes"),
    [
        (UnitPhase.OPEN, {"stage": Stage.OPEN, "start": None}),
        (UnitPhase.SCHEDULED, {"start": BEFORE}),
        (UnitPhase.RUNNING, {"stage": Stage.RUNNING, "start": BEFORE}),
        (UnitPhase.SCHEDULED, {"running": "finish"}),
    ],
)
def test_what_is_open_or_on_air_or_meant_to_finish_is_not_deleted(phase: UnitPhase, changes: dict[str, object]) -> None:
    result = session(phase, **changes)

    assert result.plan.actions == ()
    (hold,) = result.plan.holds
    assert hold.reason == "suspended"
    assert ("delete-fuota-task --id t-1" in hold.message) is (phase is not UnitPhase.OPEN)


def running(record: Record, **changes: object) -> Unit:
    attempt = record.attempts[-1]
    return Unit(unit_id=attempt.unit_id, phase=UnitPhase.RUNNING, vendor_id=attempt.vendor_id or "", **changes)


def only(actions: tuple[Action, ...]) -> tuple[str, ...]:
    (action,) = actions
    assert isinstance(action, CreateUnit)
    return action.unit.only


@pytest.mark.parametrize("kind", SHAPES)
def test_what_waits_is_canceled_once_and_what_began_is_reported(kind: str) -> None:
    declared, record = many(kind, made(), suspend=HELD)

    first = decided(kind, declared, record, running(record))
    then = decided(kind, declared, record, running(record, stopping=True))

    assert [(type(a), a.why) for a in first.plan.actions if isinstance(a, CancelUnit)] == [(CancelUnit, "suspended")]
    assert then.plan.actions == ()
    assert "starts no further devices" in then.plan.holds[0].message
    assert "v-1" in then.plan.holds[0].message


@pytest.mark.parametrize("kind", SHAPES)
def test_devices_that_had_not_started_follow_alone_and_failures_are_not_sent_again(kind: str) -> None:
    declared, record = many(kind, judged(None, Reason.CANCELED, Reason.FLASH))

    assert only(decided(kind, gated(declared, min_success_percent=60), record).plan.actions) == ("device:b",)


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({"min_success_percent": 0, "max_failures": 0}, "failures_exceed_limit"),
        ({"min_success_percent": 90}, "success_rate_is_too_low"),
    ],
)
def test_the_rest_does_not_follow_a_gate_that_failed_by_those_that_had_started(
    gate: dict[str, object], reason: str
) -> None:
    declared, record = many("otaUpdate", judged(None, Reason.FLASH, Reason.CANCELED))

    held = decided("otaUpdate", gated(declared, **gate), record)
    eased = decided("otaUpdate", gated(declared, min_success_percent=50), held.record)

    assert held.plan.actions == ()
    assert [h.reason for h in held.plan.holds] == [reason]
    assert "1 device had not started and will not follow" in held.plan.holds[0].message
    assert only(eased.plan.actions) == ("device:c",)


def test_a_device_taken_out_of_the_manifest_while_suspended_does_not_follow() -> None:
    declared, record = many("otaUpdate", judged(None, Reason.CANCELED, Reason.CANCELED))
    declared_now = naming(declared, "a", "b")

    assert only(decided("otaUpdate", declared_now, record).plan.actions) == ("device:b",)


def test_a_wave_no_one_had_started_goes_on_with_the_devices_declared_then() -> None:
    declared, record = many("otaUpdate", judged(*[Reason.CANCELED] * 3))

    (action,) = decided("otaUpdate", naming(declared, "b"), record).plan.actions

    assert isinstance(action, CreateUnit)
    assert (action.unit.only, action.unit.members) == ((), ("device:b",))


def test_a_wave_whose_rest_was_taken_out_of_the_manifest_is_judged_by_those_that_had_started() -> None:
    declared, record = many("otaUpdate", judged(None, None, Reason.CANCELED))

    result = decided("otaUpdate", naming(declared, "a", "b"), record)

    assert result.plan.actions == ()
    verdict = result.record.waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.total) == (True, 2)


@pytest.mark.parametrize("kind", SHAPES)
def test_what_an_abort_stopped_goes_on_like_what_a_suspension_withdrew(kind: str) -> None:
    stopped = msgspec.structs.replace(judged(None, Reason.FLASH, Reason.CANCELED), withdrawn=False)
    declared, record = many(kind, stopped)
    eased = gated(declared, min_success_percent=50)

    assert only(decided(kind, eased, record).plan.actions) == ("device:c",)
    assert decided(kind, gated(naming(declared, "a", "b"), min_success_percent=50), record).plan.actions == ()


def test_a_device_dropped_before_it_began_is_not_held_against_the_wave_that_went_on() -> None:
    stopped = msgspec.structs.replace(judged(*[Reason.CANCELED] * 3), withdrawn=False)
    good = tuple(DeviceResult(device=n, outcome=Outcome.SUCCEEDED) for n in "ab")
    second = made(2, stage=Stage.ENDED, ended_at=BEFORE, results=good, members=("device:a", "device:b"))
    declared, record = many("otaUpdate", stopped, second)

    verdict = decided("otaUpdate", naming(declared, "a", "b"), record).record.waves[0].verdict

    assert verdict is not None
    assert (verdict.passed, verdict.total) == (True, 2)


def test_devices_of_a_wave_no_one_had_started_may_be_in_another_one() -> None:
    stopped = judged(Reason.CANCELED, Reason.CANCELED, Reason.CANCELED)
    declared, record = many("otaUpdate", stopped)
    waves = tuple(
        Wave(name=name, targets=Targets(things=tuple(Device(id=n) for n in names)))
        for name, names in (("all", "a"), ("rest", "bc"))
    )
    moved = msgspec.structs.replace(declared, strategy=msgspec.structs.replace(declared.strategy, waves=waves))

    (action,) = decided("otaUpdate", moved, record).plan.actions

    assert isinstance(action, CreateUnit)
    assert action.unit.members == ("device:a",)


def gated(declared: Rollout, **gate: object) -> Rollout:
    strategy = msgspec.structs.replace(declared.strategy, gate=Gate(**gate))  # type: ignore[arg-type]
    return msgspec.structs.replace(declared, strategy=strategy)


def naming(declared: Rollout, *names: str) -> Rollout:
    wave = Wave(name="all", targets=Targets(things=tuple(Device(id=n) for n in names)))
    return msgspec.structs.replace(declared, strategy=msgspec.structs.replace(declared.strategy, waves=(wave,)))


@pytest.mark.parametrize("kind", SHAPES)
def test_where_no_one_had_started_the_whole_wave_follows(kind: str) -> None:
    declared, record = many(kind, judged(*[Reason.CANCELED] * 3))

    assert only(decided(kind, declared, record).plan.actions) == ()


def stopped_by_hand(*devices: str, **changes: object) -> Attempt:
    attempt = judged(Reason.CANCELED, Reason.CANCELED, Reason.CANCELED, **changes)
    results = tuple(msgspec.structs.replace(r, by_hand=r.device in devices) for r in attempt.results)
    return msgspec.structs.replace(attempt, results=results)


@pytest.mark.parametrize("kind", SHAPES)
def test_what_a_person_canceled_does_not_follow_and_the_reason_names_it(kind: str) -> None:
    declared, record = many(kind, stopped_by_hand("b"))

    (action,) = decided(kind, gated(declared, min_success_percent=50), record).plan.actions

    assert isinstance(action, CreateUnit)
    assert action.unit.only == ("device:a", "device:c")
    assert "not b, canceled by hand" in action.reason


def test_a_wave_whose_devices_a_person_canceled_all_is_judged_and_not_sent_again() -> None:
    declared, record = many("otaUpdate", stopped_by_hand("a", "b", "c"))

    result = decided("otaUpdate", declared, record)

    assert result.plan.actions == ()
    assert result.record.phase is Phase.FAILED


def test_the_devices_canceled_before_we_stop_a_unit_are_counted_once() -> None:
    declared, record = many("otaUpdate", made(failures={Reason.CANCELED: 2}), suspend=HELD)
    unit = running(record, failures={Reason.CANCELED: 2})
    found = decided("otaUpdate", declared, record, unit)
    (action,) = found.plan.actions

    once = intend(found.record, action, (), found.seen, {}, NOW)
    (attempt,) = once.attempts
    later = msgspec.structs.replace(attempt, canceled_by_us=True, failures={Reason.CANCELED: 3})
    again = once.with_wave(msgspec.structs.replace(once.waves[0], attempts=(later,)))

    assert attempt.canceled_before == 2
    assert intend(again, action, (), found.seen, {}, NOW).attempts[0].canceled_before == 2


@pytest.mark.parametrize(
    ("ends", "selection", "whole"),
    [((None, Reason.CANCELED, Reason.CANCELED), "SNAPSHOT", False), ((Reason.CANCELED,) * 3, "CONTINUOUS", True)],
)
def test_a_unit_that_serves_for_ever_follows_once_for_those_that_had_not_started(
    ends: tuple[Reason | None, ...], selection: str, whole: bool
) -> None:
    declared, record = many("otaUpdate", judged(*ends))
    spec = OtaUpdateConfig(document={"role": "r", "files": [], "targetSelection": "CONTINUOUS"})
    declared = msgspec.structs.replace(declared, backend=spec)
    reported = msgspec.structs.replace(record.attempts[0], generation=declared.generation)
    record = record.with_wave(msgspec.structs.replace(record.waves[0], attempts=(reported,)))

    (action,) = decided("otaUpdate", declared, record).plan.actions

    assert isinstance(action, CreateUnit)
    assert action.unit.only == (() if whole else ("device:b", "device:c"))
    assert isinstance(action.unit.backend, OtaUpdateConfig)
    assert action.unit.backend.document["targetSelection"] == selection


def test_a_second_suspension_leaves_those_it_withdrew() -> None:
    second = judged(number=2, retry_targets=("device:b", "device:c"))
    results = (
        DeviceResult(device="b", outcome=Outcome.SUCCEEDED),
        DeviceResult(device="c", outcome=Outcome.FAILED, reason=Reason.CANCELED),
    )
    second = msgspec.structs.replace(second, results=results)
    declared, record = many("otaUpdate", judged(None, Reason.CANCELED, Reason.CANCELED), second)

    result = decided("otaUpdate", declared, record)

    assert only(result.plan.actions) == ("device:c",)
    assert result.record.waves[0].verdict is None


def test_a_withdrawal_that_found_everybody_at_it_is_judged() -> None:
    declared, record = many("otaUpdate", judged(None, None, None))

    result = decided("otaUpdate", declared, record)

    assert result.plan.actions == ()
    verdict = result.record.waves[0].verdict
    assert verdict is not None
    assert verdict.passed


def test_devices_that_had_started_end_before_the_others_follow() -> None:
    declared, record = many("otaUpdate", made(canceled_by_us=True, withdrawn=True))

    result = decided("otaUpdate", declared, record, running(record, stopping=True, canceled_by_us=True, withdrawn=True))

    assert result.plan.actions == ()
    (hold,) = result.plan.holds
    assert hold.reason == "withdrawn_devices_wait"
    assert "aws iot cancel-job --job-id AFR_OTA-v-1 --force" in hold.message


@pytest.mark.parametrize("stage", [Stage.SUPERSEDED, Stage.LOST])
def test_a_retry_that_was_withdrawn_or_lost_is_made_again_for_its_devices_alone(stage: Stage) -> None:
    declared = rollout()
    unit = unit_of(declared, vendor_id="t-1")
    record = record_of(declared, unit, stage, retry_targets=("device:x",), try_number=2, missing_since=None)

    facts = (TargetFacts(key="device:x", exists=True, vendor_id="x"),)

    (action,) = look(declared, record, seen(targets=facts)).plan.actions

    assert isinstance(action, CreateUnit)
    assert (action.unit.only, action.unit.members, action.unit.tries) == (("device:x",), ("device:x",), 2)


@pytest.mark.parametrize(
    ("stage", "command"),
    [(Stage.RUNNING, "aws iot cancel-job --job-id AFR_OTA-v-1 "), (Stage.ENDED, "aws iot delete-ota-update --ota-up")],
)
def test_an_update_that_has_ended_is_reported_with_the_command_that_deletes_it(stage: Stage, command: str) -> None:
    assert suspend.end_of(made(stage=stage), SHAPES["otaUpdate"][0].capabilities).startswith(command)


def test_only_a_session_deleted_before_its_start_counts_as_never_sent() -> None:
    attempt = made(stage=Stage.SCHEDULED, start_at=LATER)

    assert not attempt.deleted("suspended", NOW).was_sent
    assert attempt.deleted("superseded", LATER).was_sent


@pytest.mark.parametrize("ending", [{"suspend": HELD}, {"abort": Abort(reason="bad batch")}])
def test_a_wave_deleted_before_its_start_goes_on_with_the_targets_declared_then(ending: dict[str, object]) -> None:
    def declared(*groups: str, **changes: object) -> Rollout:
        wave = Wave(name="canary", targets=Targets(multicast_groups=groups))
        return rollout(strategy=Strategy(waves=(wave,)), **changes)

    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, declared("g1", "g2"))
    run(cloud, journal, declared("g1", "g2", **ending))
    assert cloud.tasks == {}

    run(cloud, journal, declared("g1"))

    assert [task.members for task in cloud.tasks.values()] == [("group:g1",)]


OTA, FUOTA = SHAPES["otaUpdate"][0].capabilities, Cloud.capabilities


@pytest.mark.parametrize(
    ("can", "stage", "start", "finish", "said"),
    [
        (FUOTA, Stage.SCHEDULED, LATER, False, "a reconcile before that deletes it"),
        (FUOTA, Stage.SCHEDULED, LATER, True, "is to start at 2026-03-01T12:20:00Z and will finish"),
        (FUOTA, Stage.RUNNING, BEFORE, False, "has been on air since 2026-03-01T11:40:00Z and will finish"),
        (OTA, Stage.RUNNING, BEFORE, False, "starts no further devices"),
        (OTA, Stage.RUNNING, BEFORE, True, "has been running since 2026-03-01T11:40:00Z and will finish"),
        (OTA, Stage.RUNNING, None, True, "runs and will finish"),
    ],
)
def test_the_journal_says_what_a_suspension_withdraws_and_what_goes_on(
    can: Capabilities, stage: Stage, start: datetime | None, finish: bool, said: str
) -> None:
    _, record = many("otaUpdate", made(stage=stage, start_at=start))

    (line,) = suspend.goes_on(record, finish, NOW, can)

    assert said in line


@pytest.mark.parametrize("stage", [Stage.DECLARED, Stage.OPEN, Stage.ENDED, Stage.DELETED])
def test_what_is_not_with_its_devices_does_not_go_on(stage: Stage) -> None:
    _, record = many("otaUpdate", made(stage=stage))

    assert suspend.goes_on(record, False, NOW, OTA) == ()
