"""How a wave's devices are divided into batches, and which batches an attempt is known to have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.backends.tuya.batching import MOST_NAMES, Candidates, known_parts, parts_of
from otactl.model import Attempt, Intent, Record, RecordedCall, WaveRecord
from tests.support.builders import NOW


@pytest.mark.parametrize(
    ("devices", "sizes"), [(0, [0]), (1, [1]), (200, [200]), (201, [200, 1]), (400, [200, 200]), (401, [200, 200, 1])]
)
def test_a_batch_takes_two_hundred_devices(devices: int, sizes: list[int]) -> None:
    members = tuple(f"device:{n:04}" for n in range(devices))

    parts = parts_of("u-1", members)

    assert [len(p) for p in parts.values()] == sizes
    assert list(parts) == (
        ["createUnit/u-1"] if len(sizes) == 1 else [f"createUnit/u-1/{n + 1}" for n in range(len(sizes))]
    )


@given(st.integers(0, 900))
def test_every_device_is_in_one_part_and_the_same_each_time(devices: int) -> None:
    members = tuple(f"device:{n:04}" for n in range(devices))

    parts = parts_of("u-1", members)

    assert tuple(m for p in parts.values() for m in p) == members
    assert parts == parts_of("u-1", members)
    assert max(map(len, parts.values())) <= MOST_NAMES


def attempt(devices: int, **changes: object) -> Attempt:
    names = tuple(f"d{n:04}" for n in range(devices))
    return Attempt(number=1, generation="g", unit_id="u-1", devices=names, **changes)


def remembered(of: Attempt, *keys: str) -> Record:
    call = RecordedCall(service="tuya", operation="CreateOTAStaticUpgradeJob", parameters={})
    intents = tuple(Intent(action="createUnit", unit_id="u-1", key=k, call=call, at=NOW) for k in keys)
    return Record(
        backend="fuota", environment="e", name="r", waves=(WaveRecord(name="w", attempts=(of,)),), intents=intents
    )


def finding(**jobs: tuple[str, ...]):
    """What the gateway would show for the create of each part, by its number."""

    def find(intent: Intent, known: frozenset[str]) -> Candidates:
        part = jobs.get(f"p{intent.key.rpartition('/')[2]}", ())
        return Candidates(ids=tuple(j for j in part if j not in known))

    return find


def test_an_attempt_of_one_batch_has_the_one_it_remembers() -> None:
    one = attempt(3, vendor_id="J1")

    parts, unclear = known_parts(one, remembered(one), finding())

    assert (dict(parts.jobs), parts.several, parts.pending, parts.missing, unclear) == (
        {"createUnit/u-1": "J1"},
        False,
        (),
        (),
        None,
    )


def test_a_part_no_one_is_making_is_missing_with_its_devices() -> None:
    two = attempt(201, vendor_id="J1", ids_by_call={"createUnit/u-1/1": "J1"})

    parts, _ = known_parts(two, remembered(two), finding())

    assert parts.missing == ("device:d0200",)
    assert parts.pending == ()


def test_a_lost_part_is_found_by_its_own_devices_and_one_that_is_not_seen_is_pending() -> None:
    three = attempt(401, vendor_id="J1", ids_by_call={"createUnit/u-1/1": "J1"})
    record = remembered(three, "createUnit/u-1/2", "createUnit/u-1/3")

    parts, unclear = known_parts(three, record, finding(p2=("J1", "J2")))

    assert unclear is None
    assert dict(parts.jobs) == {"createUnit/u-1/1": "J1", "createUnit/u-1/2": "J2"}
    assert (parts.pending, parts.missing) == (("createUnit/u-1/3",), ())


@pytest.mark.parametrize("jobs", [{"p2": ("J2", "J3")}, {"p2": ("J2",), "p3": ("J2",)}])
def test_what_two_could_be_is_adopted_by_neither_and_named(jobs: dict[str, tuple[str, ...]]) -> None:
    three = attempt(401, vendor_id="J1", ids_by_call={"createUnit/u-1/1": "J1"})
    record = remembered(three, "createUnit/u-1/2", "createUnit/u-1/3")

    parts, unclear = known_parts(three, record, finding(**jobs))

    assert unclear is not None
    assert ("J2" in unclear.message, unclear.ended) == (True, False)
    assert dict(parts.jobs) == {"createUnit/u-1/1": "J1"}
    assert parts.pending == ("createUnit/u-1/2", "createUnit/u-1/3")


@pytest.mark.parametrize(
    ("candidates", "reported"),
    [(Candidates(unsure=("J9",)), "J9"), (Candidates(ids=("J2",), unsure=("J9",)), "J9"), (Candidates(waits=True), "")],
)
def test_nothing_is_adopted_while_a_batch_that_may_be_it_does_not_show_its_devices(
    candidates: Candidates, reported: str
) -> None:
    one = attempt(3)

    parts, unclear = known_parts(one, remembered(one, "createUnit/u-1"), lambda *_: candidates)

    assert (dict(parts.jobs), parts.pending) == ({}, ("createUnit/u-1",))
    assert (unclear is not None) == bool(reported)
    assert reported in (unclear.message if unclear is not None else "")


def test_batches_that_ended_alike_are_one_outcome_and_those_that_did_not_wait_for_a_decision() -> None:
    one = attempt(3)
    record = remembered(one, "createUnit/u-1")

    parts, unclear = known_parts(one, record, lambda *_: Candidates(ids=("J2", "J3"), ended=True, alike=True))
    others, doubt = known_parts(one, record, lambda *_: Candidates(ids=("J2", "J3"), ended=True))

    assert (dict(parts.jobs), parts.pending, unclear) == ({"createUnit/u-1": "J2"}, (), None)
    assert doubt is not None
    assert (dict(others.jobs), others.pending, doubt.ended) == ({}, ("createUnit/u-1",), True)


def test_a_batch_that_two_parts_could_claim_is_adopted_by_neither_though_it_ended_alike() -> None:
    three = attempt(401, vendor_id="J1", ids_by_call={"createUnit/u-1/1": "J1"})
    record = remembered(three, "createUnit/u-1/2", "createUnit/u-1/3")

    parts, unclear = known_parts(three, record, lambda *_: Candidates(ids=("J2", "J3"), ended=True, alike=True))

    assert unclear is not None
    assert dict(parts.jobs) == {"createUnit/u-1/1": "J1"}
