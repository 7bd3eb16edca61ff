"""Image, role and targets are checked before a unit is created or started."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from otactl.model import (
    ImageFacts,
    Observation,
    RoleFacts,
    Stage,
    TargetFacts,
)
from otactl.model.actions import Hold
from otactl.planning import preflight
from otactl.planning.context import PlanContext
from otactl.planning.start_context import StartContext
from tests.support.builders import (
    ENVIRONMENT,
    FACTS_IMAGE,
    FACTS_ROLE,
    NOW,
    empty,
    look,
    of_start,
    record_of,
    rollout,
    seen,
    unit_of,
)
from tests.support.plans import actions, holds

BARE = Observation(image=FACTS_IMAGE, role=FACTS_ROLE)


def start(observed: Observation, *members: str, busy: dict[str, str] | None = None, **changes: object) -> StartContext:
    """The creation of the first wave's unit, with other members; `changes` are of its context."""
    at = PlanContext(
        rollout=rollout(), environment=ENVIRONMENT, record=empty(rollout()), seen=observed, now=NOW, busy=busy or {}
    )
    return dataclasses.replace(of_start(at, members=members or ("group:g1",)), **changes)


def reasons(found: tuple[Hold, ...]) -> list[str]:
    return [h.reason for h in found]


def facts(*targets: TargetFacts, **changes: object) -> Observation:
    return msgspec.structs.replace(BARE, targets=targets, **changes)


def group(name: str = "g1", **changes: object) -> TargetFacts:
    """A group of two devices that are ready."""
    good = TargetFacts(key=f"group:{name}", exists=True, region="EU868", requested=2, ready=2)
    return msgspec.structs.replace(good, **changes)


def device(name: str, identity: str) -> TargetFacts:
    return TargetFacts(key=name, exists=True, vendor_id=identity)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (ImageFacts(exists=False), "image_is_missing"),
        (msgspec.structs.replace(FACTS_IMAGE, size_bytes=5), "image_size_differs"),
        (msgspec.structs.replace(FACTS_IMAGE, sha256="cd" * 32), "image_digest_differs"),
        (msgspec.structs.replace(FACTS_IMAGE, sha256=None), "image_digest_is_unproved"),
        (msgspec.structs.replace(FACTS_IMAGE, region="us-east-1"), "image_region_differs"),
        (ImageFacts(exists=True, unreadable="s3:GetObject is missing"), "image_is_unreadable"),
        (msgspec.structs.replace(FACTS_IMAGE, unproved="no version is named"), "image_digest_is_unproved"),
    ],
)
def test_an_image_that_is_not_right_holds_the_start_by_name(image: ImageFacts, reason: str) -> None:
    declared = rollout()
    unit = unit_of(declared)

    result = look(declared, record_of(declared, unit, Stage.OPEN), seen(unit, image=image))

    assert actions(result) == []
    assert reason in holds(result)


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        (RoleFacts(exists=False), "role_is_missing"),
        (msgspec.structs.replace(FACTS_ROLE, trusts="no", why="no trust"), "role_does_not_trust_service"),
        (msgspec.structs.replace(FACTS_ROLE, reads="no", why="no read"), "role_may_not_read_image"),
        (RoleFacts(exists=True, unreadable="iam:GetRole is missing"), "role_is_unreadable"),
        (msgspec.structs.replace(FACTS_ROLE, missing_actions=("iot:CreateJob",)), "role_lacks_permission"),
    ],
)
def test_a_role_that_is_not_right_holds_even_the_create_by_name(role: RoleFacts, reason: str) -> None:
    result = look(rollout(), empty(rollout()), seen(role=role))

    assert actions(result) == []
    assert holds(result) == [reason]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (TargetFacts(key="group:g1", exists=False), "target_is_missing"),
        (TargetFacts(key="group:g1", exists=True, region="US915", requested=2, ready=2), "target_region_differs"),
        (TargetFacts(key="group:g1", exists=True, region="EU868", requested=0, ready=0), "target_is_empty"),
        (TargetFacts(key="group:g1", exists=True, region="EU868", requested=2, ready=1), "target_is_not_ready"),
    ],
)
def test_a_group_that_is_not_right_holds_the_start_by_name(target: TargetFacts, reason: str) -> None:
    declared = rollout()
    unit = unit_of(declared)

    result = look(declared, record_of(declared, unit, Stage.OPEN), seen(unit, targets=(target,)))

    assert actions(result) == []
    assert holds(result) == [reason]


@pytest.mark.parametrize(
    ("image", "role", "changes", "held"),
    [
        (None, FACTS_ROLE, {}, ["checks_are_incomplete"]),
        (FACTS_IMAGE, None, {}, ["checks_are_incomplete"]),
        (None, None, {}, ["checks_are_incomplete"]),
        (None, None, {"offline": True}, []),
        (None, None, {"expected": True}, []),
        (ImageFacts(exists=False), None, {"expected": True}, ["image_is_missing"]),
        (None, RoleFacts(exists=False), {"offline": True}, ["role_is_missing"]),
        (ImageFacts(exists=False), RoleFacts(exists=False), {}, ["image_is_missing", "role_is_missing"]),
    ],
)
def test_image_and_role_that_were_not_read_hold_unless_nothing_is_read_at_all(
    image: ImageFacts | None, role: RoleFacts | None, changes: dict[str, bool], held: list[str]
) -> None:
    observed = Observation(image=image, role=role, **changes)

    assert reasons(preflight.may_create(start(observed))) == held


@pytest.mark.parametrize(
    ("image", "remedy"),
    [
        (ImageFacts(exists=False), "x.bin does not exist; push it with `otactl image push`"),
        (ImageFacts(exists=False, where="firmware 7"), "firmware 7 does not exist; upload it to the service"),
    ],
)
def test_a_missing_image_is_named_with_the_way_to_store_it_where_it_is_read(image: ImageFacts, remedy: str) -> None:
    (hold,) = preflight.may_create(start(Observation(image=image, role=FACTS_ROLE)))

    assert hold.message.endswith(remedy)


def test_every_fault_of_an_image_is_reported_at_once() -> None:
    image = msgspec.structs.replace(FACTS_IMAGE, size_bytes=5, sha256="cd" * 32, unproved="no version", region="x")

    assert reasons(preflight.may_create(start(Observation(image=image, role=FACTS_ROLE)))) == [
        "image_size_differs",
        "image_digest_differs",
        "image_digest_is_unproved",
        "image_region_differs",
    ]


@pytest.mark.parametrize(
    ("targets", "changes", "held"),
    [
        ((group(),), {}, []),
        ((), {}, ["checks_are_incomplete"]),
        ((), {"offline": True}, []),
        ((), {"expected": True}, []),
        ((group("g2"),), {}, ["checks_are_incomplete"]),  # facts of another target are none of this one
        ((group(exists=False),), {}, ["target_is_missing"]),
        ((group(busy_with="task 7"),), {}, ["target_is_busy"]),
        ((group(ready=0),), {}, []),  # a unit is created before its devices are ready
    ],
)
def test_a_unit_is_created_for_targets_that_exist_and_are_free(
    targets: tuple[TargetFacts, ...], changes: dict[str, bool], held: list[str]
) -> None:
    found = start(facts(*targets, **changes))

    assert reasons((*preflight.may_create(found), *preflight.may_fill(found))) == held


@pytest.mark.parametrize(
    ("hint", "place", "text"),
    [
        ("", False, "group g9 does not exist in this account and Region; fix the manifest"),
        ("did you mean g2?", False, "group g9 does not exist in this account and Region; did you mean g2?"),
        ("", True, "group g1 (spec.strategy.waves[0].targets.multicastGroups[0] of rollouts/a.yaml) does not exist"),
    ],
)
def test_a_missing_target_is_reported_with_its_place_in_the_manifest_and_what_may_be_meant(
    hint: str, place: bool, text: str
) -> None:
    missing = group("g1" if place else "g9", exists=False, hint=hint)

    (hold,) = preflight.may_fill(start(facts(missing), missing.key))

    assert text in hold.message
    assert hold.stalled


def test_targets_that_were_not_read_are_named_up_to_three() -> None:
    (hold,) = preflight.may_fill(start(BARE, *(f"device:{n}" for n in "abcde")))

    assert hold.message.startswith("the facts of device a, device b, device c and 2 more were not checked")


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        ((device("device:a", "id-1"), device("device:b", "id-2")), None),
        (
            (device("device:a", "id-1"), device("devEui:70b3", "id-1")),
            "device a and devEui 70b3 are one device (id id-1); keep one of them",
        ),
        (
            (group("g1", members=("d-1", "d-2")), group("g2", members=("d-2", "d-3"))),
            "group g1 and group g2 both hold d-2, which would be sent to twice; take it out of one of them",
        ),
        (
            (
                TargetFacts(key="thingGroup:a", exists=True, members=("d-1",)),
                TargetFacts(key="thingGroup:b", exists=True, members=("d-1",)),
            ),
            None,  # a thing has one execution, whichever groups hold it
        ),
        (
            (
                TargetFacts(key="device:a", exists=False, vendor_id="id-1"),
                TargetFacts(key="device:b", exists=True, vendor_id="id-1"),
            ),
            None,  # what does not exist is no device
        ),
    ],
)
def test_one_device_is_named_once_by_a_unit_and_is_in_one_of_its_groups(
    targets: tuple[TargetFacts, ...], text: str | None
) -> None:
    wanted = start(facts(*targets), *(t.key for t in targets))

    found = [h for h in preflight.may_fill(wanted) if h.reason == "duplicate_target"]

    assert [h.message for h in found] == ([text] if text else [])
    assert reasons(preflight.may_start(wanted)).count("duplicate_target") == len(found)


@pytest.mark.parametrize(
    ("target", "held"),
    [
        (group(), []),
        (group(not_ready_because="no session keys"), ["target_is_not_ready"]),
        (group(busy_with="task 7"), ["target_is_busy"]),
        (group(region=None), []),  # its region was not read
        (group(region="US915"), ["target_region_differs"]),
        (group(requested=None), ["checks_are_incomplete"]),
        (group(ready=None), ["checks_are_incomplete"]),
        (TargetFacts(key="thingGroup:g", exists=True), ["checks_are_incomplete"]),
        (TargetFacts(key="device:a", exists=True), []),  # a device has no count
        (group(members_complete=False), ["checks_are_incomplete"]),
        (group(requested=0, ready=0), ["target_is_empty"]),
        (group(ready=1), ["target_is_not_ready"]),
        # One reason a target: the first that forbids its start.
        (group(not_ready_because="no keys", busy_with="task 7"), ["target_is_not_ready"]),
        (group(busy_with="task 7", region="US915"), ["target_is_busy"]),
        (group(exists=False, busy_with="task 7"), ["target_is_missing"]),
    ],
)
def test_the_first_thing_wrong_with_a_target_holds_the_start(target: TargetFacts, held: list[str]) -> None:
    assert reasons(preflight.may_start(start(facts(target), target.key))) == held


@pytest.mark.parametrize(
    ("key", "inside", "changes", "held"),
    [
        ("group:g1", True, {}, ["checks_are_incomplete"]),
        ("group:g1", False, {}, []),  # it is added first, and then read
        ("device:a", True, {}, ["checks_are_incomplete"]),
        ("device:a", False, {}, []),
        ("group:g1", True, {"offline": True}, []),
        ("group:g1", True, {"expected": True}, []),
    ],
)
def test_a_target_inside_a_unit_without_facts_holds_the_start_unless_nothing_is_read_at_all(
    key: str, inside: bool, changes: dict[str, bool], held: list[str]
) -> None:
    found = start(facts(**changes), key, inside=(key,) if inside else ())

    assert reasons(preflight.may_start(found)) == held


def test_where_the_service_selects_the_devices_every_target_that_was_read_is_checked() -> None:
    found = start(facts(group("g1", ready=1), group("g2")))
    selected = dataclasses.replace(found, declared=msgspec.structs.replace(found.declared, members=()), inside=())

    assert reasons(preflight.may_start(selected)) == ["target_is_not_ready"]


def test_a_start_waits_once_for_each_unit_that_holds_one_of_its_targets_or_a_part_of_one() -> None:
    within = TargetFacts(key="device:b", exists=True, vendor_id="b", within="product:p")
    busy = {"device:a": "u-1", "device:b": "u-1", "product:p": "u-2", "part of group:g1": "u-3", "device:z": "u-4"}

    observed = facts(TargetFacts(key="device:a", exists=True), within, group())

    holds_ = preflight.may_start(start(observed, "device:a", "device:b", "group:g1", busy=busy))

    assert [h.message for h in holds_] == [
        "device a is held by u-1 until its session has ended",
        "product p is held by u-2 until its session has ended",
        "group g1 is held by u-3 until its session has ended",
    ]
    assert preflight.may_start(start(observed, "device:a", "device:b", "group:g1", busy={"device:z": "u-4"})) == ()
