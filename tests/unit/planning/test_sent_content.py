"""What devices were sent last decides, not the name of the rollout that sent it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.drift.unit_home import beside
from otactl.model import (
    Attempt,
    Device,
    DeviceResult,
    Firmware,
    Home,
    Intent,
    Observation,
    Outcome,
    Reason,
    Record,
    RecordedCall,
    Rollout,
    Stage,
    Strategy,
    TargetFacts,
    Targets,
    Wave,
    WaveRecord,
)
from otactl.model.actions import name_of
from otactl.planning.assess import assess, intended
from otactl.planning.membership import approval_digest
from otactl.planning.sent_content import SentContents
from tests.support.builders import ENVIRONMENT, NOW, SHA, SHAPE, empty, rollout, seen

OTHER = "ee" * 32
EUI = "70b3d57ed0000001"
TOOK = DeviceResult(device="d-1", name=EUI, outcome=Outcome.SUCCEEDED)
MISSED = DeviceResult(device="d-1", name=EUI, outcome=Outcome.FAILED, reason=Reason.MISSING_FRAGMENTS)
SPARED = DeviceResult(device="d-1", name=EUI, outcome=Outcome.FAILED, reason=Reason.CANCELED)


def declared(*devices: Device, groups: tuple[str, ...] = (), name: str = "new", **changes: object) -> Rollout:
    wave = Wave(name="all", targets=Targets(wireless_devices=devices, multicast_groups=groups))
    return msgspec.structs.replace(rollout(name=name), strategy=Strategy(waves=(wave,)), **changes)


def sent(name: str, *results: DeviceResult, hours: int = 2, content: str = SHA, **changes: object) -> Record:
    """The record of a rollout that sent a content to d-1."""
    attempt = Attempt(
        number=1,
        generation="g",
        unit_id=f"{name}-all-1",
        stage=Stage.ENDED,
        image_sha256=content,
        results=results,
        members=("device:d-1",),
        devices=("d-1",),
        start_at=NOW - timedelta(hours=hours),
        start_sent_at=NOW - timedelta(hours=hours),
    )
    attempt = msgspec.structs.replace(attempt, **changes)
    return Record(
        backend="fuota", environment="prod-eu", name=name, waves=(WaveRecord(name="all", attempts=(attempt,)),)
    )


def found(at: Rollout) -> tuple[TargetFacts, ...]:
    """The single devices as their service shows them; of groups nothing is known yet."""
    keys = at.strategy.waves[0].targets.keys
    ids = {key: "d-1" if key.startswith("devEui:") else key.removeprefix("device:") for key in keys}
    singles = (k for k in keys if not k.startswith("group:"))
    groups = (TargetFacts(key=k, exists=True, requested=2, ready=2) for k in keys if k.startswith("group:"))
    return (*(TargetFacts(key=k, exists=True, vendor_id=ids[k]) for k in singles), *groups)


def look(at: Rollout, *records: Record, shown: Observation | None = None):
    others = SentContents({r.name: r for r in records})
    observed = shown if shown is not None else seen(targets=found(at))
    own = next((r for r in records if r.name == at.name), empty(at))
    return assess(ENVIRONMENT, at, own, observed, SHAPE, (), NOW, None, others)


def held(at: Rollout, *records: Record, shown: Observation | None = None) -> bool:
    decided = look(at, *records, shown=shown).plan
    assert bool(decided.actions) != bool(decided.holds)
    return [h.reason for h in decided.holds] == ["content_was_sent_already"]


D1 = Device(id="d-1")


@pytest.mark.parametrize(
    ("at", "records", "is_held"),
    [
        (declared(D1), [sent("old", TOOK)], True),
        (declared(D1), [sent("old", MISSED)], True),
        (declared(D1), [sent("old")], True),
        (declared(D1), [sent("old", SPARED)], False),
        (declared(D1), [sent("old", content=OTHER)], False),
        (declared(D1), [sent("old", TOOK), sent("since", content=OTHER, hours=1)], False),
        (declared(D1), [sent("since", TOOK, hours=1), sent("old", content=OTHER)], True),
        (declared(D1, resend=True), [sent("old", TOOK)], False),
        (declared(Device(id="d-2")), [sent("old", TOOK)], False),
        (declared(Device(dev_eui=EUI)), [sent("old", TOOK)], True),
        (declared(D1), [sent("old", members=(f"devEui:{EUI}",), devices=()), sent("before", MISSED, hours=9)], True),
        (declared(D1), [msgspec.structs.replace(sent("old", TOOK), backend="otaUpdate")], False),
        (declared(D1), [sent("old", stage=Stage.SUPERSEDED, start_at=None)], False),
        (declared(D1), [sent("old", stage=Stage.SUPERSEDED)], True),
        (declared(D1), [sent("old", start_at=None, start_sent_at=None, stage=Stage.OPEN)], False),
        (declared(groups=("g1",)), [sent("old", members=("group:g1",), devices=())], True),
        (declared(groups=("g1",)), [sent("old", members=("group:g2",), devices=())], False),
    ],
    ids=[
        "it took it",
        "it missed some of it",
        "it gave no answer",
        "it was canceled before it began",
        "other content",
        "other content since",
        "this content since",
        "it is to be sent again",
        "another device",
        "by its DevEUI",
        "sent by its DevEUI",
        "a device of another service",
        "deleted before its start",
        "deleted at its start",
        "never started",
        "the group",
        "another group",
    ],
)
def test_a_rollout_is_held_where_another_one_sent_its_content_to_its_devices_last(
    at: Rollout, records: list[Record], is_held: bool
) -> None:
    assert held(at, *records) is is_held


@pytest.mark.parametrize(("other_at", "is_held"), [(timedelta(hours=3), True), (timedelta(hours=1), False)])
def test_a_start_without_an_answer_counts_as_sent_since_it_was_asked_for(other_at: timedelta, is_held: bool) -> None:
    call = RecordedCall(service="iotwireless", operation="StartFuotaTask", parameters={})
    asked_at = NOW - timedelta(hours=2)
    start = Intent(action="startUnit", unit_id="old-all-1", key="k", call=call, at=asked_at, start_at=asked_at)
    old = sent("old", start_at=None, start_sent_at=None, stage=Stage.OPEN)
    other = sent("other", content=OTHER, start_at=NOW - other_at, start_sent_at=NOW - other_at)

    assert held(declared(D1), msgspec.structs.replace(old, intents=(start,)), other) is is_held


def test_what_was_sent_before_contents_were_recorded_is_known_by_its_generation() -> None:
    at = declared(D1)

    assert held(at, sent("old", TOOK, content="", generation=at.generation))
    assert not held(at, sent("old", TOOK, content=""))


def test_the_hold_tells_which_unit_sent_it_when_who_has_it_and_the_two_ways_on() -> None:
    (hold,) = look(declared(D1, Device(id="d-2")), sent("old", TOOK)).plan.holds

    assert hold.stalled
    for said in (
        "rollout old sent this content last to 1 of the 2 targets of wave all (d-1): old-all-1 at 2026-03-01T10:00:00Z",
        "1 have it already (d-1)",
        "metadata.renamedFrom: old",
        "strategy.resend: true",
    ):
        assert said in hold.message


@pytest.mark.parametrize("inside", [("d-1", "d-2"), ("d-2",)])
def test_a_group_counts_by_the_devices_that_are_in_it(inside: tuple[str, ...]) -> None:
    facts = TargetFacts(key="group:g1", exists=True, vendor_id="g1", requested=2, ready=2, members=inside)

    assert held(declared(groups=("g1",)), sent("old", TOOK), shown=seen(targets=(facts,))) is ("d-1" in inside)


def test_what_the_rollout_sent_itself_is_for_its_own_waves_to_judge() -> None:
    at = declared(D1)
    own = msgspec.structs.replace(sent("new", TOOK, generation=at.generation), generation=at.generation)

    decided = look(at, own, sent("old", content=OTHER, hours=9)).plan

    assert "content_was_sent_already" not in [h.reason for h in decided.holds]


def test_an_approval_given_before_stays_good_until_the_content_is_to_be_sent_again() -> None:
    at = declared(D1)
    wave = at.strategy.waves[0]
    renamed = msgspec.structs.replace(at, renamed_from="old")

    assert approval_digest(renamed, wave) == approval_digest(at, wave)
    assert approval_digest(msgspec.structs.replace(at, resend=True), wave) != approval_digest(at, wave)
    assert msgspec.structs.replace(renamed, resend=True).generation == at.generation


@pytest.mark.parametrize(
    ("own", "there", "is_held"),
    [
        ([], {}, True),
        ([], {"content": OTHER}, False),
        ([sent("old", content=OTHER, hours=9)], {}, True),
        ([sent("old", content=OTHER)], {"hours": 9}, False),
        ([sent("old", TOOK, hours=9)], {"content": OTHER}, True),
    ],
    ids=["nothing of ours", "other content", "after ours", "before ours", "ours was this, theirs another"],
)
def test_what_another_environment_in_the_same_place_sent_since_counts(own, there, is_held) -> None:
    at = declared(D1)
    theirs = msgspec.structs.replace(sent("new", TOOK, **there), environment="staging")

    decided = assess(
        ENVIRONMENT,
        at,
        empty(at),
        seen(targets=found(at)),
        SHAPE,
        (),
        NOW,
        None,
        SentContents({r.name: r for r in own}, (theirs,)),
    ).plan

    assert [h.reason for h in decided.holds] == (["content_was_sent_already"] if is_held else [])
    if is_held and not any("old sent" in h.message for h in decided.holds):
        assert "rollout new of environment staging sent this content last" in decided.holds[0].message
        assert "renamedFrom" not in decided.holds[0].message


def test_records_of_other_environments_count_only_where_they_are_in_the_same_account_and_region() -> None:
    here, abroad = (Home(account="123456789012", region=r, owner="acme") for r in ("eu-west-1", "us-east-1"))
    records = [
        msgspec.structs.replace(sent(name), environment=environment, home=home)
        for name, environment, home in (
            ("a", "prod-eu", here),
            ("b", "staging", here),
            ("c", "staging", abroad),
            ("d", "staging", None),
        )
    ]

    assert [r.name for r in beside(records, ENVIRONMENT)] == ["b"]


def test_a_making_remembers_its_image() -> None:

    at = declared(D1, firmware=Firmware(version="9", image="s3://b/x", sha256=OTHER, size_bytes=6000))
    shown = seen(targets=found(at), image=msgspec.structs.replace(seen().image, sha256=OTHER))  # type: ignore[type-var]
    first = look(at, shown=shown)

    record = intended(first, [(a, ()) for a in first.plan.actions], SHAPE, NOW)

    assert [name_of(a) for a in first.plan.actions] == ["createUnit"]
    assert [a.image_sha256 for a in record.attempts] == [OTHER]


def test_devices_that_an_attempt_reached_alike_share_what_is_known_of_it() -> None:
    second = msgspec.structs.replace(TOOK, device="d-2", name="70b3d57ed0000002")
    third = msgspec.structs.replace(MISSED, device="d-3", name="70b3d57ed0000003")
    contents = SentContents({"old": sent("old", TOOK, second, third)})

    first = contents.last("fuota", "device:d-1")

    assert first is not None
    assert first.took
    assert contents.last("fuota", "device:d-2") is first
    assert contents.last("fuota", f"devEui:{EUI}") is first
    other = contents.last("fuota", "device:d-3")
    assert other is not None
    assert not other.took
