"""A channel with `retainYears` keeps every image by Object Lock, and no lifecycle rule is shorter than that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from otactl_simulator.server import SimulatorServer
from tests.support.pulumi.apply import Applier
from tests.support.pulumi.engine import Result, run
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import SMALL

BUCKET = "acme-firmware-eu"
RETAINED: dict[str, Any] = {
    **SMALL,
    "otactl:channels": [{"name": "stable", "bucket": BUCKET, "retainYears": 10, "retainMode": "COMPLIANCE"}],
}


@pytest.fixture(scope="module")
def applied() -> Iterator[tuple[Applier, Result]]:
    with SimulatorServer() as server:
        applier = Applier(server.url)
        yield applier, run(RETAINED, apply=applier)


@pytest.mark.server
def test_an_image_cannot_be_deleted_before_its_years_are_over(applied: tuple[Applier, Result]) -> None:
    applier, result = applied
    assert result.exit_code == 0, result.output
    stored = applier.s3.put_object(Bucket=BUCKET, Key="probe.bin", Body=b"firmware", ChecksumAlgorithm="SHA256")

    found = applier.s3.head_object(Bucket=BUCKET, Key="probe.bin")

    assert found["ObjectLockMode"] == "COMPLIANCE"
    assert found["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=3640)
    with pytest.raises(ClientError, match="AccessDenied"):
        applier.s3.delete_object(Bucket=BUCKET, Key="probe.bin", VersionId=stored["VersionId"])


@pytest.mark.server
def test_replaced_versions_are_kept_as_long_and_the_lock_is_protected(applied: tuple[Applier, Result]) -> None:
    applier, result = applied
    (rule,) = applier.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    (lock,) = result.of("s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")

    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 3653
    assert (lock.name, lock.protect) == ("stable-store-lock", True)


@pytest.mark.parametrize(
    ("given", "days"), [({}, 365), ({"retainYears": 1}, 366), ({"retainYears": 1, "noncurrentDays": 900}, 900)]
)
def test_versions_are_kept_for_the_longer_of_both(given: dict[str, int], days: int) -> None:
    channels = [{"name": "stable", "bucket": BUCKET, **given}]
    assert read({**SMALL, "otactl:channels": channels}).channels[0].kept_days == days
