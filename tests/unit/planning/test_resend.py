"""A create whose answer was lost is sent again where its service deduplicates it and what it starts may still start."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from otactl.model import (
    Baseline,
    Device,
    DeviceResult,
    Intent,
    Observation,
    Outcome,
    Reason,
    Record,
    RecordedCall,
    Requires,
    Rollout,
    Stage,
    Strategy,
    TargetFacts,
    Targets,
    Wave,
    Window,
)
from otactl.model.actions import ResendCreate
from otactl.planning.context import PlanContext
from otactl.planning.planner import plan
from otactl.planning.resend import lost_create, resend
from otactl.planning.wave_context import of_rollout
from tests.support.attempts import NAMES, SHAPES, made, many
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, FACTS_ROLE, NOW, SHAPE, empty, of_wave, rollout, seen

SENT = NOW - timedelta(minutes=5)
NOT_CREATED = {"stage": Stage.DECLARED, "vendor_id": None, "start_at": None}
CALL = RecordedCall(service="iot", operation="CreateOTAUpdate", parameters={"otaUpdateId": "n"})
NIGHT_ONLY = Window(kind="allow", schedule="0 22 * * *", duration="1h", time_zone="UTC")
FACTS = tuple(TargetFacts(key=f"device:{n}", exists=True, vendor_id=n) for n in NAMES)


def pending(unit_id: str, action: str = "createUnit", **changes: Any) -> Intent:
    """A call whose outcome is not known, which starts the unit."""
    sent = Intent(action=action, unit_id=unit_id, key=f"createUnit/{unit_id}", call=CALL, at=SENT, start_at=SENT)
    return replace(sent, **changes)


def situation(declared: Rollout, record: Record, **changes: Any) -> PlanContext:
    """Three devices that are well, and an attempt whose create was sent and not heard of."""
    shown = Observation(targets=FACTS, image=FACTS_IMAGE, role=FACTS_ROLE)
    shown = replace(shown, **changes.pop("seen", {}))
    given = {"rollout": declared, "environment": ENVIRONMENT, "record": record, "seen": shown, "now": NOW}
    return PlanContext(**(given | changes))


def sent_again(kind: str, at: PlanContext) -> list[ResendCreate]:
    found = resend(of_rollout(at, SHAPES[kind][0]))
    return [action for action in found if isinstance(action, ResendCreate)]


def lost(*attempts: dict[str, Any], kind: str = "otaUpdate", **intent: Any) -> tuple[Rollout, Record]:
    """A rollout whose newest attempt is recorded, and pending."""
    given = [made(n, **each) for n, each in enumerate(attempts or (NOT_CREATED,), start=1)]
    declared, record = many(kind, *given)
    return declared, replace(record, intents=(pending(record.attempts[-1].unit_id, **intent),))


def test_it_is_sent_identical_with_the_start_it_was_sent_with() -> None:
    declared, record = lost()

    (action,) = sent_again("otaUpdate", situation(declared, record))

    assert (action.call, action.start_at, action.unit.unit_id) == (CALL, SENT, record.attempts[0].unit_id)
    assert action.unit.members == ("device:a", "device:b", "device:c")
    assert "2026-03-01T11:55:00Z was lost" in action.reason


@pytest.mark.parametrize(
    ("kind", "action", "again"),
    [
        ("otaUpdate", "createUnit", 1),
        ("otaUpdate", "resendCreate", 1),
        ("otaUpdate", "deleteUnit", 0),
        ("otaUpdate", "updateUnit", 0),
        ("tuya", "createUnit", 0),  # it would create a second batch
    ],
)
def test_only_a_create_that_its_service_deduplicates_is_sent_again(kind: str, action: str, again: int) -> None:
    declared, record = lost(kind=kind, action=action)

    assert len(sent_again(kind, situation(declared, record))) == again


def test_an_attempt_without_a_pending_create_is_not_sent_again() -> None:
    declared, record = lost({"stage": Stage.SUPERSEDED}, NOT_CREATED)

    found = sent_again("otaUpdate", situation(declared, record))

    assert [action.unit.unit_id for action in found] == [record.attempts[1].unit_id]


def with_wave(declared: Rollout, **changes: Any) -> Rollout:
    """The rollout with its only wave changed."""
    (wave,) = declared.strategy.waves
    return replace(declared, strategy=Strategy(waves=(replace(wave, **changes),)))


FEWER = Targets(things=(Device(id="a"), Device(id="b")))
BUSY = {"device:b": "unit-of-another-rollout"}
CHANGED = replace(FACTS_IMAGE, sha256=None, fingerprint="version=2")


@pytest.mark.parametrize(
    ("rollout_changes", "wave_changes", "situation_changes"),
    [
        ({"firmware": replace(rollout().firmware, version="2.4.2")}, {}, {}),
        ({}, {"targets": FEWER}, {}),
        ({}, {"requires": Requires(approval="owners")}, {}),
        ({"windows": (NIGHT_ONLY,)}, {}, {}),
        ({}, {}, {"environment": replace(ENVIRONMENT, freezes=(replace(NIGHT_ONLY, schedule="0 12 * * *"),))}),
        ({}, {}, {"seen": {"image": replace(FACTS_IMAGE, exists=False)}}),
        ({}, {}, {"seen": {"image": CHANGED}}),
        ({}, {}, {"seen": {"role": replace(FACTS_ROLE, trusts="no")}}),
        ({}, {}, {"seen": {"targets": FACTS[:2]}}),
        ({}, {}, {"seen": {"targets": (*FACTS[:2], replace(FACTS[2], busy_with="job 7"))}}),
        ({}, {}, {"busy": BUSY}),
    ],
    ids=[
        "another revision is declared",
        "a device was removed from the manifest",
        "an approval is required now",
        "no window is open",
        "a freeze is on",
        "the image is missing",
        "the digest of the image cannot be read",
        "the role does not trust the service",
        "a device was not checked",
        "a device has other work",
        "another rollout holds a device",
    ],
)
def test_one_that_starts_is_not_sent_again_while_what_it_starts_may_not_start(
    rollout_changes: dict[str, Any], wave_changes: dict[str, Any], situation_changes: dict[str, Any]
) -> None:
    declared, record = lost()
    now = with_wave(replace(declared, **rollout_changes), **wave_changes) if wave_changes else declared
    now = replace(now, **rollout_changes)

    assert sent_again("otaUpdate", situation(now, record, **situation_changes)) == []


def test_one_that_only_creates_is_sent_again_whatever_forbids_its_start() -> None:
    declared, record = lost(start_at=None)
    closed = replace(declared, windows=(NIGHT_ONLY,))

    (action,) = sent_again("otaUpdate", situation(closed, record, busy=BUSY))

    assert action.start_at is None


@pytest.mark.parametrize(
    ("fingerprint", "reached", "again"),
    [
        ("version=1", True, 1),
        ("version=2", True, 0),  # the wave was started with other bytes
        ("version=2", False, 1),  # nothing was started with them
    ],
)
def test_the_image_and_role_are_those_that_the_wave_was_started_with(
    fingerprint: str, reached: bool, again: int
) -> None:
    ended = {"stage": Stage.ENDED, "ended_at": SENT, "results": FAILED, "start_at": SENT if reached else None}
    first = ended if reached else {"stage": Stage.SUPERSEDED, "start_at": None}
    declared, record = lost(first, NOT_CREATED)
    (wave,) = record.waves
    record = replace(record, waves=(replace(wave, baseline=Baseline(role=fingerprint)),))
    role = replace(FACTS_ROLE, fingerprint="version=1")

    assert len(sent_again("otaUpdate", situation(declared, record, seen={"role": role}))) == again


FAILED = tuple(DeviceResult(device=n, outcome=Outcome.FAILED, reason=Reason.DOWNLOAD) for n in NAMES)


@pytest.mark.parametrize(
    ("only", "declared_now", "again"),
    [
        (("device:a", "device:b"), ("a", "b", "c"), 1),
        (("device:a", "device:b"), ("a", "b"), 1),  # what else the wave has changes no retry
        (("device:a", "device:c"), ("a", "b"), 0),
    ],
)
def test_a_retry_is_sent_again_while_each_of_its_devices_is_declared(
    only: tuple[str, ...], declared_now: tuple[str, ...], again: int
) -> None:
    first = {"stage": Stage.ENDED, "ended_at": SENT, "results": FAILED}
    declared, record = lost(first, NOT_CREATED | {"retry_targets": only, "try_number": 2})
    now = with_wave(declared, targets=Targets(things=tuple(Device(id=n) for n in declared_now)))

    found = sent_again("otaUpdate", situation(now, record))

    assert [action.unit.members for action in found] == [only] * again


def test_the_create_of_any_wave_is_sent_again() -> None:
    declared, record = lost()
    before = Wave(name="canary", targets=Targets(things=(Device(id="z"),)))
    both = replace(declared, strategy=Strategy(waves=(before, *declared.strategy.waves)))

    assert len(sent_again("otaUpdate", situation(both, record))) == 1


@pytest.mark.parametrize(
    ("stage", "action", "found"),
    [
        (Stage.DECLARED, "createUnit", True),
        (Stage.RUNNING, "resendCreate", True),  # a part of it
        (Stage.RUNNING, "cancelUnit", False),
        (Stage.ENDED, "createUnit", False),
        (Stage.SUPERSEDED, "createUnit", False),
        (Stage.LOST, "createUnit", False),
    ],
)
def test_a_create_is_waited_for_while_its_attempt_is_live(stage: Stage, action: str, found: bool) -> None:
    declared, record = lost(NOT_CREATED | {"stage": stage}, action=action, kind="tuya")
    ctx = of_wave(situation(declared, record), shape=SHAPES["tuya"][0])

    assert lost_create(ctx) == (record.attempts[0] if found else None)


def test_no_create_is_waited_for_before_a_wave_has_an_attempt() -> None:
    declared = rollout()
    record = replace(empty(declared), intents=(pending("another-unit"),))
    at = PlanContext(rollout=declared, environment=ENVIRONMENT, record=record, seen=seen(), now=NOW)

    assert lost_create(of_wave(at)) is None
    assert plan(of_rollout(at, SHAPE)).holds == ()
