"""State on S3 with its lock, two stacks side by side, and resources that exist already, on the real engine."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from otactl_simulator.server import SimulatorServer
from tests.support.pulumi.cli import Project
from tests.support.pulumi.stacks import SMALL

pytestmark = pytest.mark.thorough
DEV = {**SMALL, "otactl:channels": [{"name": "dev", "bucket": "acme-firmware-dev"}]}
UP = ("--yes", "--skip-preview", "--suppress-progress")


def bucket_of_state(cloud: SimulatorServer) -> Any:
    session = boto3.Session(region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    return session.client("s3", endpoint_url=cloud.url)


@pytest.fixture
def on_s3(project: Project, cloud: SimulatorServer) -> Project:
    """A project whose state is in a bucket."""
    bucket_of_state(cloud).create_bucket(
        Bucket="acme-state", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    place = f"endpoint=127.0.0.1:{cloud.port}&disableSSL=true&s3ForcePathStyle=true&region=eu-west-1"
    project.backend = f"s3://acme-state?{place}"
    return project


def test_state_on_s3_is_locked_while_up_runs_and_holds_two_stacks(on_s3: Project, cloud: SimulatorServer) -> None:
    on_s3.stack("prod-eu", SMALL)
    on_s3.stack("dev", DEV)

    with on_s3.held("aws:s3/bucket:Bucket before", "up", "--stack", "prod-eu", *UP) as first:
        second = on_s3.pulumi("up", "--stack", "prod-eu", *UP)
        other = on_s3.pulumi("up", "--stack", "dev", *UP)
        code = first.go_on()

    assert code == 0
    assert "the stack is currently locked by 1 lock(s)" in second.output
    assert (other.exit_code, other.count("created")) == (0, 18), other.output
    outputs = {name: on_s3.outputs(name) for name in ("prod-eu", "dev")}
    assert outputs["dev"]["imageBucket"] == "acme-firmware-dev"
    assert not set(outputs["dev"].values()) & set(outputs["prod-eu"].values())
    kept = [o["Key"] for o in bucket_of_state(cloud).list_objects_v2(Bucket="acme-state")["Contents"]]
    assert {".pulumi/stacks/otactl/prod-eu.json", ".pulumi/stacks/otactl/dev.json"} <= set(kept)
    assert [key for key in kept if key.startswith(".pulumi/locks/")] == []
