"""Who joined a thing group after its wave passed, who is sent the content then, and who is not."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.model import (
    Attempt,
    Gate,
    Observation,
    Record,
    Rollout,
    Stage,
    Strategy,
    Targets,
    Verdict,
    Wave,
    WaveRecord,
)
from otactl.planning import joined_devices
from otactl.planning.membership import resolved
from otactl.planning.sent_content import SentContents
from tests.support.builders import NOW, rollout

GATE = Gate(max_failures=3)
KEY = "thingGroup:gateways"
EARLIER, LATER = NOW - timedelta(days=2), NOW - timedelta(hours=1)
PASSED = Verdict(passed=True, succeeded=2, failed=0, total=2, needed_percent=90, at=NOW)


def declared(selection: str = "SNAPSHOT") -> Rollout:
    wave = Wave(name="all", targets=Targets(thing_groups=("gateways",)), gate=GATE)
    spec = OtaUpdateConfig(document={"role": "r", "files": [], "targetSelection": selection})
    return rollout(backend=spec, strategy=Strategy(waves=(wave,)))


def passed(of: Rollout, **changes: object) -> Record:
    fields = {
        "number": 1,
        "generation": of.generation,
        "unit_id": "u",
        "vendor_id": "v",
        "stage": Stage.DELETED,
        "annotation_digest": "n",
        "members": (KEY,),
        "devices": ("a", "b"),
        "image_sha256": of.firmware.sha256,
        "start_at": EARLIER,
        "start_sent_at": EARLIER,
        "ended_at": EARLIER,
    }
    attempt = Attempt(**(fields | changes))  # type: ignore[arg-type]
    wave = WaveRecord(
        name="all", members=(KEY,), attempts=(attempt,), verdict=PASSED, verdict_generation=of.generation, released=True
    )
    return Record(environment="prod-eu", name=of.name, backend="otaUpdate", generation=of.generation, waves=(wave,))


def other(content: str, at: object, *devices: str, members: tuple[str, ...] = ()) -> Record:
    attempt = Attempt(
        number=1,
        generation="g2",
        unit_id="u2",
        vendor_id="v2",
        stage=Stage.DELETED,
        image_sha256=content,
        start_at=at,
        start_sent_at=at,
        devices=devices,
        members=members or tuple(f"device:{d}" for d in devices),
    )  # type: ignore[arg-type]
    return Record(
        environment="prod-eu", name="other", backend="otaUpdate", waves=(WaveRecord(name="w", attempts=(attempt,)),)
    )


def joined(of: Rollout, record: Record, *inside: str, beside: Record | None = None) -> Record:
    records = {r.name: r for r in (record, beside) if r is not None}
    return joined_devices.noted(of, record, Observation(inside={KEY: inside}), SentContents(records), NOW)[0]


def test_who_joined_gets_a_wave_with_the_gate_of_the_one_whose_group_it_joined() -> None:
    of = declared()
    record = joined(of, passed(of), "a", "b", "new")

    waves = {w.name: w for w in resolved(of, record).strategy.waves}
    assert {n: w.targets.keys for n, w in waves.items() if w.targets is not None} == {
        "all": (KEY,),
        "top-up": ("device:new",),
    }
    assert waves["top-up"].gate == GATE
    assert [f.field for f in joined_devices.findings(of, record)] == ["devices.joined"]


def test_who_joined_later_still_gets_a_second_one_and_the_first_keeps_its_gate() -> None:
    of = declared()
    record = joined(of, passed(of), "a", "b", "new")
    sent = msgspec.structs.replace(
        passed(of, members=("device:new",), devices=("new",), unit_id="u3").waves[0],
        name="top-up",
        members=("device:new",),
    )
    record = joined(of, record.with_wave(sent), "a", "new", "newer")

    waves = {w.name: w for w in resolved(of, record).strategy.waves}
    assert {n: w.targets.keys for n, w in waves.items() if w.targets is not None} == {
        "all": (KEY,),
        "top-up": ("device:new",),
        "top-up-2": ("device:newer",),
    }
    assert waves["top-up"].gate == GATE


@pytest.mark.parametrize(
    "beside",
    [
        other("ab" * 32, EARLIER - timedelta(days=9), "new"),  # has this content already
        other("cd" * 32, LATER, "new"),  # was sent another one since
        other("cd" * 32, LATER, "x", members=(KEY,)),  # its group is another rollout's by now
    ],
)
def test_no_one_is_sent_again_what_another_rollout_sent_or_what_was_put_over_since(beside: Record) -> None:
    of = declared()

    assert joined(of, passed(of), "a", "new", beside=beside) == passed(of)


def test_who_leaves_before_its_wave_began_is_forgotten() -> None:
    of = declared()
    record = joined(of, passed(of), "a", "b", "new")

    assert joined(of, record, "a", "b") == passed(of)


@pytest.mark.parametrize(
    ("selection", "changes", "looked"),
    [
        ("SNAPSHOT", {}, (KEY,)),
        ("SNAPSHOT", {"devices": ()}, ()),  # no one wrote down who was in
        ("CONTINUOUS", {"stage": Stage.RUNNING}, ()),  # the service serves them
        ("CONTINUOUS", {}, (KEY,)),
    ],
)
def test_groups_are_looked_into_where_joining_devices_get_nothing_and_can_be_distinguished(
    selection: str, changes: dict[str, object], looked: tuple[str, ...]
) -> None:
    of = declared(selection)

    assert joined_devices.groups(of, passed(of, **changes)) == looked


def test_a_group_is_not_looked_into_before_every_wave_has_passed() -> None:
    of = declared()
    record = passed(of)

    waiting = msgspec.structs.replace(record.waves[0], released=False)
    assert joined_devices.groups(of, record.with_wave(waiting)) == ()


def test_no_one_is_sent_what_an_environment_beside_it_sent_in_the_same_place() -> None:
    of = declared()
    beside = msgspec.structs.replace(other("ab" * 32, LATER, "new"), environment="staging")
    sendings = SentContents({"probe": passed(of)}, [beside])

    found, _ = joined_devices.noted(of, passed(of), Observation(inside={KEY: ("a", "new")}), sendings, NOW)

    assert found == passed(of)


def test_a_group_of_a_wave_that_was_never_sent_has_no_one_who_joined() -> None:
    of = declared()
    unsent = Record(environment="prod-eu", name=of.name, backend="otaUpdate", generation=of.generation)
    inside = Observation(inside={KEY: ("a", "c")})

    assert joined_devices.noted(of, unsent, inside, SentContents({of.name: unsent}), NOW) == (unsent, ())
