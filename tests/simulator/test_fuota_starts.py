"""Starting FUOTA tasks, and making them once: the 30 minutes, the second start, the request token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.simulator.stage import LEAD, ROLE, URI, SimulatorStage, refusal

SECOND = timedelta(seconds=1)
TOO_SOON = "StartTime must be at least 30 minutes from now"


def filled(stage: SimulatorStage) -> str:
    """A Pending task with one device and a readable image."""
    stage.provision()
    stage.fleet({"devEui": "70b3d57ed0000001", "id": "d1"})
    task = stage.task()
    stage.add(task, "d1")
    return task


def start_time(stage: SimulatorStage, task: str) -> object:
    """The StartTime that Get shows; None when it shows none."""
    return stage.wireless.get_fuota_task(Id=task)["LoRaWAN"].get("StartTime")


def test_a_start_half_an_hour_ahead_is_accepted_and_shown(stage: SimulatorStage) -> None:
    task = filled(stage)
    assert start_time(stage, task) is None
    moment = stage.now() + LEAD
    answer = stage.wireless.start_fuota_task(Id=task, LoRaWAN={"StartTime": moment})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert stage.status(task) == "FuotaSession_Waiting"
    assert start_time(stage, task) == moment


@pytest.mark.parametrize("ahead", [LEAD - SECOND, timedelta(minutes=10), timedelta(0), -LEAD])
@pytest.mark.parametrize(("error", "status"), [("ValidationException", 400), ("ConflictException", 409)])
def test_a_start_less_than_half_an_hour_ahead_is_refused(
    stage: SimulatorStage, ahead: timedelta, error: str, status: int
) -> None:
    task = filled(stage)
    stage.settings(startTooSoonError=error)
    wanted = {"StartTime": stage.now() + ahead}
    assert refusal(stage.wireless.start_fuota_task, Id=task, LoRaWAN=wanted) == (status, error, TOO_SOON)
    assert stage.status(task) == "Pending"
    assert start_time(stage, task) is None


def test_the_half_hour_counts_from_the_simulated_time(stage: SimulatorStage) -> None:
    task = filled(stage)
    moment = stage.now() + LEAD
    stage.advance(1)
    assert refusal(stage.wireless.start_fuota_task, Id=task, LoRaWAN={"StartTime": moment}).message == TOO_SOON


def test_a_start_may_lie_a_year_ahead(stage: SimulatorStage) -> None:
    task = filled(stage)
    stage.start(task, timedelta(days=365))
    stage.advance(364 * 86400)
    assert stage.status(task) == "FuotaSession_Waiting"


@pytest.mark.parametrize("wanted", [{}, {"LoRaWAN": {}}])
def test_a_start_without_a_time_is_refused_as_the_switch_says(stage: SimulatorStage, wanted: dict[str, Any]) -> None:
    task = filled(stage)
    stage.settings(startWithoutTime="refuse")
    said = refusal(stage.wireless.start_fuota_task, Id=task, **wanted)
    assert said == (400, "ValidationException", "LoRaWAN.StartTime is required")
    assert stage.status(task) == "Pending"
    stage.settings(startWithoutTime="soonest")
    stage.wireless.start_fuota_task(Id=task, **wanted)
    assert stage.status(task) == "FuotaSession_Waiting"
    assert start_time(stage, task) == stage.now() + LEAD


def test_a_second_start_while_waiting_is_a_conflict_and_moves_nothing(stage: SimulatorStage) -> None:
    task = filled(stage)
    moment = stage.start(task)
    said = refusal(stage.wireless.start_fuota_task, Id=task, LoRaWAN={"StartTime": moment + LEAD})
    assert said == (
        409,
        "ConflictException",
        "the task is FuotaSession_Waiting; only a Pending task can be started",
    )
    assert start_time(stage, task) == moment


def test_a_second_start_while_waiting_moves_the_time_when_switched(stage: SimulatorStage) -> None:
    task = filled(stage)
    stage.settings(secondStart="moves")
    first = stage.start(task)
    second = stage.start(task, 2 * LEAD)
    assert start_time(stage, task) == second
    stage.advance((first - stage.now()).total_seconds())
    assert stage.status(task) == "FuotaSession_Waiting"
    stage.advance(LEAD.total_seconds())
    assert stage.status(task) == "In_FuotaSession"


@pytest.mark.parametrize("switch", ["conflict", "moves"])
@pytest.mark.parametrize(("passed", "state"), [(1801, "In_FuotaSession"), (7200, "FuotaDone")])
def test_a_task_that_began_is_never_started_again(stage: SimulatorStage, passed: int, state: str, switch: str) -> None:
    task = filled(stage)
    stage.settings(secondStart=switch)
    stage.start(task)
    stage.advance(passed)
    said = refusal(stage.start, task=task)
    assert said == (409, "ConflictException", f"the task is {state}; only a Pending task can be started")
    assert stage.status(task) == state


@pytest.mark.parametrize("switch", ["conflict", "moves"])
def test_a_deleted_task_is_not_started(stage: SimulatorStage, switch: str) -> None:
    task = filled(stage)
    stage.settings(secondStart=switch)
    stage.wireless.delete_fuota_task(Id=task)
    assert refusal(stage.start, task=task)[:2] == (409, "ConflictException")
    assert stage.status(task) == "Delete_Waiting"


def test_an_empty_task_is_not_started(stage: SimulatorStage) -> None:
    task = stage.task()
    said = refusal(stage.start, task=task)
    assert said == (400, "ValidationException", "the task has neither devices nor multicast groups")
    assert stage.status(task) == "Pending"


Make = Callable[..., str]


def makers(stage: SimulatorStage) -> dict[str, Make]:
    """How to make each kind that takes a ClientRequestToken; the changes are Create's members."""

    def task(**changes: Any) -> str:
        return stage.task(**changes)

    def group(**changes: Any) -> str:
        lorawan = {"RfRegion": "EU868", "DlClass": "ClassC"}
        return str(stage.wireless.create_multicast_group(LoRaWAN=lorawan, **changes)["Id"])

    def device(**changes: Any) -> str:
        return str(stage.wireless.create_wireless_device(Type="LoRaWAN", DestinationName="out", **changes)["Id"])

    return {"task": task, "group": group, "device": device}


def forget(stage: SimulatorStage, kind: str, made: str) -> None:
    """Delete what was made, and wait until it is gone."""
    name = {"task": "fuota_task", "group": "multicast_group", "device": "wireless_device"}[kind]
    getattr(stage.wireless, f"delete_{name}")(Id=made)
    stage.advance(60)
    if kind != "device":
        assert refusal(getattr(stage.wireless, f"get_{name}"), Id=made).status == 404


KINDS = pytest.mark.parametrize("kind", ["task", "group", "device"])


@KINDS
def test_a_token_makes_once_and_answers_the_first_again(stage: SimulatorStage, kind: str) -> None:
    make = makers(stage)[kind]
    first = make(Name="probe", ClientRequestToken="t-1")
    assert make(Name="probe", ClientRequestToken="t-1") == first
    assert make(Name="probe", ClientRequestToken="t-2") != first
    assert make(Name="probe") != make(Name="probe")
    assert len(stage.state()[f"{kind}s"]) == 4


@KINDS
def test_a_used_token_with_other_parameters_is_a_conflict(stage: SimulatorStage, kind: str) -> None:
    make = makers(stage)[kind]
    first = make(Name="probe", ClientRequestToken="t")
    said = refusal(make, Name="other", ClientRequestToken="t")
    assert said == (409, "ConflictException", "this ClientRequestToken was used with other parameters")
    assert [item["id"] for item in stage.state()[f"{kind}s"]] == [first]


@pytest.mark.parametrize(
    "change",
    [
        {"FirmwareUpdateImage": f"{URI}.2"},
        {"FirmwareUpdateRole": f"{ROLE}2"},
        {"LoRaWAN": {"RfRegion": "US915"}},
        {"Tags": [{"Key": "attempt", "Value": "2"}]},
        {"RedundancyPercent": 31},
    ],
)
def test_every_parameter_counts_for_a_token(stage: SimulatorStage, change: dict[str, Any]) -> None:
    same = {"RedundancyPercent": 30, "Tags": [{"Key": "attempt", "Value": "1"}], "ClientRequestToken": "t"}
    stage.task(**same)
    assert refusal(stage.task, **{**same, **change})[:2] == (409, "ConflictException")


@KINDS
def test_a_used_token_with_the_same_parameters_is_a_conflict_when_switched(stage: SimulatorStage, kind: str) -> None:
    make = makers(stage)[kind]
    stage.settings(usedToken="conflict")
    first = make(Name="probe", ClientRequestToken="t")
    said = refusal(make, Name="probe", ClientRequestToken="t")
    assert said == (409, "ConflictException", "a resource was made with this ClientRequestToken already")
    assert [item["id"] for item in stage.state()[f"{kind}s"]] == [first]


@pytest.mark.parametrize("after", ["new", "old"])
def test_a_token_still_means_its_task_while_that_is_being_deleted(stage: SimulatorStage, after: str) -> None:
    stage.settings(tokenAfterDelete=after)
    first = stage.task(ClientRequestToken="t")
    stage.wireless.delete_fuota_task(Id=first)
    assert stage.task(ClientRequestToken="t") == first
    assert refusal(stage.task, Name="other", ClientRequestToken="t").status == 409


@KINDS
def test_a_token_makes_again_once_its_resource_is_gone(stage: SimulatorStage, kind: str) -> None:
    make = makers(stage)[kind]
    first = make(Name="probe", ClientRequestToken="t")
    forget(stage, kind, first)
    second = make(Name="other", ClientRequestToken="t")
    assert second != first
    assert [item["id"] for item in stage.state()[f"{kind}s"]] == [second]


@KINDS
def test_a_token_outlives_its_resource_when_switched(stage: SimulatorStage, kind: str) -> None:
    make = makers(stage)[kind]
    stage.settings(tokenAfterDelete="old")
    first = make(Name="probe", ClientRequestToken="t")
    forget(stage, kind, first)
    assert make(Name="probe", ClientRequestToken="t") == first
    assert refusal(make, Name="other", ClientRequestToken="t").status == 409
    assert stage.state()[f"{kind}s"] == []


def test_a_token_of_one_kind_says_nothing_about_another(stage: SimulatorStage) -> None:
    made = [make(Name="probe", ClientRequestToken="t") for make in makers(stage).values()]
    assert len(set(made)) == 3


def test_tokens_of_two_regions_do_not_meet(stage: SimulatorStage) -> None:
    there = stage.client("iotwireless", region="eu-central-1")
    first = stage.task(ClientRequestToken="t")
    again = there.create_fuota_task(FirmwareUpdateImage="s3://b/k", FirmwareUpdateRole=ROLE, ClientRequestToken="t")
    assert again["Id"] != first
