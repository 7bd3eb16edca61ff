"""What simulated devices do with a job by the clock, and how a fleet of them is put in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from otactl_simulator.iot.state import JobOrder, Store
from otactl_simulator.server import SimulatorServer
from tests.support.simulator.iot_fleet import Floor, arn
from tests.support.simulator.stage import ACCOUNT, REGION, SimulatorStage

ServerAndStage = tuple[SimulatorServer, SimulatorStage]
OLD, NEW = (hashlib.sha256(image).hexdigest() for image in (b"old", b"new"))
Send = Callable[..., None]


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    return Floor(stage)


@pytest.fixture
def send(simulator_server: ServerAndStage, floor: Floor) -> Send:
    """Sends an image as an OTA update's job does: CreateJob itself knows no images."""

    def sent(*targets: str, job: str = "j", image: str = NEW, version: str = "2.0.0", **configs: Any) -> None:
        iot: Any = simulator_server[0].world.services["iot"]
        store: Store = iot._stores.at(ACCOUNT, REGION)
        chosen = [arn(target) for target in targets]
        order = JobOrder(
            id=job, targets=chosen, document="{}", image_sha256=image, image_version=version, configs=configs
        )
        iot._jobs.create(store, order)

    return sent


def put(floor: Floor, behaviour: str, name: str = "t", **given: Any) -> None:
    """One device that runs the old image."""
    floor.things(name, **{"behaviour": behaviour, "firmwareVersion": "1.0.0", "imageSha256": OLD, **given})


def found(floor: Floor, name: str = "t") -> tuple[str, str]:
    """The version a thing reports in its shadow and in its attribute."""
    shadow = floor.shadow(name)["state"]["reported"]["firmware"]["version"]
    return shadow, floor.iot.describe_thing(thingName=name)["attributes"]["firmwareVersion"]


def runs(floor: Floor, name: str = "t") -> tuple[str, str]:
    """The version and image a device runs."""
    thing = floor.thing(name)
    return thing["firmwareVersion"], thing["imageSha256"]


def test_a_normal_device_installs_tests_itself_and_reports(floor: Floor, send: Send) -> None:
    put(floor, "normal", seconds=100)
    send("thing/t")
    assert (floor.statuses(), floor.details("t")) == (
        {"t": "IN_PROGRESS"},
        {"self_test": "receiving", "updatedBy": "1.0.0"},
    )
    floor.stage.advance(50)
    assert floor.details("t")["self_test"] == "ready"
    assert (runs(floor), floor.thing("t")["installs"]) == (("1.0.0", OLD), {NEW: 1})
    floor.stage.advance(50)
    assert floor.statuses() == {"t": "SUCCEEDED"}
    assert floor.details("t") == {"self_test": "active", "reason": "accepted v2.0.0", "updatedBy": "1.0.0"}
    assert (runs(floor), found(floor)) == (("2.0.0", NEW), ("2.0.0", "2.0.0"))


@pytest.mark.parametrize(
    ("behaviour", "status", "run", "reported", "installed"),
    [
        ("normal", "SUCCEEDED", "2.0.0", "2.0.0", 1),
        ("offline", "QUEUED", "1.0.0", "1.0.0", 0),
        ("manual", "QUEUED", "1.0.0", "1.0.0", 0),
        ("late", "QUEUED", "1.0.0", "1.0.0", 0),
        ("rejects", "REJECTED", "1.0.0", "1.0.0", 0),
        ("failsDownload", "FAILED", "1.0.0", "1.0.0", 0),
        ("failsSignature", "FAILED", "1.0.0", "1.0.0", 0),
        ("failsSelfTest", "FAILED", "1.0.0", "1.0.0", 1),
        ("stuck", "IN_PROGRESS", "1.0.0", "1.0.0", 1),
        ("rollsBack", "SUCCEEDED", "2.0.0", "2.0.0", 1),
        ("keepsVersion", "SUCCEEDED", "1.0.0", "1.0.0", 1),
        ("neverReports", "SUCCEEDED", "2.0.0", "1.0.0", 1),
        ("quietSuccess", "FAILED", "2.0.0", "2.0.0", 1),
    ],
)
def test_a_device_behaves_as_it_is_configured(
    floor: Floor, send: Send, behaviour: str, status: str, run: str, reported: str, installed: int
) -> None:
    put(floor, behaviour)
    send("thing/t")
    floor.stage.advance(60)
    assert floor.statuses() == {"t": status}
    assert (runs(floor)[0], found(floor)) == (run, (reported, reported))
    assert floor.thing("t")["installs"].get(NEW, 0) == installed


REPORTED = re.compile(r"(rejected|aborted|0x[0-9a-f]{8}): 0x[0-9a-f]{8}")


@pytest.mark.parametrize("behaviour", ["rejects", "failsDownload", "failsSignature", "failsSelfTest", "quietSuccess"])
def test_a_failure_is_reported_as_freertos_agents_do(floor: Floor, send: Send, behaviour: str) -> None:
    put(floor, behaviour)
    send("thing/t")
    floor.stage.advance(60)
    assert REPORTED.fullmatch(floor.details("t")["reason"]) is not None


def test_a_late_device_takes_a_job_a_day_after_it_was_notified(floor: Floor, send: Send) -> None:
    put(floor, "late")
    send("thing/t")
    floor.stage.advance(86_399)
    assert floor.statuses() == {"t": "QUEUED"}
    floor.stage.advance(1)
    assert floor.statuses() == {"t": "IN_PROGRESS"}
    floor.stage.advance(60)
    assert floor.statuses() == {"t": "SUCCEEDED"}


def test_a_stuck_device_stays_ready_for_ever(floor: Floor, send: Send) -> None:
    put(floor, "stuck")
    send("thing/t")
    floor.stage.advance(30 * 86_400)
    assert (floor.statuses(), floor.details("t")["self_test"]) == ({"t": "IN_PROGRESS"}, "ready")


def test_a_device_that_rolls_back_runs_and_reports_the_old_image_again(floor: Floor, send: Send) -> None:
    put(floor, "rollsBack")
    send("thing/t")
    floor.stage.advance(119)
    assert (runs(floor), found(floor)) == (("2.0.0", NEW), ("2.0.0", "2.0.0"))
    floor.stage.advance(1)
    assert (runs(floor), found(floor)) == (("1.0.0", OLD), ("1.0.0", "1.0.0"))
    assert floor.thing("t")["installs"] == {NEW: 1}
    assert floor.statuses() == {"t": "SUCCEEDED"}


def test_a_device_does_one_job_at_a_time_the_oldest_first(floor: Floor, send: Send) -> None:
    put(floor, "normal")
    send("thing/t", job="a")
    send("thing/t", job="b", image=OLD, version="1.0.0")
    assert (floor.statuses("a"), floor.statuses("b")) == ({"t": "IN_PROGRESS"}, {"t": "QUEUED"})
    floor.stage.advance(60)
    assert (floor.statuses("a"), floor.statuses("b")) == ({"t": "SUCCEEDED"}, {"t": "IN_PROGRESS"})
    floor.stage.advance(60)
    assert (floor.statuses("b"), runs(floor)) == ({"t": "SUCCEEDED"}, ("1.0.0", OLD))
    assert floor.thing("t")["installs"] == {NEW: 1, OLD: 1}


@pytest.mark.parametrize("how", ["cancel", "delete", "timeOut"])
def test_a_device_drops_what_was_ended_for_it_and_takes_the_next(floor: Floor, send: Send, how: str) -> None:
    put(floor, "normal", seconds=200)
    send("thing/t", job="a", timeout={"inProgressTimeoutInMinutes": 1})
    send("thing/t", job="b", image=OLD, version="1.0.0")
    floor.stage.advance(30)
    if how == "cancel":
        floor.iot.cancel_job(jobId="a", force=True)
    if how == "delete":
        floor.iot.delete_job(jobId="a", force=True)
    if how == "timeOut":
        floor.stage.advance(30)
    assert floor.statuses("b") == {"t": "IN_PROGRESS"}
    floor.stage.advance(200)
    assert (floor.statuses("b"), runs(floor)) == ({"t": "SUCCEEDED"}, ("1.0.0", OLD))
    assert floor.thing("t")["installs"] == {OLD: 1}


def test_a_device_that_comes_back_takes_what_waits(floor: Floor, send: Send) -> None:
    put(floor, "offline")
    send("thing/t")
    floor.stage.advance(3600)
    floor.things("t", behaviour="normal")
    floor.stage.advance(60)
    assert (floor.statuses(), runs(floor)) == ({"t": "SUCCEEDED"}, ("2.0.0", NEW))


def test_a_job_without_an_image_changes_nothing_on_the_device(floor: Floor) -> None:
    put(floor, "normal")
    floor.job("j", "thing/t")
    floor.stage.advance(60)
    assert floor.statuses() == {"t": "SUCCEEDED"}
    assert (runs(floor), floor.thing("t")["installs"]) == (("1.0.0", OLD), {})


def test_loading_again_changes_what_is_given_and_keeps_the_rest(floor: Floor) -> None:
    floor.things("t", group="g", attributes={"site": "a"}, firmwareVersion="1", behaviour="stuck", thingType="probe")
    floor.things("t", "u", group="g", attributes={"row": "3"}, firmwareVersion="2")
    shown = floor.iot.describe_thing(thingName="t")
    assert shown["attributes"] == {"site": "a", "row": "3", "firmwareVersion": "2"}
    assert (shown["thingTypeName"], floor.thing("t")["behaviour"]) == ("probe", "stuck")
    assert floor.iot.list_things_in_thing_group(thingGroupName="g")["things"] == ["t", "u"]


def test_a_fleet_of_another_account_and_region_is_there_alone(floor: Floor) -> None:
    floor.stage.post("fleet", account="210987654321", region="us-east-1", things=[{"name": "t"}])
    assert floor.iot.list_things()["things"] == []
    assert [t["name"] for t in floor.stage.ask("GET", "state")[1]["iot"]["210987654321/us-east-1"]["things"]] == ["t"]


def test_one_document_holds_things_and_wireless_devices(floor: Floor) -> None:
    device = {"devEui": "70b3d57ed0000001", "id": "d1", "rfRegion": "EU868"}
    floor.stage.post("fleet", devices=[device], groups=[], things=[{"name": "t"}], thingGroups=[])
    assert [d["id"] for d in floor.stage.state()["devices"]] == ["d1"]
    assert [t["thingName"] for t in floor.iot.list_things()["things"]] == ["t"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (
            {"things": [{"name": "a"}, {"name": "t", "behaviour": "sings"}]},
            "behaviour 'sings' of t is none of failsDow",
        ),
        ({"things": [{"name": "a"}, {"nam": "t"}]}, "unknown key nam of a thing; there are attributes, behaviour"),
        ({"things": [{"name": "a"}, {"name": "t t"}]}, "a thing needs a name of letters"),
        ({"things": [{"name": "a"}, {}]}, "a thing needs a name of letters"),
        ({"things": [{"name": "a"}, {"name": "t", "seconds": -1}]}, "seconds of t is a number, not below 0, not -1"),
        ({"things": [{"name": "a"}, {"name": "t", "attributes": {"n": 1}}]}, "attributes of t must be an object"),
        ({"things": [{"name": "a"}, {"name": "t", "versionPath": "fw"}]}, "versionPath of t begins with reported."),
        ({"things": [{"name": "a"}, "t"]}, "things must be a list of objects"),
        ({"things": [{"name": "a"}], "thingGroups": [{"name": "g", "things": ["b"]}]}, "thing group g names things "),
        ({"things": [{"name": "a"}], "thingGroups": [{"name": "g", "things": "a"}]}, "things of thing group g must"),
    ],
)
def test_a_fleet_that_is_wrong_is_refused_in_words_and_none_of_it_put_in(
    floor: Floor, document: dict[str, Any], why: str
) -> None:
    with pytest.raises(AssertionError) as caught:
        floor.stage.post("fleet", **document)
    assert caught.value.args[0]["error"].startswith(why)
    assert floor.iot.list_things()["things"] == []
