"""FUOTA tasks by unmodified boto3: made, read, edited, listed, refused, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.stage import ACCOUNT, REGION, ROLE, URI, SimulatorStage, refusal

DEVICE = {"devEui": "70b3d57ed0000001", "id": "d1"}
GROUP = {"name": "canary", "id": "g1", "rfRegion": "EU868", "devices": []}
FULL: dict[str, Any] = {
    "Name": "probe-1",
    "Description": "probes",
    "FirmwareUpdateImage": URI,
    "FirmwareUpdateRole": ROLE,
    "LoRaWAN": {"RfRegion": "EU868"},
    "RedundancyPercent": 30,
    "FragmentSizeBytes": 112,
    "FragmentIntervalMS": 9000,
    "Descriptor": "AAECAw==",
}
REGIONS = (
    "EU868",
    "US915",
    "AU915",
    "AS923-1",
    "AS923-2",
    "AS923-3",
    "AS923-4",
    "EU433",
    "CN470",
    "CN779",
    "RU864",
    "KR920",
    "IN865",
)
AFTER_PENDING = ("FuotaSession_Waiting", "In_FuotaSession", "FuotaDone", "Delete_Waiting")


def standing_at(stage: SimulatorStage, status: str) -> str:
    """A task with one device that has come as far as a status."""
    stage.provision()
    stage.fleet(DEVICE, {"devEui": "70b3d57ed0000002", "id": "d2"}, groups=(GROUP,))
    task = stage.task(**FULL)
    stage.add(task, "d1")
    if status != "Pending":
        stage.start(task)
    if status in ("In_FuotaSession", "FuotaDone"):
        stage.advance(1801 if status == "In_FuotaSession" else 7200)
    if status == "Delete_Waiting":
        stage.wireless.delete_fuota_task(Id=task)
    assert stage.status(task) == status
    return task


def shown(stage: SimulatorStage, task: str) -> dict[str, Any]:
    """What Get shows, without what HTTP adds."""
    answer = stage.wireless.get_fuota_task(Id=task)
    return {k: v for k, v in answer.items() if k != "ResponseMetadata"}


def test_a_task_is_read_back_as_it_was_made(stage: SimulatorStage) -> None:
    made = stage.wireless.create_fuota_task(**FULL, ClientRequestToken="t", Tags=[{"Key": "owner", "Value": "acme"}])
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["Arn"] == f"arn:aws:iotwireless:{REGION}:{ACCOUNT}:FuotaTask/{made['Id']}"
    assert shown(stage, made["Id"]) == {
        **FULL,
        "Id": made["Id"],
        "Arn": made["Arn"],
        "Status": "Pending",
        "CreatedAt": stage.now(),
    }
    tags = stage.wireless.list_tags_for_resource(ResourceArn=made["Arn"])["Tags"]
    assert tags == [{"Key": "owner", "Value": "acme"}]


def test_an_update_sets_what_it_gives_and_leaves_the_rest(stage: SimulatorStage) -> None:
    task = stage.task(**FULL)
    before = shown(stage, task)
    answer = stage.wireless.update_fuota_task(Id=task, Description="more probes", RedundancyPercent=40)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert shown(stage, task) == {**before, "Description": "more probes", "RedundancyPercent": 40}


@pytest.mark.parametrize("nothing", [{}, {"LoRaWAN": {}}])
def test_an_update_cannot_unset_anything(stage: SimulatorStage, nothing: dict[str, Any]) -> None:
    task = stage.task(**FULL)
    before = shown(stage, task)
    stage.wireless.update_fuota_task(Id=task, **nothing)
    assert shown(stage, task) == before


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("get_fuota_task", {}),
        ("update_fuota_task", {}),
        ("delete_fuota_task", {}),
        ("start_fuota_task", {}),
        ("list_multicast_groups_by_fuota_task", {}),
        ("associate_wireless_device_with_fuota_task", {"WirelessDeviceId": "d1"}),
        ("associate_multicast_group_with_fuota_task", {"MulticastGroupId": "g1"}),
    ],
)
def test_a_task_that_is_not_there_is_not_found(stage: SimulatorStage, operation: str, more: dict[str, str]) -> None:
    stage.fleet(DEVICE, groups=(GROUP,))
    assert refusal(getattr(stage.wireless, operation), Id="unknown", **more) == (
        404,
        "ResourceNotFoundException",
        "FuotaTask unknown not found",
    )


def test_a_task_is_seen_in_its_own_region_only(stage: SimulatorStage) -> None:
    task = stage.task(**FULL)
    elsewhere = stage.client("iotwireless", region="eu-central-1")
    assert refusal(elsewhere.get_fuota_task, Id=task).status == 404
    assert elsewhere.list_fuota_tasks()["FuotaTaskList"] == []


EDITS: list[tuple[str, dict[str, str]]] = [
    ("update_fuota_task", {"Description": "later"}),
    ("associate_wireless_device_with_fuota_task", {"WirelessDeviceId": "d2"}),
    ("disassociate_wireless_device_from_fuota_task", {"WirelessDeviceId": "d1"}),
    ("associate_multicast_group_with_fuota_task", {"MulticastGroupId": "g1"}),
    ("disassociate_multicast_group_from_fuota_task", {"MulticastGroupId": "g1"}),
]


@pytest.mark.parametrize(("error", "status"), [("ConflictException", 409), ("ValidationException", 400)])
@pytest.mark.parametrize("state", AFTER_PENDING)
def test_nothing_can_be_edited_once_a_task_left_pending(
    stage: SimulatorStage, state: str, error: str, status: int
) -> None:
    task = standing_at(stage, state)
    stage.settings(outsidePendingError=error)
    before = stage.state()["tasks"]
    for operation, more in EDITS:
        said = refusal(getattr(stage.wireless, operation), Id=task, **more)
        assert said == (status, error, f"the task is {state}; only a Pending task can be changed"), operation
    assert stage.state()["tasks"] == before


def test_a_conflict_names_its_resource(stage: SimulatorStage) -> None:
    task = standing_at(stage, "FuotaSession_Waiting")
    with pytest.raises(stage.wireless.exceptions.ConflictException) as caught:
        stage.wireless.update_fuota_task(Id=task, Name="n")
    assert caught.value.response["ResourceId"] == task
    assert caught.value.response["ResourceType"] == "FuotaTask"


@pytest.mark.parametrize("state", AFTER_PENDING)
def test_tags_can_be_changed_in_any_state(stage: SimulatorStage, state: str) -> None:
    arn = shown(stage, standing_at(stage, state))["Arn"]
    stage.wireless.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    stage.wireless.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert stage.wireless.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


@pytest.mark.parametrize("state", ["Pending", *AFTER_PENDING])
def test_a_task_is_deleted_from_every_state_and_gone_after_a_while(stage: SimulatorStage, state: str) -> None:
    task = standing_at(stage, state)
    arn = shown(stage, task)["Arn"]
    answer = stage.wireless.delete_fuota_task(Id=task)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    stage.advance(59)
    assert stage.status(task) == "Delete_Waiting"
    assert [t["Id"] for t in stage.wireless.list_fuota_tasks()["FuotaTaskList"]] == [task]
    stage.advance(1)
    assert refusal(stage.wireless.get_fuota_task, Id=task).code == "ResourceNotFoundException"
    assert stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []
    assert refusal(stage.wireless.list_tags_for_resource, ResourceArn=arn).status == 404


def test_a_second_delete_does_not_put_the_end_off(stage: SimulatorStage) -> None:
    stage.settings(deleteWaitingSeconds=100)
    task = stage.task()
    stage.wireless.delete_fuota_task(Id=task)
    stage.advance(99)
    stage.wireless.delete_fuota_task(Id=task)
    stage.advance(1)
    assert refusal(stage.wireless.get_fuota_task, Id=task).status == 404


def test_a_task_goes_at_once_when_deletion_takes_no_time(stage: SimulatorStage) -> None:
    stage.settings(deleteWaitingSeconds=0)
    task = stage.task()
    stage.wireless.delete_fuota_task(Id=task)
    assert refusal(stage.wireless.get_fuota_task, Id=task).status == 404


def test_a_list_shows_id_arn_and_name_alone(stage: SimulatorStage) -> None:
    task = stage.task(**FULL)
    nameless = stage.task()
    first, second = stage.wireless.list_fuota_tasks()["FuotaTaskList"]
    assert first == {"Id": task, "Arn": shown(stage, task)["Arn"], "Name": "probe-1"}
    assert second == {"Id": nameless, "Arn": shown(stage, nameless)["Arn"]}


@pytest.mark.parametrize(("size", "pages"), [(2, [2, 2, 1]), (5, [5]), (250, [5]), (0, [5]), (None, [5])])
def test_a_list_is_read_page_by_page(stage: SimulatorStage, size: int | None, pages: list[int]) -> None:
    made = [stage.task(Name=f"t{n}") for n in range(5)]
    found: list[list[str]] = []
    more: dict[str, Any] = {} if size is None else {"MaxResults": size}
    while True:
        answer = stage.wireless.list_fuota_tasks(**more)
        found.append([t["Id"] for t in answer["FuotaTaskList"]])
        if "NextToken" not in answer:
            break
        more["NextToken"] = answer["NextToken"]
    assert [len(page) for page in found] == pages
    assert [task for page in found for task in page] == made


@pytest.mark.parametrize("token", ["garbage", "****", "Zm9v"])
def test_a_page_token_the_service_never_gave_is_refused(stage: SimulatorStage, token: str) -> None:
    assert refusal(stage.wireless.list_fuota_tasks, NextToken=token) == (
        400,
        "ValidationException",
        "NextToken is not one this service gave",
    )


# Each of these passes boto3's own checks and goes out on the wire.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"RedundancyPercent": 101}, "RedundancyPercent must be at most 100"),
    ({"Name": "n" * 257}, "Name must be at most 256 characters"),
    ({"Description": "n" * 2049}, "Description must be at most 2048 characters"),
    ({"FirmwareUpdateImage": "s3://b/" + "k" * 4090}, "FirmwareUpdateImage must be at most 4096 characters"),
    ({"FirmwareUpdateRole": "r" * 2049}, "FirmwareUpdateRole must be at most 2048 characters"),
    ({"LoRaWAN": {"RfRegion": "XX"}}, f"LoRaWAN.RfRegion must be one of {', '.join(REGIONS)}"),
    ({"Descriptor": "not base64"}, "Descriptor must match"),
    ({"Descriptor": "AAAA" * 84}, "Descriptor must be at most 332 characters"),
]
REFUSED_AT_CREATE: list[tuple[dict[str, Any], str]] = [
    ({"ClientRequestToken": "a token"}, "ClientRequestToken must match"),
    ({"ClientRequestToken": "t" * 65}, "ClientRequestToken must be at most 64 characters"),
    ({"Tags": [{"Key": "k" * 129, "Value": ""}]}, "Tags[0].Key must be at most 128 characters"),
    ({"Tags": [{"Key": "k", "Value": "v" * 257}]}, "Tags[0].Value must be at most 256 characters"),
    ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(201)]}, "Tags must be at most 200 entries"),
]


@pytest.mark.parametrize(("wrong", "why"), [*REFUSED, *REFUSED_AT_CREATE])
def test_a_create_outside_the_model_is_refused_and_makes_nothing(
    stage: SimulatorStage, wrong: dict[str, Any], why: str
) -> None:
    said = refusal(stage.wireless.create_fuota_task, **{**FULL, **wrong})
    assert said[:2] == (400, "ValidationException")
    assert said.message.startswith(why)
    assert stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []


@pytest.mark.parametrize(("wrong", "why"), REFUSED)
def test_an_update_outside_the_model_is_refused_and_changes_nothing(
    stage: SimulatorStage, wrong: dict[str, Any], why: str
) -> None:
    task = stage.task(**FULL)
    before = shown(stage, task)
    said = refusal(stage.wireless.update_fuota_task, Id=task, **wrong)
    assert said[:2] == (400, "ValidationException")
    assert said.message.startswith(why)
    assert shown(stage, task) == before


@pytest.mark.parametrize("region", REGIONS)
def test_every_radio_region_of_the_model_is_taken(stage: SimulatorStage, region: str) -> None:
    assert shown(stage, stage.task(LoRaWAN={"RfRegion": region}))["LoRaWAN"] == {"RfRegion": region}


@pytest.mark.parametrize("percent", [0, 100])
def test_the_ends_of_the_redundancy_are_taken(stage: SimulatorStage, percent: int) -> None:
    assert shown(stage, stage.task(RedundancyPercent=percent))["RedundancyPercent"] == percent


def test_a_page_over_250_is_refused(stage: SimulatorStage) -> None:
    assert refusal(stage.wireless.list_fuota_tasks, MaxResults=251).message == "MaxResults must be at most 250"


def test_a_resource_has_at_most_50_tags(stage: SimulatorStage) -> None:
    arn = shown(stage, stage.task(Tags=[{"Key": f"k{n}", "Value": ""} for n in range(49)]))["Arn"]
    two = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": ""}]
    assert refusal(stage.wireless.tag_resource, ResourceArn=arn, Tags=two)[:2] == (400, "TooManyTagsException")
    stage.wireless.tag_resource(ResourceArn=arn, Tags=[two[0], {"Key": "k0", "Value": "again"}])
    assert len(stage.wireless.list_tags_for_resource(ResourceArn=arn)["Tags"]) == 50


DEFAULTS = {"RedundancyPercent": 0, "FragmentSizeBytes": 48, "FragmentIntervalMS": 2000}


@pytest.mark.parametrize(("echo", "expected"), [(False, {}), (True, DEFAULTS)])
def test_settings_never_given_are_echoed_as_the_switch_says(
    stage: SimulatorStage, echo: bool, expected: dict[str, int]
) -> None:
    stage.settings(echoDefaults=echo)
    found = shown(stage, stage.task())
    assert {k: v for k, v in found.items() if k in DEFAULTS} == expected
    found = shown(stage, stage.task(RedundancyPercent=7))
    assert found["RedundancyPercent"] == 7


@pytest.mark.parametrize(
    ("switch", "given", "read"),
    [(True, 2600, 3000), (True, 2400, 2000), (True, 100, 1000), (True, 9000, 9000), (False, 2600, 2600)],
)
def test_the_interval_is_rounded_as_the_switch_says(stage: SimulatorStage, switch: bool, given: int, read: int) -> None:
    stage.settings(roundInterval=switch)
    assert shown(stage, stage.task(FragmentIntervalMS=given))["FragmentIntervalMS"] == read
