"""FUOTA sessions by unmodified boto3: time passes on the simulator's clock, and devices tell what they heard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from otactl.lorawan.session import plan_session
from tests.support.simulator.stage import ACCOUNT, ASSUME, BUCKET, IMAGE, KEY, READ, REGION, SimulatorStage, policy

DEVICE = {"devEui": "70b3d57ed0000001", "id": "d1"}
FRAGMENTS, SETUP = 22, 60  # fragments of 48 bytes in IMAGE, seconds of set-up


def single(stage: SimulatorStage, image: bytes = IMAGE, device: dict[str, Any] | None = None, **task: Any) -> str:
    """A started task with one device."""
    stage.provision(image)
    stage.fleet({**DEVICE, **(device or {})})
    made = stage.task(**task)
    stage.add(made, "d1")
    stage.start(made)
    return made


def log(stage: SimulatorStage, task: str) -> str:
    """The task's log, as GET /_simulator/state shows it."""
    return "\n".join(next(t for t in stage.state()["tasks"] if t["id"] == task)["log"])


def test_a_task_waits_is_in_session_and_is_done_by_the_clock(stage: SimulatorStage) -> None:
    task = single(stage, FragmentIntervalMS=3000, RedundancyPercent=50)
    stage.advance(1799)
    assert stage.status(task) == "FuotaSession_Waiting"
    stage.advance(1)
    assert stage.status(task) == "In_FuotaSession"
    assert stage.device_statuses(task) == {"d1": "Initial"}
    stage.advance(SETUP + (FRAGMENTS + FRAGMENTS // 2) * 3 - 1)
    assert stage.status(task) == "In_FuotaSession"
    stage.advance(1)
    assert stage.status(task) == "FuotaDone"
    assert stage.device_statuses(task) == {"d1": "Successful"}
    assert stage.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == IMAGE


def length(stage: SimulatorStage, task: str) -> float:
    """Seconds from a task's start to its session's end."""
    stage.advance(1800)
    found = next(t for t in stage.state()["tasks"] if t["id"] == task)
    return (datetime.fromisoformat(found["sessionEnd"]) - datetime.fromisoformat(found["startTime"])).total_seconds()


def group_task(stage: SimulatorStage, **task: Any) -> str:
    """A started task to a group of EU868."""
    stage.provision()
    stage.fleet(DEVICE, groups=({"id": "g1", "name": "g1", "rfRegion": "EU868", "devices": ["d1"]},))
    made = stage.task(**task)
    stage.add_groups(made, "g1")
    stage.start(made)
    return made


def test_a_session_that_keeps_to_the_radio_takes_as_long_as_the_planner_says(stage: SimulatorStage) -> None:
    stage.settings(keepsToRadio=True)
    task = group_task(stage, FragmentSizeBytes=112, FragmentIntervalMS=4000, RedundancyPercent=20)
    plan = plan_session("EU868", 3, len(IMAGE), 112, 20, 4000)

    assert plan.spacing_ms > 4000  # 112 bytes go out at data rate 3, where 10 % of the time are not enough
    assert length(stage, task) == pytest.approx(SETUP + plan.session_seconds_rounded_up, abs=1)


@pytest.mark.parametrize(("rounding", "parity"), [("ceil", 3), ("floor", 2)])
def test_redundancy_is_rounded_as_the_switch_says(stage: SimulatorStage, rounding: str, parity: int) -> None:
    stage.settings(parityRounding=rounding, keepsToRadio=True)
    task = group_task(stage, FragmentSizeBytes=112, FragmentIntervalMS=9000, RedundancyPercent=25)

    assert length(stage, task) == pytest.approx(SETUP + (10 + parity - 1) * 9, abs=1)
    assert f"parity={parity}," in log(stage, task)


@pytest.mark.parametrize("devices", [1, 3])
def test_single_devices_get_their_image_one_after_another_where_the_radio_is_kept_to(
    stage: SimulatorStage, devices: int
) -> None:
    stage.settings(keepsToRadio=True, unicastFragmentBytes=13)
    stage.provision()
    names = [f"d{n}" for n in range(devices)]
    stage.fleet(*({"id": name, "devEui": f"70b3d57ed000000{n}"} for n, name in enumerate(names)))
    task = stage.task(RedundancyPercent=50)
    for name in names:
        stage.add(task, name)
    stage.start(task)
    plan = plan_session("EU868", None, len(IMAGE), None, 50, None)
    pause = plan.spacing_ms / 1000

    assert length(stage, task) == pytest.approx(SETUP + devices * (plan.session_seconds + pause) - pause, abs=1)


def test_a_leap_of_the_clock_goes_through_every_state_in_between(stage: SimulatorStage) -> None:
    task = single(stage)
    stage.advance(86400)
    assert stage.status(task) == "FuotaDone"
    assert stage.device_statuses(task) == {"d1": "Successful"}
    assert [line.split()[1] for line in log(stage, task).splitlines()] == ["INFO", "INFO"]


def test_two_tasks_after_one_another_do_not_conflict_in_one_leap_of_the_clock(stage: SimulatorStage) -> None:
    stage.provision()
    stage.fleet(DEVICE)
    tasks = [stage.task(), stage.task()]
    for hours, task in enumerate(tasks, 1):
        stage.add(task, "d1")
        stage.start(task, timedelta(hours=hours))
    stage.advance(86400)
    assert [stage.device_statuses(t) for t in tasks] == [{"d1": "Successful"}] * 2


def test_a_single_device_gets_fragments_of_the_size_the_service_chooses(stage: SimulatorStage) -> None:
    stage.settings(unicastFragmentBytes=64, unicastIntervalSeconds=5)
    task = single(stage, FragmentSizeBytes=112)
    stage.advance(1800 + 60 + 16 * 5 - 1)
    assert stage.status(task) == "In_FuotaSession"
    stage.advance(1)
    assert stage.status(task) == "FuotaDone"


def _no_role(stage: SimulatorStage) -> None:
    stage.iam.delete_role_policy(RoleName="updater", PolicyName="read")
    stage.iam.delete_role(RoleName="updater")


def _distrust(stage: SimulatorStage) -> None:
    other = {**ASSUME, "Principal": {"Service": "iot.amazonaws.com"}}
    stage.iam.update_assume_role_policy(RoleName="updater", PolicyDocument=policy(other))


def _forbid(stage: SimulatorStage) -> None:
    stage.iam.delete_role_policy(RoleName="updater", PolicyName="read")


def _permit_list_only(stage: SimulatorStage) -> None:
    listing = {**READ, "Action": "s3:ListBucket"}
    stage.iam.put_role_policy(RoleName="updater", PolicyName="read", PolicyDocument=policy(listing))


def _no_image(stage: SimulatorStage) -> None:
    stage.s3.delete_object(Bucket=BUCKET, Key=KEY)


def _no_bucket(stage: SimulatorStage) -> None:
    _no_image(stage)
    stage.s3.delete_bucket(Bucket=BUCKET)


def _empty(stage: SimulatorStage) -> None:
    stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"")


def _too_big(stage: SimulatorStage) -> None:
    stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=bytes(1_000_001))


def _elsewhere(stage: SimulatorStage) -> None:
    _no_bucket(stage)
    far = stage.client("s3", region="us-west-2")
    far.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    far.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE)


BROKEN: list[tuple[Callable[[SimulatorStage], None], str]] = [
    (_no_role, "does not exist"),
    (_distrust, "may not assume role"),
    (_forbid, "may not read"),
    (_permit_list_only, "may not read"),
    (_no_image, "holds no object"),
    (_no_bucket, f"bucket {BUCKET} does not exist"),
    (_empty, "must be at least 1 byte"),
    (_too_big, "the image has 1000001 bytes, the service takes 1000000"),
    (_elsewhere, "they must be the same Region"),
]


@pytest.mark.parametrize(("breaks", "why"), BROKEN, ids=lambda v: getattr(v, "__name__", None))
def test_a_wrong_role_or_image_shows_only_as_done_with_failed_devices(
    stage: SimulatorStage, breaks: Callable[[SimulatorStage], None], why: str
) -> None:
    task = single(stage)
    breaks(stage)
    stage.advance(1799)
    assert stage.status(task) == "FuotaSession_Waiting"
    stage.advance(1)
    assert stage.status(task) == "FuotaDone"
    assert stage.device_statuses(task) == {"d1": "Initial"}
    assert "ERROR" in log(stage, task)
    assert why in log(stage, task)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"FirmwareUpdateImage": "http://elsewhere/probe.bin"}, "is not s3://bucket/key"),
        ({"FirmwareUpdateImage": f"s3://{BUCKET}/other.bin"}, "holds no object"),
        ({"FirmwareUpdateRole": "updater"}, "is not the ARN of a role"),
        ({"FirmwareUpdateRole": f"arn:aws:iam::{ACCOUNT}:role/unknown"}, "does not exist"),
    ],
)
def test_a_task_is_made_and_started_whatever_its_image_and_role(
    stage: SimulatorStage, given: dict[str, str], why: str
) -> None:
    task = single(stage, **given)
    assert stage.status(task) == "FuotaSession_Waiting"
    stage.advance(1800)
    assert stage.status(task) == "FuotaDone"
    assert why in log(stage, task)


def test_the_image_is_read_when_the_session_starts_and_not_later(stage: SimulatorStage) -> None:
    task = single(stage)
    stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE * 2)
    stage.advance(1800)
    assert "fragments=43" in log(stage, task)
    _no_image(stage)
    stage.advance(7200)
    assert stage.device_statuses(task) == {"d1": "Successful"}


@pytest.mark.parametrize(("sends", "status"), [(True, "Successful"), (False, "Initial")])
def test_a_confused_deputy_condition_is_met_as_the_switch_says(stage: SimulatorStage, sends: bool, status: str) -> None:
    stage.settings(sourceConditions=sends)
    task = single(stage)
    condition = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:iotwireless:{REGION}:{ACCOUNT}:FuotaTask/*"},
    }
    stage.iam.update_assume_role_policy(RoleName="updater", PolicyDocument=policy({**ASSUME, "Condition": condition}))
    stage.advance(7200)
    assert stage.device_statuses(task) == {"d1": status}
