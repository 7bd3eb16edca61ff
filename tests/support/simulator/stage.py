"""A simulator as its users meet it: boto3 as it comes, real HTTP, and the control API on the same port."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import boto3
import pytest
from botocore import xform_name
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT, REGION, BUCKET, KEY = "123456789012", "eu-west-1", "acme-firmware", "probe/2.4.1.bin"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/updater"
URI = f"s3://{BUCKET}/{KEY}"
IMAGE = bytes(range(256)) * 4
ASSUME = {"Effect": "Allow", "Principal": {"Service": "iotwireless.amazonaws.com"}, "Action": "sts:AssumeRole"}
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
LEAD = timedelta(minutes=30)
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class Refusal(NamedTuple):
    """What an error answer says."""

    status: int
    code: str
    message: str


def refusal(call: Callable[..., object], **parameters: object) -> Refusal:
    """The error that a call is answered with."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return Refusal(
        answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], str(answer["Error"]["Message"])
    )


def policy(*statements: dict[str, Any]) -> str:
    """A policy document as IAM takes it."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class SimulatorStage:
    """One running simulator with clients for it; `reset` empties it for the next test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.wireless, self.s3, self.iam, self.sts = (self.client(n) for n in ("iotwireless", "s3", "iam", "sts"))

    def client(
        self, service: str, region: str = REGION, keys: Mapping[str, str] | None = None, **config: Any
    ) -> BaseClient:
        """A boto3 client that gets the simulator's address and nothing else; it does not retry unless asked to."""
        given = KEYS
        if keys is not None:
            given = {f"aws_{xform_name(k)}": keys[k] for k in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        settings = Config(**{"retries": {"total_max_attempts": 1}, **config})
        return boto3.client(service, region_name=region, endpoint_url=self.url, config=settings, **given)

    def reset(self) -> None:
        """Forget everything; the rate quota is off, because tests call faster than ten times a second."""
        self.post("reset")
        self.settings(callsPerSecond=0)

    def ask(self, method: str, name: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a control request."""
        request = urllib.request.Request(f"{self.url}/_simulator/{name}", data=body, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def post(self, name: str, **document: object) -> dict[str, Any]:
        """A control request that is to succeed."""
        status, answer = self.ask("POST", name, json.dumps(document).encode())
        assert status == 200, answer
        return answer

    def settings(self, **switches: object) -> None:
        """Turn switches."""
        self.post("settings", **switches)

    def advance(self, seconds: float) -> None:
        """Let the simulated clock run ahead."""
        self.post("clock", advanceSeconds=seconds)

    def now(self) -> datetime:
        """The simulated time."""
        return datetime.fromisoformat(self.ask("GET", "state")[1]["now"])

    def requests(self) -> list[dict[str, Any]]:
        """What the simulator was asked."""
        return list(self.ask("GET", "requests")[1]["requests"])

    def state(self, region: str = REGION) -> dict[str, Any]:
        """What IoT Wireless holds in a Region."""
        return dict(self.ask("GET", "state")[1]["iotwireless"].get(f"{ACCOUNT}/{region}", {}))

    def snapshot(self) -> dict[str, Any]:
        """Returns what the simulator holds, by service."""
        return self.ask("GET", "state")[1]

    def fleet(self, *devices: dict[str, Any], groups: tuple[dict[str, Any], ...] = ()) -> None:
        """Put devices and groups in; devices are in EU868 unless they say otherwise."""
        self.post("fleet", devices=[{"rfRegion": "EU868", **d} for d in devices], groups=list(groups))

    def provision(self, image: bytes = IMAGE) -> None:
        """Bucket, image and a role that may read it."""
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_object(Bucket=BUCKET, Key=KEY, Body=image)
        self.iam.create_role(RoleName="updater", AssumeRolePolicyDocument=policy(ASSUME))
        self.iam.put_role_policy(RoleName="updater", PolicyName="read", PolicyDocument=policy(READ))

    def task(self, **changes: Any) -> str:
        """A new task's id."""
        given = {"FirmwareUpdateImage": URI, "FirmwareUpdateRole": ROLE, "LoRaWAN": {"RfRegion": "EU868"}, **changes}
        return str(self.wireless.create_fuota_task(**given)["Id"])

    def add(self, task: str, *devices: str) -> None:
        """Put devices into a task."""
        for device in devices:
            self.wireless.associate_wireless_device_with_fuota_task(Id=task, WirelessDeviceId=device)

    def add_groups(self, task: str, *groups: str) -> None:
        """Put multicast groups into a task."""
        for group in groups:
            self.wireless.associate_multicast_group_with_fuota_task(Id=task, MulticastGroupId=group)

    def start(self, task: str, after: timedelta = LEAD) -> datetime:
        """Start a task; gives the start time."""
        moment = self.now() + after
        self.wireless.start_fuota_task(Id=task, LoRaWAN={"StartTime": moment})
        return moment

    def status(self, task: str) -> str:
        """A task's status."""
        return str(self.wireless.get_fuota_task(Id=task)["Status"])

    def device_statuses(self, task: str) -> dict[str, str]:
        """FuotaDeviceStatus by device id, as the list by task shows it."""
        listed = self.wireless.list_wireless_devices(FuotaTaskId=task, MaxResults=250)["WirelessDeviceList"]
        return {d["Id"]: d["FuotaDeviceStatus"] for d in listed}
