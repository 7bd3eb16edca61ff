"""The control API under /_simulator/, and what stands beside IoT Wireless on the same port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from otactl_simulator.control import ROUTES, Route
from otactl_simulator.iotwireless.settings import SWITCHES
from otactl_simulator.server import SimulatorServer
from otactl_simulator.wire.models import SERVICES
from tests.support.simulator.stage import ACCOUNT, BUCKET, IMAGE, KEY, ROLE, SimulatorStage, refusal

ServerAndStage = tuple[SimulatorServer, SimulatorStage]
DEVICE = {"devEui": "70b3d57ed0000001", "id": "d1", "rfRegion": "EU868"}


def test_the_clock_moves_by_seconds(stage: SimulatorStage) -> None:
    before = stage.now()
    answer = stage.post("clock", advanceSeconds=90.5)
    assert datetime.fromisoformat(answer["now"]) == before + timedelta(seconds=90.5)
    assert stage.now() == before + timedelta(seconds=90.5)


@pytest.mark.parametrize("zone", ["+00:00", "Z", "+02:00"])
def test_the_clock_is_set_to_a_moment(stage: SimulatorStage, zone: str) -> None:
    wanted = datetime(2100, 3, 1, 12, tzinfo=UTC) - timedelta(hours=2 if zone == "+02:00" else 0)
    answer = stage.post("clock", now=f"2100-03-01T12:00:00{zone}")
    assert datetime.fromisoformat(answer["now"]) == wanted == stage.now()


def test_moving_the_clock_moves_the_tasks_before_it_answers(
    simulator_server: ServerAndStage, stage: SimulatorStage
) -> None:
    task = stage.task()
    stage.wireless.delete_fuota_task(Id=task)
    stage.advance(60)
    stores = simulator_server[0].world.services["iotwireless"].snapshot()
    assert stores[f"{ACCOUNT}/eu-west-1"] == {"tasks": [], "groups": [], "devices": []}


WRONG: list[tuple[str, bytes, str]] = [
    ("clock", b"{", "the body is not JSON"),
    ("clock", b"[]", "the body must be a JSON object"),
    ("clock", b"", 'give {"advanceSeconds": n} or {"now": "2026-01-01T00:00:00Z"}'),
    ("clock", b'{"advanceSeconds": "9"}', 'give {"advanceSeconds": n}'),
    ("clock", b'{"advanceSeconds": true}', 'give {"advanceSeconds": n}'),
    ("clock", b'{"advanceSeconds": -1}', "the clock moves forward only"),
    ("clock", b'{"advanceSeconds": 1e300}', ""),
    ("clock", b'{"advanceSeconds": 1e12}', ""),
    ("clock", b'{"advanceSeconds": Infinity}', ""),
    ("clock", b'{"advanceSeconds": NaN}', ""),
    ("clock", b'{"now": "2100-01-01T00:00:00"}', "the time must carry a zone"),
    ("clock", b'{"now": "2001-01-01T00:00:00Z"}', "the clock moves forward only"),
    ("clock", b'{"now": "tomorrow"}', "Invalid isoformat string"),
    ("faults", b"{}", "rules must be a list"),
    ("faults", b'{"rules": ["throttle"]}', "a rule must be an object"),
    ("faults", b'{"rules": [{"effect": "explode"}]}', "effect 'explode' is none of throttle, error500, "),
    ("faults", b'{"rules": [{"service": "s3"}]}', "effect None is none of throttle, error500, "),
    ("faults", b'{"rules": [{"effect": "delay", "sec": 1}]}', "unknown key sec; a rule has count, effect, "),
    ("faults", b'{"rules": [{"effect": "throttle"}, {"effect": "throttle", "nth": "x"}]}', "invalid literal"),
    ("settings", b'{"gravity": 1}', "unknown setting gravity; there are "),
    ("settings", b'{"echoDefaults": true, "secondStart": "x"}', "secondStart is one of conflict, moves: "),
    ("settings", b'{"echoDefaults": 1}', "echoDefaults is one of True, False: "),
    ("settings", b'{"deleteWaitingSeconds": -1}', "deleteWaitingSeconds is a number, not below 0: "),
    ("settings", b'{"deleteWaitingSeconds": true}', "deleteWaitingSeconds is a number, not below 0: "),
    ("settings", b'{"echoDefaults": true, "callsPerSecond": -1}', "callsPerSecond must be a number"),
    ("fleet", b'{"cars": []}', "unknown key cars of a fleet; there are "),
    ("fleet", b'{"devices": {}}', "devices must be a list of objects"),
    ("fleet", b'{"devices": [{"devEui": "1"}, {"id": "d1"}]}', "a device needs devEui"),
    ("fleet", b'{"devices": [{"devEui": "1"}, {"devEui": "2", "x": 1}]}', "unknown key x of a device; there are "),
    ("fleet", b'{"devices": [{"devEui": "1", "loss": 1.1}]}', "loss of 1 is between 0 and 1, not 1.1"),
    ("fleet", b'{"devices": [{"devEui": "1", "behaviour": "x"}]}', "behaviour 'x' is none of "),
    ("fleet", b'{"devices": [{"devEui": "1"}, {"devEui": "2", "caps": {"maxLost": "many"}}]}', "maxLost of 2"),
    ("fleet", b'{"devices": [{"devEui": "1", "caps": {"wheels": 4}}]}', "unknown key wheels of a device's caps"),
    ("fleet", b'{"groups": [{"name": "g"}]}', "a group needs name and rfRegion"),
    (
        "fleet",
        b'{"devices": [{"devEui": "1"}], "groups": [{"name": "g", "rfRegion": "EU868", "devices": ["2"]}]}',
        "group g names devices that are not there: 2",
    ),
]


@pytest.mark.parametrize(("name", "body", "why"), WRONG)
def test_a_wrong_body_is_answered_400_with_a_sentence_and_changes_nothing(
    stage: SimulatorStage, name: str, body: bytes, why: str
) -> None:
    assert stage.wireless.list_wireless_devices()["WirelessDeviceList"] == []
    before = (stage.ask("GET", "state"), stage.ask("GET", "settings"))
    status, answer = stage.ask("POST", name, body)
    assert status == 400
    assert set(answer) == {"error"}
    assert answer["error"].startswith(why)
    assert answer["error"]
    assert (stage.ask("GET", "state"), stage.ask("GET", "settings")) == before
    assert stage.task()  # no rule of a refused list is in force


@pytest.mark.parametrize(
    ("method", "name"), [("POST", "state"), ("GET", "reset"), ("GET", "weather"), ("PUT", "clock")]
)
def test_what_the_control_api_does_not_have_is_answered_404_with_what_it_has(
    stage: SimulatorStage, method: str, name: str
) -> None:
    status, answer = stage.ask(method, name, b"{}" if method != "GET" else None)
    assert status == 404
    assert answer["error"].startswith(
        f"no {method} /_simulator/{name}; there are GET /_simulator/, GET /_simulator/requests, "
    )


def test_the_control_api_answers_loopback_alone(simulator_server: ServerAndStage, stage: SimulatorStage) -> None:
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: MutableMapping[str, Any]) -> None:
        said.append(event)

    scope = {"type": "http", "method": "POST", "raw_path": b"/_simulator/reset", "client": ("192.0.2.1", 5000)}
    task = stage.task()
    asyncio.run(simulator_server[0].app(scope, receive, send))
    assert (said[0]["status"], said[1]["body"]) == (403, b"loopback only")
    assert stage.status(task) == "Pending"


def test_the_settings_show_every_switch_with_its_default(stage: SimulatorStage) -> None:
    stage.post("reset")
    defaults = {name: switch.default for name, switch in SWITCHES.items()}
    status, fresh = stage.ask("GET", "settings")
    assert (status, fresh) == (200, {**fresh, "callsPerSecond": 10.0, **defaults})
    stage.settings(echoDefaults=True, callsPerSecond=0)
    assert stage.ask("GET", "settings") == (200, {**fresh, "callsPerSecond": 0.0, "echoDefaults": True})


def test_the_state_tells_time_seed_and_every_task_group_and_device(stage: SimulatorStage) -> None:
    stage.fleet({**DEVICE, "tags": {"site": "a"}}, groups=({"name": "g", "id": "g1", "rfRegion": "EU868"},))
    task = stage.task(Name="probe", Tags=[{"Key": "owner", "Value": "acme"}])
    stage.add(task, "d1")
    moment = stage.start(task)
    status, state = stage.ask("GET", "state")
    assert (status, set(state), state["seed"]) == (200, {"now", "seed", "tuya", *SERVICES}, 3)
    held = state["iotwireless"][f"{ACCOUNT}/eu-west-1"]
    assert held["tasks"] == [
        {
            "id": task,
            "name": "probe",
            "status": "FuotaSession_Waiting",
            "startTime": moment.isoformat(),
            "sessionEnd": None,
            "devices": ["d1"],
            "groups": [],
            "deviceStatuses": {},
            "tags": {"owner": "acme"},
            "log": [],
        }
    ]
    assert [g["id"] for g in held["groups"]] == ["g1"]
    assert [d["id"] for d in held["devices"]] == ["d1"]


def test_every_request_is_remembered_with_what_was_asked_and_answered(stage: SimulatorStage) -> None:
    at = stage.now().isoformat()
    task = stage.task(Name="probe", ClientRequestToken="t")
    refusal(stage.wireless.get_fuota_task, Id="unknown")
    stage.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    made, missed, bucket = stage.requests()
    assert made == {
        "n": 1,
        "at": at,
        "service": "iotwireless",
        "operation": "CreateFuotaTask",
        "parameters": {
            "Name": "probe",
            "ClientRequestToken": "t",
            "LoRaWAN": {"RfRegion": "EU868"},
            "FirmwareUpdateImage": f"s3://{BUCKET}/{KEY}",
            "FirmwareUpdateRole": ROLE,
        },
        "status": 201,
        "errorCode": None,
        "fault": None,
    }
    assert (missed["n"], missed["parameters"], missed["status"]) == (2, {"Id": "unknown"}, 404)
    assert missed["errorCode"] == "ResourceNotFoundException"
    assert (bucket["service"], bucket["operation"], bucket["status"]) == ("s3", "CreateBucket", 200)
    assert task == stage.state()["tasks"][0]["id"]


def test_the_fleet_is_added_to_and_changed_by_the_same_eui(stage: SimulatorStage) -> None:
    stage.fleet(DEVICE)
    stage.fleet({"devEui": "70B3D57ED0000001", "name": "renamed"}, {"devEui": "70b3d57ed0000002"})
    listed = stage.wireless.list_wireless_devices()["WirelessDeviceList"]
    assert [(d["Name"], d["LoRaWAN"]["DevEui"]) for d in listed] == [
        ("renamed", "70b3d57ed0000001"),
        ("70b3d57ed0000002", "70b3d57ed0000002"),
    ]
    assert listed[0]["Id"] == "d1"


def test_a_fleet_goes_to_the_account_and_region_it_names(stage: SimulatorStage) -> None:
    stage.post("fleet", region="us-west-2", account=ACCOUNT, devices=[DEVICE])
    assert stage.wireless.list_wireless_devices()["WirelessDeviceList"] == []
    there = stage.client("iotwireless", region="us-west-2")
    assert [d["Id"] for d in there.list_wireless_devices()["WirelessDeviceList"]] == ["d1"]


def test_a_device_of_the_fleet_is_read_by_id_eui_and_thing(stage: SimulatorStage) -> None:
    stage.fleet({**DEVICE, "thing": "probe-1"})
    for kind, value in (("WirelessDeviceId", "d1"), ("DevEui", "70b3d57ed0000001"), ("ThingName", "probe-1")):
        found = stage.wireless.get_wireless_device(IdentifierType=kind, Identifier=value)
        assert found["Id"] == "d1"
        assert "FuotaDeviceStatus" not in found


def test_a_reset_forgets_everything(stage: SimulatorStage) -> None:
    stage.provision()
    stage.fleet(DEVICE)
    stage.task(ClientRequestToken="t")
    stage.settings(echoDefaults=True)
    stage.post("faults", rules=[{"effect": "error500"}])
    stage.advance(10 * 365 * 86400)
    stage.post("reset")
    assert stage.requests() == []
    assert stage.state() == {}
    assert stage.ask("GET", "settings")[1]["echoDefaults"] is False
    assert stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []
    assert stage.s3.list_buckets()["Buckets"] == []
    assert refusal(stage.iam.get_role, RoleName="updater").code == "NoSuchEntity"
    assert abs(stage.now() - datetime.now(UTC)) < timedelta(days=1)


def test_the_same_calls_after_a_reset_give_the_same_ids(stage: SimulatorStage) -> None:
    first = [stage.task(), stage.task()]
    stage.reset()
    assert [stage.task(), stage.task()] == first
    assert len(set(first)) == 2


@pytest.mark.parametrize("service", ["iotwireless", "s3", "iam", "sts"])
@pytest.mark.parametrize("seconds", [0, 400 * 86400])
def test_the_date_of_an_answer_is_the_simulated_time(stage: SimulatorStage, service: str, seconds: int) -> None:
    stage.advance(seconds)
    call = {
        "iotwireless": stage.wireless.list_fuota_tasks,
        "s3": stage.s3.list_buckets,
        "iam": stage.iam.list_roles,
        "sts": stage.sts.get_caller_identity,
    }[service]
    headers = call()["ResponseMetadata"]["HTTPHeaders"]
    assert parsedate_to_datetime(headers["date"]) == stage.now().replace(microsecond=0)


def test_s3_iam_and_sts_answer_beside_it(stage: SimulatorStage) -> None:
    stage.provision()
    assert stage.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == IMAGE
    assert stage.iam.get_role(RoleName="updater")["Role"]["Arn"] == ROLE
    assert stage.sts.get_caller_identity()["Account"] == ACCOUNT
    asked = [(r["service"], r["operation"]) for r in stage.requests()[-3:]]
    assert asked == [("s3", "GetObject"), ("iam", "GetRole"), ("sts", "GetCallerIdentity")]


def test_the_account_of_a_call_is_that_of_its_key(stage: SimulatorStage) -> None:
    role = stage.sts.assume_role(RoleArn="arn:aws:iam::444455556666:role/deployer", RoleSessionName="night")
    keys = role["Credentials"]
    other = stage.client("iotwireless", keys=keys)
    made = other.create_fuota_task(FirmwareUpdateImage="s3://b/k", FirmwareUpdateRole=ROLE)
    assert made["Arn"].split(":")[4] == "444455556666"
    assert stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []


def test_another_service_is_refused_in_words(stage: SimulatorStage) -> None:
    assert refusal(stage.client("dynamodb").list_tables).status == 501
    assert [(r["service"], r["status"]) for r in stage.requests()] == [("dynamodb", 501)]


def test_the_control_api_lists_every_request_it_answers(stage: SimulatorStage) -> None:
    guide = stage.ask("GET", "")[1]
    listed = {(each["method"], each["path"].removeprefix("/_simulator/")) for each in guide["requests"]}

    refused = stage.ask("GET", "nothing")[1]["error"].partition("; there are ")[2]
    answered = {(m, p.removeprefix("/_simulator/")) for m, p in (each.split() for each in refused.split(", "))}

    assert listed == answered


def test_the_control_api_lists_every_setting_with_its_value(stage: SimulatorStage) -> None:
    listed = stage.ask("GET", "")[1]["settings"]

    assert {name: each["value"] for name, each in listed.items()} == stage.ask("GET", "settings")[1]
    assert [name for name in SWITCHES if not listed[name]["about"]] == []


@pytest.mark.parametrize("route", [each for each in ROUTES if each.body], ids=lambda each: each.name)
def test_each_example_body_is_accepted(stage: SimulatorStage, route: Route) -> None:
    assert "now" in stage.post(route.name, **json.loads(route.body))
