"""The simulator as a rehearsal uses it: a clock that stands, a moto of its own, images that stand in."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from otactl_simulator.rehearsal import Rehearsal, access_key, rehearsal, stand_in
from otactl_simulator.server import SimulatorServer

AT = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
SHA = "ab" * 32


def client(name: str, url: str, key: tuple[str, str] = ("x", "x")) -> boto3.client:
    session = boto3.Session(aws_access_key_id=key[0], aws_secret_access_key=key[1], region_name="eu-west-1")
    return session.client(name, endpoint_url=url)


def bucket(url: str, name: str) -> boto3.client:
    s3 = client("s3", url)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return s3


def test_time_stands_where_it_was_put_until_it_is_resumed() -> None:
    with rehearsal(1, AT) as world:
        assert world.now() == AT
        world.go_to(AT + timedelta(days=3))
        assert world.now() == AT + timedelta(days=3)
        world.go_to(AT)
        assert world.now() == AT + timedelta(days=3)


def test_waits_side_by_side_are_one_wait() -> None:
    with rehearsal(1, AT) as world:
        at_once = threading.Barrier(3)

        def wait(seconds: float) -> None:
            world.monotonic()
            at_once.wait()
            world.sleep(seconds)

        threads = [threading.Thread(target=wait, args=(n,)) for n in (5.0, 2.0, 9.0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert world.now() == AT + timedelta(seconds=9)


def test_an_image_stands_in_with_the_declared_digest_and_size() -> None:
    with rehearsal(1, AT) as world:
        s3 = bucket(world.url, "images")
        stand_in("images", "a/b.bin", 4321, SHA)
        found = s3.head_object(Bucket="images", Key="a/b.bin", ChecksumMode="ENABLED")

        assert found["ContentLength"] == 4321
        assert found["ChecksumSHA256"] == "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
        assert found["Metadata"] == {"otactl": "rehearsal-stand-in"}


def test_an_image_needs_its_bucket() -> None:
    with rehearsal(1, AT), pytest.raises(ValueError, match="does not exist"):
        stand_in("nowhere", "a", 1, SHA)


def test_an_access_key_is_of_the_account_it_was_made_for() -> None:
    with rehearsal(1, AT) as world:
        for account in ("999988887777", "111122223333", "999988887777"):
            sts = client("sts", world.url, access_key(account, "eu-west-1"))
            assert sts.get_caller_identity()["Account"] == account


def test_what_another_simulator_of_this_process_holds_is_there_again_afterwards() -> None:
    with SimulatorServer() as other:
        s3 = bucket(other.url, "kept")
        s3.put_object(Bucket="kept", Key="k", Body=b"bytes")
        with rehearsal(1, AT) as world:
            assert bucket(world.url, "inner").list_buckets()["Buckets"][0]["Name"] == "inner"

        assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["kept"]
        assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"bytes"


def test_it_says_when_it_next_changes_by_itself() -> None:
    with rehearsal(1, AT) as world:
        assert world.next_change() is None
        device = {"id": "d1", "devEui": "70b3d57ed0000001", "rfRegion": "EU868"}
        for service in world.world.services.values():
            service.load_fleet({"devices": [device]})
        _start(world, AT + timedelta(minutes=40))

        assert world.next_change() == AT + timedelta(minutes=40)
        world.go_to(AT + timedelta(minutes=40))
        assert world.next_change() is None  # there is no image: the task is done at once


def test_the_log_of_calls_is_dropped_and_counted() -> None:
    with rehearsal(1, AT) as world:
        client("iotwireless", world.url).list_fuota_tasks()

        assert (world.forget_requests(), world.forget_requests()) == (1, 0)


def _start(world: Rehearsal, start: datetime) -> None:
    wireless = client("iotwireless", world.url)
    task = wireless.create_fuota_task(
        FirmwareUpdateImage="s3://nowhere/k",
        FirmwareUpdateRole="arn:aws:iam::123456789012:role/x",
        LoRaWAN={"RfRegion": "EU868"},
    )["Id"]
    wireless.associate_wireless_device_with_fuota_task(Id=task, WirelessDeviceId="d1")
    wireless.start_fuota_task(Id=task, LoRaWAN={"StartTime": start})
