"""Image, role and targets are checked before a unit is created or started."""

from __future__ import annotations

import msgspec
import pytest

from otactl.model import (
    ImageFacts,
    RoleFacts,
    Stage,
    TargetFacts,
)
from tests.support.builders import FACTS_IMAGE, FACTS_ROLE, empty, look, record_of, rollout, seen, unit_of
from tests.support.plans import actions, holds


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (ImageFacts(exists=False), "image_is_missing"),
        (msgspec.structs.replace(FACTS_IMAGE, size_bytes=5), "image_size_differs"),
        (msgspec.structs.replace(FACTS_IMAGE, sha256="cd" * 32), "image_digest_differs"),
        (msgspec.structs.replace(FACTS_IMAGE, sha256=None), "image_digest_is_unproved"),
        (msgspec.structs.replace(FACTS_IMAGE, region="us-east-1"), "image_region_differs"),
        (ImageFacts(exists=True, unreadable="s3:GetObject is missing"), "image_is_unreadable"),
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
