"""Faults and the rate quota as boto3 meets them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from otactl_simulator.faults import EFFECTS
from otactl_simulator.quotas import Quotas
from otactl_simulator.server import SimulatorServer
from tests.support.simulator.stage import BUCKET, KEY, KEYS, REGION, ROLE, URI, SimulatorStage, refusal

ServerAndStage = tuple[SimulatorServer, SimulatorStage]
THROTTLED = (429, "ThrottlingException", "Rate exceeded")
FAILED = (500, "InternalServerException", "an error that the simulator was asked to return")


def faults(stage: SimulatorStage, *rules: dict[str, Any]) -> None:
    """Put rules in force."""
    stage.post("faults", rules=list(rules))


def outcomes(stage: SimulatorStage, calls: int) -> str:
    """One letter for each of so many lists: a dot for an answer, the error's first letter for a refusal."""
    found = ""
    for _ in range(calls):
        try:
            stage.wireless.list_fuota_tasks()
            found += "."
        except ClientError as error:
            found += error.response["Error"]["Code"][0]
    return found


def tasks(stage: SimulatorStage) -> list[str]:
    """Names of the tasks there are, whatever faults say."""
    return [t["name"] for t in stage.state().get("tasks", [])]


@pytest.mark.parametrize(("effect", "said"), [("throttle", THROTTLED), ("error500", FAILED)])
def test_a_call_is_refused_and_not_carried_out(stage: SimulatorStage, effect: str, said: tuple[int, str, str]) -> None:
    faults(stage, {"service": "iotwireless", "operation": "CreateFuotaTask", "effect": effect})
    assert refusal(stage.task, Name="probe") == said
    assert tasks(stage) == []
    asked = stage.requests()[0]
    assert (asked["status"], asked["errorCode"], asked["fault"]) == (said[0], said[1], effect)
    assert stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []
    faults(stage)
    assert stage.task()


@pytest.mark.parametrize(("effect", "made"), [("timeoutBeforeCommit", []), ("timeoutAfterCommit", ["probe"])])
def test_a_connection_ends_without_an_answer_before_or_after_the_call_was_carried_out(
    stage: SimulatorStage, effect: str, made: list[str]
) -> None:
    faults(stage, {"operation": "CreateFuotaTask", "effect": effect, "nth": 1})
    with pytest.raises(ConnectionClosedError):
        stage.task(Name="probe", ClientRequestToken="t")
    assert tasks(stage) == made
    asked = stage.requests()[0]
    assert (asked["operation"], asked["status"], asked["fault"]) == ("CreateFuotaTask", 0, effect)
    again = stage.task(Name="probe", ClientRequestToken="t")
    assert [t["id"] for t in stage.state()["tasks"]] == [again]


@pytest.mark.parametrize("effect", ["throttle", "error500", "timeoutBeforeCommit", "timeoutAfterCommit"])
def test_boto3_as_it_comes_tries_again_and_gets_through(stage: SimulatorStage, effect: str) -> None:
    plain = boto3.client("iotwireless", region_name=REGION, endpoint_url=stage.url, **KEYS)
    faults(stage, {"operation": "CreateFuotaTask", "effect": effect, "nth": 1})
    made = plain.create_fuota_task(FirmwareUpdateImage=URI, FirmwareUpdateRole=ROLE)
    assert [t["id"] for t in stage.state()["tasks"]] == [made["Id"]]
    assert len(stage.requests()) == 2


def test_a_delayed_call_is_carried_out_however_soon_the_client_gives_up(stage: SimulatorStage) -> None:
    stage.wireless.list_fuota_tasks()
    hasty = stage.client("iotwireless", read_timeout=0.1)
    faults(stage, {"operation": "CreateFuotaTask", "effect": "delay", "seconds": 0.5, "count": 1})
    with pytest.raises(ReadTimeoutError):
        hasty.create_fuota_task(FirmwareUpdateImage=URI, FirmwareUpdateRole=ROLE, Name="slow")
    faults(stage, {"operation": "CreateFuotaTask", "effect": "delay", "seconds": 0.5, "count": 1})
    patient = stage.client("iotwireless", read_timeout=30)
    patient.create_fuota_task(FirmwareUpdateImage=URI, FirmwareUpdateRole=ROLE, Name="patient")
    assert tasks(stage) == ["slow", "patient"]
    assert [r["fault"] for r in stage.requests()[1:]] == ["delay", "delay"]


def test_a_call_that_is_delayed_beyond_a_reset_never_reaches_the_next_world(stage: SimulatorStage) -> None:
    hasty = stage.client("iotwireless", read_timeout=0.1)
    faults(stage, {"operation": "CreateFuotaTask", "effect": "delay", "seconds": 0.4, "count": 1})
    with pytest.raises(ReadTimeoutError):
        hasty.create_fuota_task(FirmwareUpdateImage=URI, FirmwareUpdateRole=ROLE, Name="of the last world")
    stage.post("reset")
    faults(stage, {"operation": "CreateFuotaTask", "effect": "delay", "seconds": 0.8, "count": 1})
    patient = stage.client("iotwireless", read_timeout=30)
    patient.create_fuota_task(FirmwareUpdateImage=URI, FirmwareUpdateRole=ROLE, Name="of this world")
    assert tasks(stage) == ["of this world"]


def test_a_stale_read_shows_a_task_as_it_was_before_its_last_write(stage: SimulatorStage) -> None:
    stage.settings(staleSeconds=30)
    stage.fleet({"devEui": "70b3d57ed0000001", "id": "d1"})
    task = stage.task(Name="old")
    stage.advance(60)
    stage.wireless.update_fuota_task(Id=task, Name="new")
    faults(stage, {"effect": "staleRead"})
    assert stage.wireless.get_fuota_task(Id=task)["Name"] == "old"
    stage.advance(29)
    assert stage.wireless.get_fuota_task(Id=task)["Name"] == "old"
    stage.advance(1)
    assert stage.wireless.get_fuota_task(Id=task)["Name"] == "new"
    stage.add(task, "d1")
    assert stage.device_statuses(task) == {}
    stage.advance(30)
    assert stage.device_statuses(task) == {"d1": "Initial"}


def test_a_stale_read_misses_a_task_just_made_and_sees_one_just_deleted(stage: SimulatorStage) -> None:
    stage.settings(staleSeconds=30, deleteWaitingSeconds=60)
    task = stage.task()
    faults(stage, {"effect": "staleRead"})
    assert refusal(stage.wireless.get_fuota_task, Id=task).status == 404
    assert stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []
    stage.advance(30)
    assert stage.status(task) == "Pending"
    assert len(stage.wireless.list_fuota_tasks()["FuotaTaskList"]) == 1
    stage.wireless.delete_fuota_task(Id=task)
    assert stage.status(task) == "Pending"
    stage.advance(30)
    assert stage.status(task) == "Delete_Waiting"
    stage.advance(30)
    assert refusal(stage.wireless.get_fuota_task, Id=task).status == 404


def test_a_stale_read_shows_the_groups_before_the_last_write(stage: SimulatorStage) -> None:
    stage.fleet(groups=({"name": "g", "id": "g1", "rfRegion": "EU868"},))
    task = stage.task()
    stage.advance(60)
    stage.add_groups(task, "g1")
    assert stage.wireless.list_multicast_groups_by_fuota_task(Id=task)["MulticastGroupList"] == [{"Id": "g1"}]
    faults(stage, {"effect": "staleRead", "operation": "ListMulticastGroupsByFuotaTask"})
    assert stage.wireless.list_multicast_groups_by_fuota_task(Id=task)["MulticastGroupList"] == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, "TTTTTT"),
        ({"nth": 3}, "..T..."),
        ({"count": 2}, "TT...."),
        ({"probability": 0.0}, "......"),
        ({"probability": 1.0}, "TTTTTT"),
        ({"probability": 0.5, "seed": 7}, "TT.T.T"),
        ({"probability": 1.0, "count": 1}, "T....."),
        ({"operation": "ListFuotaTasks"}, "TTTTTT"),
        ({"service": "*", "operation": "*", "nth": 1}, "T....."),
        ({"operation": "GetFuotaTask"}, "......"),
        ({"service": "s3"}, "......"),
    ],
)
def test_a_rule_hits_the_calls_it_names(stage: SimulatorStage, rule: dict[str, Any], expected: str) -> None:
    faults(stage, {"effect": "throttle", **rule})
    assert outcomes(stage, 6) == expected


def test_a_draw_is_the_same_for_the_same_seed(stage: SimulatorStage) -> None:
    found = []
    for seed in (1, 1, 2):
        faults(stage, {"effect": "throttle", "probability": 0.5, "seed": seed})
        found.append(outcomes(stage, 20))
    assert found[0] == found[1] != found[2]
    assert set(found[0]) == {"T", "."}


def test_the_first_rule_that_fires_wins_and_all_count_the_call(stage: SimulatorStage) -> None:
    faults(stage, {"effect": "throttle", "nth": 2}, {"effect": "error500", "nth": 3}, {"effect": "error500", "nth": 2})
    assert outcomes(stage, 4) == ".TI."


def test_new_rules_replace_the_old_ones(stage: SimulatorStage) -> None:
    faults(stage, {"effect": "throttle"})
    faults(stage, {"effect": "error500"})
    assert outcomes(stage, 1) == "I"
    faults(stage)
    assert outcomes(stage, 1) == "."


def test_every_effect_is_taken(stage: SimulatorStage) -> None:
    faults(stage, *({"effect": effect} for effect in EFFECTS))


@pytest.mark.parametrize(
    ("effect", "s3", "iam"),
    [("throttle", (503, "SlowDown"), (503, "SlowDown")), ("error500", (500, "InternalError"), (500, "InternalError"))],
)
def test_s3_and_iam_are_refused_in_their_own_format(
    stage: SimulatorStage, effect: str, s3: tuple[int, str], iam: tuple[int, str]
) -> None:
    stage.provision()
    faults(stage, {"service": "s3", "operation": "GetObject", "effect": effect}, {"service": "iam", "effect": effect})
    assert refusal(stage.s3.get_object, Bucket=BUCKET, Key=KEY)[:2] == s3
    assert refusal(stage.iam.get_role, RoleName="updater")[:2] == iam
    assert [r["fault"] for r in stage.requests()[-2:]] == [effect, effect]
    assert stage.s3.list_buckets()["Buckets"]


@pytest.mark.parametrize(("effect", "made"), [("timeoutBeforeCommit", []), ("timeoutAfterCommit", [BUCKET])])
def test_a_connection_to_s3_ends_before_or_after_the_call_was_carried_out(
    stage: SimulatorStage, effect: str, made: list[str]
) -> None:
    faults(stage, {"service": "s3", "operation": "CreateBucket", "effect": effect})
    with pytest.raises(ConnectionClosedError):
        stage.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert [b["Name"] for b in stage.s3.list_buckets()["Buckets"]] == made
    asked = stage.requests()[0]
    assert (asked["operation"], asked["status"], asked["fault"]) == ("CreateBucket", 0, effect)


def limited(simulator_server: ServerAndStage) -> list[float]:
    """The quota at its default, counted by seconds that the test holds."""
    seconds = [0.0]
    simulator_server[0].world.quotas = Quotas(lambda: seconds[0])
    return seconds


def test_the_eleventh_call_within_a_second_is_throttled_and_the_next_second_works(
    simulator_server: ServerAndStage, stage: SimulatorStage
) -> None:
    seconds = limited(simulator_server)
    assert outcomes(stage, 12) == "..........TT"
    assert refusal(stage.wireless.list_fuota_tasks) == THROTTLED
    seconds[0] = 1.0
    assert outcomes(stage, 11) == "..........T"
    seconds[0] = 1.1
    assert outcomes(stage, 2) == ".T"
    seconds[0] = 100.0  # rest is not saved up
    assert outcomes(stage, 11) == "..........T"


def test_a_throttled_call_is_not_carried_out(simulator_server: ServerAndStage, stage: SimulatorStage) -> None:
    limited(simulator_server)
    made = [stage.task(Name=f"t{n}") for n in range(10)]
    assert refusal(stage.task, Name="t10") == THROTTLED
    assert [t["id"] for t in stage.state()["tasks"]] == made
    assert stage.requests()[-1]["errorCode"] == "ThrottlingException"


def test_each_operation_account_and_region_has_its_own_rate(
    simulator_server: ServerAndStage, stage: SimulatorStage
) -> None:
    keys = stage.sts.assume_role(RoleArn="arn:aws:iam::444455556666:role/x", RoleSessionName="night")["Credentials"]
    limited(simulator_server)
    assert outcomes(stage, 11) == "..........T"
    assert stage.wireless.list_multicast_groups()
    assert stage.client("iotwireless", region="eu-central-1").list_fuota_tasks()
    assert stage.client("iotwireless", keys=keys).list_fuota_tasks()
    assert outcomes(stage, 1) == "T"


@pytest.mark.parametrize(("rate", "expected"), [(0, "." * 30), (2, ".." + "T" * 28), (0.5, "." + "T" * 29)])
def test_the_rate_is_a_setting(
    simulator_server: ServerAndStage, stage: SimulatorStage, rate: float, expected: str
) -> None:
    limited(simulator_server)
    stage.settings(callsPerSecond=rate)
    assert outcomes(stage, 30) == expected


def test_s3_has_no_rate(simulator_server: ServerAndStage, stage: SimulatorStage) -> None:
    limited(simulator_server)
    assert all(stage.s3.list_buckets()["Buckets"] == [] for _ in range(15))
