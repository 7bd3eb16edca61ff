"""What drift is reported as: what was declared, what is there, and the cause."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.drift.diff import lost, source_findings
from otactl.model import Attempt, Baseline, Cause, ImageFacts, Observation, RoleFacts
from tests.support.builders import FACTS_IMAGE, FACTS_ROLE, NOW

OLD, NEW = "0123456789abcdef-old", "fedcba9876543210-new"
SHA = "a" * 64


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (RoleFacts(exists=False), ("role", "present", "missing")),
        (RoleFacts(exists=True, fingerprint=NEW), ("role.policies", OLD[:16], NEW[:16])),
        (RoleFacts(exists=True, fingerprint=OLD), None),
    ],
    ids=["deleted", "other policies", "the same"],
)
def test_a_role_that_is_not_the_one_of_the_start_is_drift(
    role: RoleFacts, expected: tuple[object, object, object] | None
) -> None:
    found = source_findings("u1", SHA, 3, Baseline(role=OLD), Observation(role=role))

    assert [(f.field, f.desired, f.observed) for f in found] == ([] if expected is None else [expected])
    assert {(f.subject, f.cause, f.correctable) for f in found} <= {("u1", Cause.ROLE, False)}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({"exists": False}, ("image.object", "present", "missing")),
        ({"sha256": "b" * 64, "size_bytes": 4}, ("image.sha256", SHA, "b" * 64)),
        ({"sha256": SHA, "size_bytes": 4}, ("image.sizeBytes", 3, 4)),
        ({"fingerprint": NEW}, ("image.fingerprint", OLD, NEW)),
        ({"fingerprint": OLD, "versioning": False}, ("image.bucketVersioning", True, False)),
        ({"sha256": SHA, "size_bytes": 3, "fingerprint": NEW, "versioning": True}, None),
        ({"fingerprint": OLD, "versioning": None}, None),
    ],
)
def test_an_image_that_is_not_the_declared_one_is_drift(
    image: dict[str, object], expected: tuple[object, object, object] | None
) -> None:
    shown = replace(ImageFacts(exists=True), **image)

    found = source_findings("u1", SHA, 3, Baseline(image=OLD), Observation(image=shown))

    assert [(f.field, f.desired, f.observed) for f in found] == ([] if expected is None else [expected])
    assert {(f.subject, f.cause, f.correctable) for f in found} <= {("u1", Cause.IMAGE_BYTES, False)}


def test_what_was_not_read_is_not_compared() -> None:
    assert source_findings("u1", SHA, 3, Baseline(image=OLD, role=OLD), Observation()) == ()
    other = Observation(image=replace(FACTS_IMAGE, fingerprint=NEW), role=replace(FACTS_ROLE, fingerprint=NEW))
    assert source_findings("u1", str(FACTS_IMAGE.sha256), FACTS_IMAGE.size_bytes or 0, Baseline(), other) == ()


@pytest.mark.parametrize(("started", "correctable"), [(False, True), (True, False)])
def test_a_deleted_unit_is_reported_and_can_be_set_back_before_its_start_alone(
    started: bool, correctable: bool
) -> None:
    attempt = Attempt(number=1, generation="g", unit_id="u1", start_at=NOW if started else None)

    found = lost(attempt)

    assert (found.subject, found.field, found.desired, found.observed) == ("u1", "unit", "present", "deleted")
    assert (found.cause, found.correctable) == (Cause.DELETED, correctable)
