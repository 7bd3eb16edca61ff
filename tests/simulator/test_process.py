"""`otactl simulator` as a process: an address, a whole update by a script that knows boto3 alone, an end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.support.paths import ROOT
from tests.support.simulator.stage import SimulatorStage

ENDS_WITHIN = 5  # seconds after a signal

# What a user of AWS would write: nothing here knows of a simulator, the address comes from AWS_ENDPOINT_URL.
SCRIPT = """
import json, sys
from datetime import datetime, timedelta, timezone
import boto3
from botocore.exceptions import ClientError

s3, iam, wireless = (boto3.client(n) for n in ("s3", "iam", "iotwireless"))

def policy(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})

def refused(operation, **parameters):
    try:
        getattr(wireless, operation)(**parameters)
    except ClientError as error:
        said = error.response
        return f"{said['ResponseMetadata']['HTTPStatusCode']} {said['Error']['Code']}"
    return "accepted"

s3.create_bucket(Bucket="acme", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
s3.put_object(Bucket="acme", Key="probe.bin", Body=bytes(1024))
trust = policy(Principal={"Service": "iotwireless.amazonaws.com"}, Action="sts:AssumeRole")
role = iam.create_role(RoleName="updater", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
read = policy(Action="s3:GetObject", Resource="arn:aws:s3:::acme/*")
iam.put_role_policy(RoleName="updater", PolicyName="read", PolicyDocument=read)
profile = wireless.create_device_profile(LoRaWAN={"RfRegion": "EU868", "SupportsClassC": True})["Id"]
device = wireless.create_wireless_device(
    Type="LoRaWAN", DestinationName="out", LoRaWAN={"DevEui": "70b3d57ed0000001", "DeviceProfileId": profile}
)["Id"]
group = wireless.create_multicast_group(LoRaWAN={"RfRegion": "EU868", "DlClass": "ClassC"})["Id"]
wanted = {
    "Name": "probe", "FirmwareUpdateImage": "s3://acme/probe.bin", "FirmwareUpdateRole": role,
    "LoRaWAN": {"RfRegion": "EU868"}, "RedundancyPercent": 20, "ClientRequestToken": "token-1",
}
task = wireless.create_fuota_task(**wanted)["Id"]
now = datetime.now(timezone.utc)
wireless.associate_wireless_device_with_fuota_task(Id=task, WirelessDeviceId=device)
found = {
    "again": wireless.create_fuota_task(**wanted)["Id"] == task,
    "other": refused("create_fuota_task", **{**wanted, "Name": "other"}),
    "redundancy": refused("create_fuota_task", **{**wanted, "RedundancyPercent": 101, "ClientRequestToken": "token-2"}),
    "mixed": refused("associate_multicast_group_with_fuota_task", Id=task, MulticastGroupId=group),
    "soon": refused("start_fuota_task", Id=task, LoRaWAN={"StartTime": now + timedelta(minutes=10)}),
}
wireless.start_fuota_task(Id=task, LoRaWAN={"StartTime": now + timedelta(minutes=40)})
found["late"] = refused("update_fuota_task", Id=task, Name="late")
read = wireless.get_fuota_task(Id=task)
found["read"] = [read["Name"], read["Status"], read["RedundancyPercent"]]
listed = wireless.list_wireless_devices(FuotaTaskId=task)["WirelessDeviceList"]
found["devices"] = [d["FuotaDeviceStatus"] for d in listed]
json.dump({"task": task, "found": found}, sys.stdout)
"""
FOUND = {
    "again": True,
    "other": "409 ConflictException",
    "redundancy": "400 ValidationException",
    "mixed": "409 ConflictException",
    "soon": "400 ValidationException",
    "late": "409 ConflictException",
    "read": ["probe", "FuotaSession_Waiting", 20],
    "devices": ["Initial"],
}


class Running:
    """The command as a process, with the address it printed."""

    def __init__(self, *words: str) -> None:
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OTACTL_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "otactl.cli", "simulator", *words],
            cwd=ROOT,
            env=plain,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.url = self.line.rpartition("AWS_ENDPOINT_URL=")[2].strip()

    def end(self, by: int) -> tuple[int, str, str]:
        """Send a signal; exit code and what else was written. An error after the seconds promised."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=ENDS_WITHIN)
        return self.process.returncode, out, err


@pytest.fixture
def running() -> Iterator[Running]:
    """The command on a free port."""
    found = Running("--port", "0", "--seed", "3")
    yield found
    found.process.kill()
    found.process.communicate()


def script(url: str) -> dict[str, Any]:
    """What the script finds at an address."""
    env = {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [sys.executable, "-I", "-c", SCRIPT]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_boto3_script_meets_what_aws_accepts_and_refuses(running: Running) -> None:
    assert script(running.url)["found"] == FOUND


def test_the_update_goes_through_when_the_clock_is_moved(running: Running) -> None:
    task = script(running.url)["task"]
    stage = SimulatorStage(running.url)
    assert stage.status(task) == "FuotaSession_Waiting"
    stage.advance(3600)
    assert stage.status(task) == "FuotaDone"
    assert list(stage.device_statuses(task).values()) == ["Successful"]


def test_it_starts_empty_and_its_clock_runs_from_real_time(running: Running) -> None:
    before = datetime.now(UTC)
    stage = SimulatorStage(running.url)
    assert stage.state() == {}
    assert stage.requests() == []
    first, second = stage.now(), stage.now()
    assert first < second
    assert abs(first - before) < timedelta(hours=1)


def test_it_prints_its_address_and_how_to_point_boto3_at_it(running: Running) -> None:
    host, _, port = running.url.removeprefix("http://").partition(":")
    assert running.line == f"simulator at {running.url}; point boto3 at it with AWS_ENDPOINT_URL={running.url}\n"
    assert host == "127.0.0.1"
    assert int(port) > 0


def test_it_listens_on_the_port_it_is_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    reported = Running("--port", str(port))
    try:
        assert reported.url == f"http://127.0.0.1:{port}"
        assert SimulatorStage(reported.url).now()
    finally:
        reported.process.kill()
        reported.process.communicate()


def test_a_port_that_is_taken_is_refused_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        reported = Running("--port", str(port))
        _, err = reported.process.communicate(timeout=60)
    assert (reported.process.returncode, reported.line) == (1, "")
    assert err == f"otactl: cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port\n"


# An interrupt that comes while it ends already leaves nothing to be reported: 0 on a machine under load.
SIGNALS = [(signal.SIGTERM, {-signal.SIGTERM}), (signal.SIGINT, {0, 1})]


@pytest.mark.parametrize(("by", "codes"), SIGNALS)
def test_it_ends_within_five_seconds_of_a_signal_with_clients_connected(
    running: Running, by: int, codes: set[int]
) -> None:
    stage = SimulatorStage(running.url)
    assert stage.task()
    ended, out, err = running.end(by)
    assert ended in codes
    assert out == ""
    assert "Traceback" not in err
    with pytest.raises(urllib.error.URLError):
        stage.now()


def test_it_ends_within_five_seconds_although_a_call_is_still_being_answered(running: Running) -> None:
    stage = SimulatorStage(running.url)
    stage.wireless.list_fuota_tasks()
    stage.post("faults", rules=[{"effect": "delay", "seconds": 600}])
    hasty = stage.client("iotwireless", read_timeout=0.2)
    with pytest.raises(ReadTimeoutError):
        hasty.list_fuota_tasks()
    assert running.end(signal.SIGTERM)[0] == -signal.SIGTERM


def test_it_starts_with_the_fleet_of_a_file(tmp_path: Path) -> None:
    place = tmp_path / "fleet.json"
    place.write_text(json.dumps({"things": [{"name": "gateway-1", "firmwareVersion": "1.0.0"}]}))
    started = Running("--fleet", str(place))
    try:
        stage = SimulatorStage(started.url)
        assert [thing["thingName"] for thing in stage.client("iot").list_things()["things"]] == ["gateway-1"]
    finally:
        started.process.kill()
        started.process.communicate()


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read fleet.json: No such file or directory"),
        ("{", "fleet.json is not JSON"),
        ("[]", "fleet.json holds no JSON object"),
        ('{"things": 1}', "fleet.json: "),
    ],
)
def test_a_fleet_that_cannot_be_used_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "fleet.json").write_text(text)
    command = [sys.executable, "-m", "otactl.cli", "simulator", "--fleet", "fleet.json"]

    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"otactl: {message}")
