"""Which devices are in which wave, where one list is divided by percent."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.model import (
    Approval,
    Attempt,
    Device,
    Gate,
    Ignore,
    Record,
    Rollout,
    Stage,
    Strategy,
    Suspend,
    Targets,
    Wave,
    WaveRecord,
)
from otactl.model import DriftPolicy as Drift
from otactl.planning.membership import approval_digest, resolved
from otactl.planning.units import declare
from tests.support.builders import ENVIRONMENT, NOW, rollout

EMPTY = Record(backend="fuota", environment="prod-eu", name="probe")


def fleet(number: int, **labels: dict[str, str]) -> tuple[Device, ...]:
    names = [f"d{n:03}" for n in range(number)]
    return tuple(Device(id=n, labels=labels.get(n, {})) for n in names)


def divided(number: int, *percents: float, waves: tuple[Wave, ...] = (), **labels: dict[str, str]) -> Rollout:
    named = waves or tuple(Wave(name=f"w{n}", percent=p) for n, p in enumerate(percents))
    return rollout(targets=Targets(things=fleet(number, **labels)), strategy=Strategy(waves=named))


def members(of: Rollout, record: Record = EMPTY) -> dict[str, tuple[str, ...]]:
    found = resolved(of, record)
    return {w.name: found.targets_of(w).keys for w in found.strategy.waves}


def started(of: Rollout, *names: str, record: Record = EMPTY) -> Record:
    """The record after waves began with the members they have now."""
    now = members(of, record)
    attempt = Attempt(
        number=1, generation=of.generation, unit_id="u", vendor_id="v", stage=Stage.RUNNING, annotation_digest="n"
    )
    waves = {w.name: w for w in record.waves}
    waves |= {n: WaveRecord(name=n, members=now[n], attempts=(attempt,)) for n in names}
    return msgspec.structs.replace(record, waves=tuple(waves.values()))


@pytest.mark.parametrize(
    ("number", "percents", "sizes"),
    [
        (100, (10, 50, 100), (10, 40, 50)),
        (7, (10, 100), (1, 6)),
        (3, (1, 2, 100), (1, 1, 1)),
        (1, (10, 100), (1,)),  # a wave without devices is none
        (10, (100,), (10,)),
        (11, (33.3, 100), (4, 7)),
    ],
)
def test_percent_is_cumulative_and_rounded_up_with_one_device_at_least(
    number: int, percents: tuple[float, ...], sizes: tuple[int, ...]
) -> None:
    assert tuple(len(m) for m in members(divided(number, *percents)).values()) == sizes


def test_the_same_devices_are_not_the_canaries_of_every_rollout() -> None:
    one = divided(100, 10, 100)
    other = msgspec.structs.replace(one, name="other")

    assert members(one)["w0"] != members(other)["w0"]
    assert members(one) == members(divided(100, 10, 100))


def test_a_renamed_rollout_divides_its_devices_as_before() -> None:
    before = divided(20, 10, 100)
    renamed = msgspec.structs.replace(before, name="zzz9")

    assert members(renamed) != members(before)
    assert members(renamed, msgspec.structs.replace(EMPTY, previous_names=(before.name,))) == members(before)


def test_a_device_that_other_content_put_over_is_in_a_wave_again_when_the_content_comes_back() -> None:
    declared = divided(5, 20, 100)
    (canary,) = members(declared)["w0"]
    other = next(d for d in members(declared)["w1"])
    sent = Attempt(
        number=1,
        generation=declared.generation,
        unit_id="u1",
        vendor_id="v1",
        stage=Stage.DELETED,
        start_at=NOW,
        members=(other,),
    )
    over = msgspec.structs.replace(sent, generation="other", unit_id="u2", vendor_id="v2", members=(canary,))
    again = msgspec.structs.replace(sent, number=2, unit_id="u3", vendor_id="v3", members=(canary,))
    wave = WaveRecord(name="w0", attempts=(sent, over, again), members=(canary,))

    found = members(declared, msgspec.structs.replace(EMPTY, waves=(wave,)))

    assert found["w0"] == (canary,)
    assert other in found["w1"]


def test_a_rollout_whose_waves_name_their_targets_stays_as_it_is() -> None:
    assert resolved(rollout(), EMPTY) is not None
    assert resolved(rollout(), EMPTY) == rollout()


def named(canary: tuple[str, ...], fleet: tuple[str, ...]) -> Rollout:
    waves = (
        Wave(name="canary", targets=Targets(things=tuple(Device(id=n) for n in canary)), gate=Gate(max_failures=0)),
        Wave(name="fleet", targets=Targets(things=tuple(Device(id=n) for n in fleet))),
    )
    return rollout(strategy=Strategy(waves=waves))


def test_a_device_added_to_a_named_wave_that_began_gets_a_wave_at_the_end() -> None:
    record = started(named(("a",), ("b",)), "canary", "fleet")

    assert members(named(("a", "new"), ("b",)), record) == {
        "canary": ("device:a",),
        "fleet": ("device:b",),
        "top-up": ("device:new",),
    }
    (top_up,) = (w for w in resolved(named(("a", "new"), ("b",)), record).strategy.waves if w.top_up)
    assert top_up.gate == Gate(max_failures=0)


def test_a_wave_at_the_end_that_has_started_keeps_gate_and_approval_of_its_home() -> None:
    first = started(named(("a",), ("b",)), "canary", "fleet")
    later = named(("a", "x"), ("b",))
    home = later.strategy.waves[0]

    second = started(later, "top-up", record=first)

    (top_up,) = (w for w in resolved(later, second).strategy.waves if w.name == "top-up")
    assert home.gate is not None
    assert (top_up.gate, top_up.requires) == (home.gate, home.requires)


def test_a_wave_at_the_end_knows_the_wave_its_devices_were_added_to_before_and_after_it_starts() -> None:
    first = started(named(("a",), ("b",)), "canary", "fleet")
    later = named(("a", "x"), ("b", "y"))
    second = started(later, "top-up", record=first)

    homes = [resolved(later, record).homes for record in (first, second)]

    assert homes == [{"top-up": "canary", "top-up-2": "fleet"}] * 2
    unit = declare(resolved(later, second), ENVIRONMENT, Wave(name="top-up-2"), 1, None)
    assert unit.home == "fleet"


def test_a_wave_at_the_end_of_waves_by_percent_has_the_rules_of_the_last_one() -> None:
    record = started(divided(10, 20, 100), "w0", "w1")

    assert resolved(divided(11, 20, 100), record).homes == {"top-up": "w1"}


def test_a_device_added_to_a_named_wave_that_has_not_started_is_in_it() -> None:
    record = started(named(("a",), ("b",)), "canary")

    assert members(named(("a",), ("b", "new")), record) == {
        "canary": ("device:a",),
        "fleet": ("device:b", "device:new"),
    }


def test_devices_added_to_two_waves_and_at_two_times_get_waves_of_their_own() -> None:
    first = started(named(("a",), ("b",)), "canary", "fleet")
    second = started(named(("a", "x"), ("b", "y")), "top-up", record=first)

    assert members(named(("a", "x", "z"), ("b", "y")), second) == {
        "canary": ("device:a",),
        "fleet": ("device:b",),
        "top-up": ("device:x",),
        "top-up-2": ("device:z",),
        "top-up-3": ("device:y",),
    }


def test_a_device_moved_between_named_waves_that_began_is_not_sent_again() -> None:
    record = started(named(("a", "m"), ("b",)), "canary", "fleet")

    assert "top-up" not in members(named(("a",), ("b", "m")), record)


def test_a_device_named_otherwise_than_when_it_was_sent_is_not_sent_again() -> None:
    def wave(device: Device) -> Rollout:
        return rollout(strategy=Strategy(waves=(Wave(name="all", targets=Targets(wireless_devices=(device,))),)))

    record = started(wave(Device(id="id-1")), "all")
    (known,) = record.waves
    attempt = msgspec.structs.replace(known.attempts[0], devices=("id-1",), names={"id-1": "70b3d57ed0000001"})
    record = msgspec.structs.replace(record, waves=(msgspec.structs.replace(known, attempts=(attempt,)),))

    assert set(members(wave(Device(dev_eui="70b3d57ed0000001")), record)) == {"all"}


def test_a_group_added_to_a_wave_that_began_gets_a_wave_at_the_end() -> None:
    def wave(*groups: str) -> Rollout:
        return rollout(strategy=Strategy(waves=(Wave(name="all", targets=Targets(multicast_groups=groups)),)))

    record = started(wave("g1"), "all")

    assert members(wave("g1", "g2"), record) == {"all": ("group:g1",), "top-up": ("group:g2",)}


def test_new_content_goes_to_the_waves_as_they_are_declared() -> None:
    record = started(named(("a",), ("b",)), "canary", "fleet")
    grown = named(("a", "new"), ("b",))
    firmware = msgspec.structs.replace(grown.firmware, version="9.9.9")

    assert members(msgspec.structs.replace(grown, firmware=firmware), record) == {
        "canary": ("device:a", "device:new"),
        "fleet": ("device:b",),
    }


def test_devices_a_wave_includes_are_in_it_whatever_its_percent() -> None:
    waves = (Wave(name="canary", percent=10, include={"ring": "lab"}), Wave(name="fleet", percent=100))
    labels = {f"d00{n}": {"ring": "lab"} for n in range(4)}

    found = members(divided(20, waves=waves, **labels))

    assert found["canary"] == ("device:d000", "device:d001", "device:d002", "device:d003")


def test_devices_a_wave_excludes_come_later_and_in_the_last_wave_all_the_same() -> None:
    waves = (
        Wave(name="canary", percent=50, exclude={"criticality": "high"}),
        Wave(name="fleet", percent=100, exclude={"criticality": "high"}),
    )
    labels = {f"d00{n}": {"criticality": "high"} for n in range(8)}

    found = members(divided(10, waves=waves, **labels))

    assert found["canary"] == ("device:d008", "device:d009")
    assert len(found["fleet"]) == 8


def test_a_device_declared_after_the_canary_began_joins_the_next_wave() -> None:
    before = divided(10, 20, 100)
    record = started(before, "w0")

    found = members(divided(30, 20, 100), record)

    assert found["w0"] == members(before)["w0"]
    assert len(found["w1"]) == 28


def test_a_device_that_a_wave_spared_is_of_that_wave_and_of_no_other() -> None:
    of = divided(4, 50, 100)
    first, second = members(of)["w0"]
    attempt = Attempt(
        number=1,
        generation=of.generation,
        unit_id="u",
        vendor_id="v",
        stage=Stage.RUNNING,
        start_at=NOW,
        members=(first,),
        skipped_devices={second.removeprefix("device:"): second},
    )
    wave = WaveRecord(name="w0", members=(first, second), attempts=(attempt,))
    record = msgspec.structs.replace(EMPTY, waves=(wave,))

    assert members(of, record)["w0"] == (first, second)


def test_a_device_declared_when_every_wave_began_gets_a_wave_at_the_end() -> None:
    before = divided(10, 20, 100)
    record = started(before, "w0", "w1")
    later = divided(11, 20, 100)

    found = members(later, record)
    after = started(later, "top-up", record=record)

    assert found["top-up"] == ("device:d010",)
    assert members(divided(12, 20, 100), after)["top-up-2"] == ("device:d011",)
    assert members(divided(12, 20, 100), after)["top-up"] == ("device:d010",)


def test_a_device_taken_out_stays_in_the_wave_that_began_with_it() -> None:
    record = started(divided(10, 20, 100), "w0")
    left = msgspec.structs.replace(divided(10, 20, 100), targets=Targets(things=fleet(10)[5:]))

    found = members(left, record)

    assert found["w0"] == members(divided(10, 20, 100))["w0"]
    assert set(found["w1"]) == {d.key for d in fleet(10)[5:]} - set(found["w0"])


@given(st.integers(1, 60), st.lists(st.integers(1, 99), max_size=4, unique=True), st.data())
def test_every_device_is_in_one_wave_and_none_moves_between_waves_that_began(
    number: int, percents: list[int], data: st.DataObject
) -> None:
    percent = (*sorted(percents), 100)
    declared = divided(number, *percent)
    first = members(declared)
    record = EMPTY
    for count in range(data.draw(st.integers(0, len(percent)))):
        record = started(declared, *({f"w{count}"} & members(declared, record).keys()), record=record)
    grown = divided(number + data.draw(st.integers(0, 20)), *percent)
    found = members(grown, record)

    assert sorted(k for m in first.values() for k in m) == [d.key for d in fleet(number)]
    assert all(found[w.name] == w.members for w in record.waves if w.members)
    assert sorted(k for m in found.values() for k in m) == sorted(d.key for d in grown.targets.things)
    reached = 0
    for n, share in enumerate(percent):
        reached += len(first.get(f"w{n}", ()))
        assert reached >= -(-share * number // 100) or reached == number


CHANGES = {
    "firmware": {"firmware": msgspec.structs.replace(rollout().firmware, sha256="cd" * 32)},
    "backend": {"backend": msgspec.structs.replace(rollout().backend, redundancy_percent=30)},
    "targets": {"strategy": Strategy(waves=(Wave(name="canary", targets=Targets(multicast_groups=("g9",))),))},
    "gate": {"strategy": msgspec.structs.replace(rollout().strategy, on_failure="abort")},
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_approval_is_void_when_what_it_was_of_has_changed(what: str) -> None:
    base = rollout()
    changed = rollout(**CHANGES[what])

    assert approval_digest(base, base.strategy.waves[0]) != approval_digest(changed, changed.strategy.waves[0])


def test_an_approval_is_not_of_labels_holds_drift_or_other_approvals() -> None:
    base = rollout()
    approval = Approval(wave="fleet", role="r", by="ada", digest="x", at=NOW)
    changed = rollout(
        labels={"a": "b"},
        suspend=Suspend(reason="r", owner="o"),
        approvals=(approval,),
        drift=Drift(ignore=(Ignore(field="f", reason="r"),)),
    )

    assert approval_digest(base, base.strategy.waves[0]) == approval_digest(changed, changed.strategy.waves[0])


def test_each_wave_has_an_approval_of_its_own() -> None:
    first, second = rollout().strategy.waves

    assert approval_digest(rollout(), first) != approval_digest(rollout(), second)
