"""Prepares a simulator for a first rollout: a bucket, the role that reads it, and two multicast groups of devices."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping

import boto3
from botocore.config import Config

ACCOUNT, REGION = "123456789012", "eu-west-1"
BUCKET, ROLE = "acme-firmware", "firmware-update"
GROUPS = {"canary": "3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01", "fleet": "77ab2e10-5b7c-4a55-8c3e-1d2f3a4b5c02"}


def prepare(url: str) -> None:
    """Create everything at the address of an empty simulator."""
    session = boto3.Session("example", "example", region_name=REGION)
    quick = Config(retries={"total_max_attempts": 1})
    s3, iam = (session.client(name, endpoint_url=url, config=quick) for name in ("s3", "iam"))
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    trust = {"Principal": {"Service": "iotwireless.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_policy(trust))
    read = {"Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    iam.put_role_policy(RoleName=ROLE, PolicyName="read-images", PolicyDocument=_policy(read))
    names = [f"70b3d57ed00001{number:02x}" for number in range(12)]
    parts = {"canary": names[:2], "fleet": names[2:]}
    load(
        url,
        {
            "devices": [{"devEui": name, "rfRegion": "EU868", "loss": 0.02} for name in names],
            "groups": [
                {"name": name, "id": GROUPS[name], "rfRegion": "EU868", "devices": devices}
                for name, devices in parts.items()
            ],
        },
    )


def load(url: str, fleet: Mapping[str, object]) -> None:
    """Send a fleet to the simulator at a loopback address. Raises: urllib.error.HTTPError that has the reason."""
    body = json.dumps(fleet).encode()
    request = urllib.request.Request(f"{url}/_simulator/fleet", data=body, method="POST")  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
        answer.read()


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
