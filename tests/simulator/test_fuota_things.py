"""Wireless devices and their things: what a device that took an image over LoRaWAN runs and reports, by boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.simulator.device_sessions import DEVICE, DIGEST, SECONDS, single, started
from tests.support.simulator.iot_fleet import Floor
from tests.support.simulator.stage import SimulatorStage, refusal

DAY = 86400
DIGEST12 = f"sha256:{DIGEST[:12]}"


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    return Floor(stage)


def probe(floor: Floor, behaviour: str = "", radio: str = "", **fleet: Any) -> str:
    """A task in session with one device whose thing runs 1.0.0, and takes 60 seconds to boot."""
    thing = {"name": "p", "firmwareVersion": "1.0.0", "behaviour": behaviour, "seconds": 60}
    floor.stage.post("fleet", things=[thing], **{"images": {DIGEST: "2.0.0"}, **fleet})
    return single(floor.stage, device={"thing": "p", "behaviour": radio})


def reported(floor: Floor) -> tuple[str, str]:
    """The version in the thing's shadow, and in its attribute."""
    shadow = floor.shadow("p")["state"]["reported"]["firmware"]["version"]
    return str(shadow), str(floor.iot.describe_thing(thingName="p")["attributes"]["firmwareVersion"])


def test_a_device_reports_the_new_version_when_it_has_booted_it_and_not_before(floor: Floor) -> None:
    probe(floor)

    floor.stage.advance(SECONDS + 59)
    before = reported(floor)
    floor.stage.advance(1)

    assert before == ("1.0.0", "1.0.0")
    assert reported(floor) == ("2.0.0", "2.0.0")
    assert floor.thing("p")["installs"] == {DIGEST: 1}
    assert floor.thing("p")["imageSha256"] == DIGEST


def test_one_jump_of_the_clock_reports_at_the_moment_it_would_have_happened(floor: Floor) -> None:
    probe(floor)
    end = floor.stage.now().timestamp() + SECONDS

    floor.stage.advance(DAY)

    assert abs(floor.shadow("p")["timestamp"] - (end + 60)) <= 1


# Behaviour of the thing -> what it reports an hour after the session, and two days after.
COURSES = {
    "normal": ("2.0.0", "2.0.0"),
    "quietSuccess": ("2.0.0", "2.0.0"),
    "late": ("1.0.0", "2.0.0"),
    "keepsVersion": ("1.0.0", "1.0.0"),
    "neverReports": ("1.0.0", "1.0.0"),
    "rollsBack": ("1.0.0", "1.0.0"),
    "failsSelfTest": ("1.0.0", "1.0.0"),
    "stuck": ("1.0.0", "1.0.0"),
    "offline": ("1.0.0", "1.0.0"),
    "rejects": ("1.0.0", "1.0.0"),
}
RUNS = {"normal", "quietSuccess", "late", "neverReports"}


@pytest.mark.parametrize(("behaviour", "soon", "later"), [(k, *v) for k, v in COURSES.items()])
def test_a_device_does_with_the_image_what_its_thing_does(floor: Floor, behaviour: str, soon: str, later: str) -> None:
    probe(floor, behaviour)

    floor.stage.advance(SECONDS + 3600)
    first = reported(floor)
    floor.stage.advance(2 * DAY)

    assert (first, reported(floor)) == ((soon, soon), (later, later))
    assert (floor.thing("p")["imageSha256"] == DIGEST) == (behaviour in RUNS)


def test_a_device_that_rolls_back_runs_the_new_version_for_a_while(floor: Floor) -> None:
    probe(floor, "rollsBack")

    floor.stage.advance(SECONDS + 60)
    new = reported(floor)
    floor.stage.advance(60)

    assert (new, reported(floor)) == (("2.0.0", "2.0.0"), ("1.0.0", "1.0.0"))


@pytest.mark.parametrize(
    ("radio", "version"),
    [("falseMissingFrag", "2.0.0"), ("micError", "1.0.0"), ("memoryError", "1.0.0"), ("silent", "1.0.0")],
)
def test_only_who_rebuilt_the_image_has_one_to_boot(floor: Floor, radio: str, version: str) -> None:
    probe(floor, radio=radio)

    floor.stage.advance(SECONDS + 60)

    assert reported(floor) == (version, version)


def test_an_image_whose_version_no_one_reported_calls_itself_by_its_digest(floor: Floor) -> None:
    probe(floor, images={})

    floor.stage.advance(SECONDS + 60)

    assert reported(floor) == (DIGEST12, DIGEST12)


def test_a_device_without_a_thing_reports_nowhere(floor: Floor) -> None:
    floor.things("p", firmwareVersion="1.0.0")
    floor.stage.post("fleet", images={DIGEST: "2.0.0"})
    single(floor.stage)

    floor.stage.advance(SECONDS + 60)

    assert reported(floor) == ("1.0.0", "1.0.0")


def test_a_thing_that_is_not_in_the_registry_takes_no_image(floor: Floor) -> None:
    task = single(floor.stage, device={"thing": "unknown"})

    floor.stage.advance(SECONDS + 60)

    assert floor.stage.status(task) == "FuotaDone"
    assert floor.held()["things"] == []


def test_a_thing_is_associated_and_shown_by_name_and_arn(floor: Floor) -> None:
    floor.things("p")
    floor.stage.fleet(DEVICE)
    wireless, arn = floor.stage.wireless, floor.iot.describe_thing(thingName="p")["thingArn"]
    asked = {"IdentifierType": "WirelessDeviceId", "Identifier": "d1"}
    without = wireless.get_wireless_device(**asked)

    wireless.associate_wireless_device_with_thing(Id="d1", ThingArn=arn)
    with_it = wireless.get_wireless_device(**asked)
    wireless.disassociate_wireless_device_from_thing(Id="d1")

    assert (with_it["ThingName"], with_it["ThingArn"]) == ("p", arn)
    assert not {"ThingName", "ThingArn"} & set(without)
    assert not {"ThingName", "ThingArn"} & set(wireless.get_wireless_device(**asked))


def test_a_thing_associated_while_the_session_runs_reports(floor: Floor) -> None:
    floor.things("p", firmwareVersion="1.0.0")
    floor.stage.post("fleet", images={DIGEST: "2.0.0"})
    single(floor.stage)
    arn = floor.iot.describe_thing(thingName="p")["thingArn"]

    floor.stage.wireless.associate_wireless_device_with_thing(Id="d1", ThingArn=arn)
    floor.stage.advance(SECONDS + 60)

    assert reported(floor) == ("2.0.0", "2.0.0")


def test_a_second_session_of_the_same_image_is_a_second_install(floor: Floor) -> None:
    task = probe(floor)
    floor.stage.advance(SECONDS + 60)
    floor.stage.wireless.delete_fuota_task(Id=task)
    floor.stage.advance(600)
    again = floor.stage.task()
    floor.stage.add(again, "d1")
    started(floor.stage, again)

    floor.stage.advance(SECONDS + 60)

    assert floor.thing("p")["installs"] == {DIGEST: 2}


@pytest.mark.parametrize("images", [["2.0.0"], {DIGEST: 2}])
def test_versions_of_images_that_are_no_texts_are_refused(floor: Floor, images: object) -> None:
    status, answer = floor.stage.ask("POST", "fleet", json.dumps({"images": images}).encode())

    assert (status, "images must be" in str(answer)) == (400, True)


def test_a_device_that_is_not_there_has_no_thing(stage: SimulatorStage) -> None:
    found = refusal(stage.wireless.get_wireless_device, IdentifierType="WirelessDeviceId", Identifier="gone")

    assert (found.status, found.code) == (404, "ResourceNotFoundException")
