"""Devices that report the version are spared, whatever their service, and the wave is judged over them all the same."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.backends.aws.device_versions import VersionReader
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.definition import OtaShape
from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.definition import TuyaShape
from otactl.model import (
    Attempt,
    Device,
    DeviceResult,
    Gate,
    Outcome,
    Reason,
    Record,
    Retry,
    Rollout,
    Stage,
    Strategy,
    TargetFacts,
    Targets,
    UnitPhase,
    VersionConfirm,
    VersionProof,
    Wave,
    WaveRecord,
)
from otactl.model.actions import AddMembers, CreateUnit, DeleteUnit, RemoveMembers, StartUnit, name_of
from otactl.planning.assess import assess, intended
from otactl.ports import Shape
from otactl.verdicts.updated_devices import with_spared
from otactl.verdicts.wave_verdict import judgement
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, empty, record_of, rollout, seen, unit_of

OTA = OtaUpdateConfig(document={"role": "arn:aws:iam::123456789012:role/ota", "files": [{"fileName": "/u"}]})
TUYA = TuyaConfig(document={"productKey": "p"})
SHAPES: dict[str, Shape] = {"fuota": SHAPE, "otaUpdate": OtaShape(ENVIRONMENT), "tuya": TuyaShape()}
CONFIRM = VersionConfirm(version=VersionProof(shadow="reported.v"))
NAMES = ("d1", "d2", "d3")


def declared(kind: str = "fuota", **strategy: object) -> Rollout:
    devices = tuple(Device(id=d) for d in NAMES)
    field = {"fuota": "wireless_devices", "otaUpdate": "things", "tuya": "devices"}[kind]
    wave = Wave(name="canary", targets=msgspec.structs.replace(Targets(), **{field: devices}))
    made = rollout(strategy=Strategy(waves=(wave,), confirm=CONFIRM, **strategy))
    spec = {"fuota": made.backend, "otaUpdate": OTA, "tuya": TUYA}[kind]
    return msgspec.structs.replace(made, backend=spec)


def facts(*updated: str) -> tuple[TargetFacts, ...]:
    return tuple(TargetFacts(key=f"device:{d}", exists=True, vendor_id=d, updated=d in updated) for d in NAMES)


def look(at: Rollout, record: Record, observed):
    devices = tuple(t.vendor_id for t in observed.targets)
    observed = msgspec.structs.replace(observed, devices=devices)
    return assess(ENVIRONMENT, at, record, observed, SHAPES[at.backend_kind], (), NOW)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_wave_of_devices_that_all_report_the_version_passes_without_a_unit(kind: str) -> None:
    at = declared(kind)

    found = look(at, empty(at), seen(targets=facts(*NAMES)))

    assert found.plan.actions == ()
    assert found.record.waves[0].released
    assert {r.detail for a in found.record.attempts for r in a.results} == {"had it already"}
    assert "wave canary has nothing to do: its 3 devices have 2.4.1 already" in [e.message for e in found.events]


@pytest.mark.parametrize(("kind", "members"), [("fuota", ("d2", "d3")), ("otaUpdate", ("d2", "d3")), ("tuya", NAMES)])
def test_a_unit_is_made_without_the_devices_that_report_the_version(kind: str, members: tuple[str, ...]) -> None:
    at = declared(kind)

    found = look(at, empty(at), seen(targets=facts("d1")))

    (action,) = found.plan.actions
    assert isinstance(action, CreateUnit)
    assert action.unit.members == tuple(f"device:{d}" for d in members)  # Tuya's backend leaves it out of the request
    assert action.unit.whole == tuple(f"device:{d}" for d in NAMES)
    record = intended(found, [(action, ())], SHAPES[kind], NOW)
    assert record.waves[0].members == (action.unit.whole if kind != "fuota" else ())  # frozen by the start
    assert record.attempts[0].skipped_devices == ({"d1": "device:d1"} if kind == "otaUpdate" else {})


def test_a_device_that_reports_the_version_leaves_an_open_unit_before_its_start() -> None:
    at = declared()
    unit = msgspec.structs.replace(unit_of(at), members=tuple(f"device:{d}" for d in NAMES))
    record = record_of(at, unit, Stage.OPEN, targets=unit.members)

    taken = look(at, record, seen(unit, targets=facts("d1")))
    out = msgspec.structs.replace(unit, members=("device:d2", "device:d3"))
    started = look(at, record, seen(out, targets=facts("d1")))

    assert [name_of(a) for a in taken.plan.actions] == ["removeMembers"]
    assert isinstance(taken.plan.actions[0], RemoveMembers)
    assert "1 that report the version already" in taken.plan.actions[0].reason
    assert taken.plan.findings == ()
    (start,) = started.plan.actions
    assert isinstance(start, StartUnit)
    started = intended(started, [(start, ())], SHAPE, NOW)
    assert (started.attempts[0].devices, started.attempts[0].skipped_devices) == (("d2", "d3"), {"d1": "device:d1"})
    assert started.waves[0].members == start.unit.whole


def test_an_open_unit_that_no_one_is_left_for_goes_and_its_wave_passes() -> None:
    at = declared()
    unit = msgspec.structs.replace(unit_of(at), members=())
    record = record_of(at, unit, Stage.OPEN)

    going = look(at, record, seen(unit, targets=facts(*NAMES)))
    (action,) = going.plan.actions
    assert isinstance(action, DeleteUnit)

    for stage in (Stage.SUPERSEDED, Stage.LOST):  # by us, or by someone before its start
        gone = look(at, record_of(at, unit, stage), seen(targets=facts(*NAMES)))
        assert gone.record.waves[0].released


def test_devices_that_an_attempt_spared_count_as_updated_when_it_ends_and_while_it_runs() -> None:
    took = DeviceResult(device="d2", outcome=Outcome.SUCCEEDED)
    started = Attempt(number=1, generation="g", unit_id="u", devices=("d2",), skipped_devices={"d1": "device:d1"})

    assert [(r.device, r.outcome.value, r.detail) for r in with_spared((took,), started)] == [
        ("d1", "succeeded", "had it already"),
        ("d2", "succeeded", ""),
    ]

    at = declared()
    unit = unit_of(at, phase=UnitPhase.ENDED, members=("device:d2", "device:d3"), results=(took,))
    record = record_of(at, unit, Stage.RUNNING, start_at=NOW - timedelta(hours=1), skipped_devices={"d1": "device:d1"})
    ended = look(at, record, seen(unit, targets=()))
    assert [r.device for a in ended.record.attempts for r in a.results] == ["d1", "d2"]
    assert not [f for f in ended.plan.findings if f.field.startswith("members.")]

    waved = declared(gate=Gate(min_success_percent=60, silence_after="1h"))
    lost = msgspec.structs.replace(started, generation=waved.generation, stage=Stage.RUNNING, start_at=NOW)
    lost = msgspec.structs.replace(
        lost, tally={Outcome.FAILED: 1}, skipped_devices={"d1": "device:d1", "d3": "device:d3"}
    )
    known = WaveRecord(name="canary", attempts=(lost,))
    found, counted = judgement(known, waved.strategy.waves[0], waved, NOW + timedelta(hours=2)) or (None, None)
    assert found is not None
    assert counted is not None
    assert (found.state.value, counted.succeeded, counted.total) == ("passed", 2, 3)


def test_a_retry_is_not_made_for_devices_that_report_the_version_meanwhile() -> None:
    at = declared(retry=Retry(attempts=2, on=("timeout",)))
    silent = DeviceResult(device="d1", outcome=Outcome.FAILED, reason=Reason.TIMEOUT)
    good = tuple(DeviceResult(device=d, outcome=Outcome.SUCCEEDED) for d in ("d2", "d3"))
    unit = unit_of(at)
    attempt = Attempt(
        number=1,
        generation=at.generation,
        unit_id=unit.unit_id,
        stage=Stage.DELETED,
        vendor_id="v",
        ended_at=NOW,
        start_at=NOW,
        members=unit.members,
        results=(silent, *good),
    )
    waves = (WaveRecord(name="canary", members=unit.members, attempts=(attempt,)),)
    record = Record(backend="fuota", environment="prod-eu", name="probe", generation=at.generation, waves=waves)

    found = look(at, record, seen(targets=facts("d1")[:1]))

    assert found.plan.actions == ()
    assert found.record.waves[0].verdict is not None
    assert (found.record.waves[0].verdict.succeeded, found.record.waves[0].members) == (3, unit.members)


GROUP = TargetFacts(key="group:g1", exists=True, vendor_id="g1", requested=3, ready=3, members=NAMES)


class Reports(VersionReader):
    """Devices that report their versions from memory; `asked` are those that were looked at."""

    def __init__(self, **versions: str) -> None:
        self.versions, self.asked = versions, []

    def reported(self, things, proof, version):
        self.asked += things
        return {t: self.versions.get(t) for t in things}

    def _indexed(self, query):
        return iter(d for d, v in self.versions.items() if v == query.rpartition(":")[2])


@pytest.mark.parametrize(
    ("versions", "updated", "had"),
    [
        ({"d1": "2.4.1", "d2": "2.4.1", "d3": "2.4.1"}, True, NAMES),
        ({"d1": "2.4.1", "d3": "2.4.1"}, False, ("d1", "d3")),
        ({"d1": "2.4.1", "d2": "2.4.1", "d3": "v2.4.1"}, False, ("d1", "d2")),
        ({}, False, ()),
    ],
)
@pytest.mark.parametrize("proof", [VersionProof(shadow="r.v"), VersionProof(index_query="v:2.4.1")])
def test_a_group_is_updated_when_each_of_its_devices_reports_the_very_version(
    versions: dict[str, str], updated: bool, had: tuple[str, ...], proof: VersionProof
) -> None:
    at = declared()
    at = msgspec.structs.replace(
        at, strategy=msgspec.structs.replace(at.strategy, confirm=VersionConfirm(version=proof))
    )

    (shown,) = Reports(**versions).before_start((GROUP,), at, lambda d: d)

    assert (shown.updated, shown.updated_members) == (updated, had)


@pytest.mark.parametrize(("allowed", "asked"), [(True, 20), (False, 500)])
def test_of_a_group_in_which_one_device_has_it_not_only_some_are_looked_at_where_it_may_go_back(
    allowed: bool, asked: int
) -> None:
    many = msgspec.structs.replace(GROUP, members=tuple(f"d{n:03}" for n in range(500)))
    reader = Reports()

    reader.before_start((many,), declared(allow_downgrade=allowed), lambda d: d)

    assert len(reader.asked) == asked


@pytest.mark.parametrize(
    "proof", [VersionProof(index_query="v:2.4.0"), None], ids=["a query for another version", "no proof"]
)
def test_nothing_is_taken_for_updated_where_nothing_tells_the_declared_version(proof: VersionProof | None) -> None:
    at = declared()
    confirm = VersionConfirm(version=proof) if proof is not None else "transfer"
    at = msgspec.structs.replace(at, strategy=msgspec.structs.replace(at.strategy, confirm=confirm))

    assert Reports(d1="2.4.0").before_start(facts(), at, lambda d: d) == facts()


def test_a_group_in_which_some_have_it_is_sent_to_whole_and_the_plan_says_so() -> None:
    wave = Wave(name="canary", targets=Targets(multicast_groups=("g1",)))
    at = rollout(strategy=Strategy(waves=(wave,), confirm=CONFIRM))

    found = look(at, empty(at), seen(targets=(msgspec.structs.replace(GROUP, updated_members=("d1",)),)))

    (action,) = found.plan.actions
    assert isinstance(action, CreateUnit)
    assert "of group g1 1 report 2.4.1 already (d1) and get it again" in action.reason


def test_members_that_report_the_version_are_never_put_into_a_unit() -> None:
    at = declared()
    unit = msgspec.structs.replace(unit_of(at), members=())

    (action,) = look(at, record_of(at, unit, Stage.OPEN), seen(unit, targets=facts("d2"))).plan.actions

    assert isinstance(action, AddMembers)
    assert action.members == ("device:d1", "device:d3")
