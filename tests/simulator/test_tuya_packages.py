"""Upgrade packages and modules of Tuya's gateway, and the fleet document that fills it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.simulator.stage import SimulatorStage
from tests.support.simulator.tuya_client import FIRMWARE, PRODUCT, SECRET, TuyaRequests

MAKE = "CreateOTAFirmware"
NEW = {"DestVersion": "3.0", "FirmwareName": "probe-3", "ProductKey": PRODUCT}


@pytest.fixture
def tuya_requests(stage: SimulatorStage) -> TuyaRequests:
    """A gateway with a product, a package and two devices."""
    found = TuyaRequests(stage)
    found.populate()
    return found


def package(tuya_requests: TuyaRequests, identifier: str = FIRMWARE) -> dict[str, Any]:
    """A package as Query shows it."""
    return dict(tuya_requests.ask("QueryOTAFirmware", {"FirmwareId": identifier}).body["firmwareInfo"])


def listed(tuya_requests: TuyaRequests, **filters: object) -> list[str]:
    """Ids of the packages as List shows them."""
    answer = tuya_requests.ask("ListOTAFirmware", {"CurrentPage": 1, "PageSize": 100, **filters})
    assert "data" not in answer.body
    return [row["firmwareId"] for row in answer.body["firmwareInfo"]["simpleFirmwareInfo"]]


def test_a_package_is_shown_as_it_was_made(tuya_requests: TuyaRequests) -> None:
    more = {"FirmwareSign": "abc", "SignMethod": "SHA256", "FirmwareSize": 1024, "FirmwareDesc": "probes"}
    made = tuya_requests.ask(MAKE, {**NEW, **more, "Type": 1, "SrcVersion": "2.0", "ModuleName": "ble"}).data
    shown = package(tuya_requests, made["firmwareId"])
    shown.pop("firmwareUrl")
    assert shown == {
        "firmwareId": made["firmwareId"],
        "firmwareName": "probe-3",
        "firmwareDesc": "probes",
        "destVersion": "3.0",
        "srcVersion": "2.0",
        "firmwareSign": "abc",
        "signMethod": "SHA256",
        "firmwareSize": 1024,
        "moduleName": "ble",
        "productKey": PRODUCT,
        "productName": "probe",
        "status": 0,
        "type": 1,
        "verifyProgress": 0,
        "utcCreate": made["utcCreate"],
        "utcModified": made["utcCreate"],
    }


@pytest.mark.parametrize(("flag", "status"), [(True, 0), (False, -1)])
def test_a_package_begins_unverified_unless_it_needs_no_check(
    tuya_requests: TuyaRequests, flag: bool, status: int
) -> None:
    made = tuya_requests.ask(MAKE, {**NEW, "NeedToVerify": flag}).data
    assert package(tuya_requests, made["firmwareId"])["status"] == status


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"DestVersion": ""}, "iot.check.MissingParameter"),
        ({"DestVersion": "a b"}, "iot.check.InvalidParameter"),
        ({"DestVersion": "x" * 65}, "iot.check.InvalidParameter"),
        ({"FirmwareName": "x" * 41}, "iot.check.InvalidParameter"),
        ({"FirmwareName": f"package-{FIRMWARE}"}, "iot.ota.FirmwareNameExisted"),
        ({"FirmwareDesc": "x" * 101}, "iot.check.InvalidParameter"),
        ({"Type": 1}, "iot.check.MissingParameter"),
        ({"Type": 2}, "iot.check.InvalidParameter"),
        ({"SignMethod": "CRC"}, "iot.check.InvalidParameter"),
        ({"ModuleName": "gps"}, "iot.ota.ModuleNotExist"),
        ({"ProductKey": "x"}, "iot.prod.NotExistedProduct"),
    ],
)
def test_what_a_package_cannot_be_is_refused(tuya_requests: TuyaRequests, changed: dict[str, Any], code: str) -> None:
    assert tuya_requests.refused(MAKE, {**NEW, **changed}) == code
    assert listed(tuya_requests) == [FIRMWARE]


def test_the_address_of_a_package_is_another_at_every_read(tuya_requests: TuyaRequests) -> None:
    first, second = package(tuya_requests), package(tuya_requests)
    assert first.pop("firmwareUrl") != second.pop("firmwareUrl")
    assert first == second
    answer = tuya_requests.ask("ListOTAFirmware", {"CurrentPage": 1, "PageSize": 100})
    assert "firmwareUrl" not in json.dumps(answer.body)


def test_packages_are_found_by_product_and_version_the_newest_first(tuya_requests: TuyaRequests) -> None:
    made = tuya_requests.ask(MAKE, NEW).data["firmwareId"]
    assert listed(tuya_requests) == [made, FIRMWARE]
    assert listed(tuya_requests, DestVersion="3.0") == [made]
    assert listed(tuya_requests, ProductKey=PRODUCT, DestVersion="2.0") == [FIRMWARE]
    assert listed(tuya_requests, DestVersion="9") == []


def test_a_package_changes_its_description_and_not_its_name(tuya_requests: TuyaRequests) -> None:
    assert tuya_requests.ask("ModifyOTAFirmware", {"FirmwareId": FIRMWARE, "FirmwareDesc": "new"}).code == ""
    assert package(tuya_requests)["firmwareDesc"] == "new"
    changed = {"FirmwareId": FIRMWARE, "FirmwareName": "new"}
    assert tuya_requests.refused("ModifyOTAFirmware", changed) == "iot.check.InvalidParameter"


def test_a_deleted_package_is_gone_and_its_batches_are_not(tuya_requests: TuyaRequests) -> None:
    tuya_requests.behave("offline")
    job = tuya_requests.batch("d0")
    assert tuya_requests.ask("DeleteOTAFirmware", {"FirmwareId": FIRMWARE}).code == ""
    assert tuya_requests.refused("QueryOTAFirmware", {"FirmwareId": FIRMWARE}) == "iot.ota.FirmwareNotExist"
    assert (tuya_requests.statuses(job), tuya_requests.job_status(job)) == (["CANCELED"], "CANCELED")


def test_a_package_in_use_is_kept_when_the_switch_says_so(tuya_requests: TuyaRequests) -> None:
    tuya_requests.stage.settings(tuyaDeleteInUse="refused")
    job = tuya_requests.batch("d0")
    assert tuya_requests.refused("DeleteOTAFirmware", {"FirmwareId": FIRMWARE}) == "iot.ota.FirmwareInUse"
    tuya_requests.stage.advance(3600)
    assert tuya_requests.statuses(job) == ["SUCCEEDED"]
    assert tuya_requests.ask("DeleteOTAFirmware", {"FirmwareId": FIRMWARE}).code == ""


def test_modules_are_made_changed_and_deleted(tuya_requests: TuyaRequests) -> None:
    asked = {"ProductKey": PRODUCT, "ModuleName": "gps"}
    assert tuya_requests.ask("CreateOTAModule", {**asked, "AliasName": "one"}).code == ""
    assert tuya_requests.refused("CreateOTAModule", asked) == "iot.ota.ModuleNameExisted"
    assert tuya_requests.ask("UpdateOTAModule", {**asked, "AliasName": "two"}).code == ""
    rows = tuya_requests.ask("ListOTAModuleByProduct", {"ProductKey": PRODUCT}).data["otaModuleDTO"]
    assert rows[-1] == {"moduleName": "gps", "productKey": PRODUCT, "aliasName": "two", "desc": ""}
    assert tuya_requests.ask("DeleteOTAModule", asked).code == ""
    assert tuya_requests.refused("UpdateOTAModule", asked) == "iot.ota.ModuleNotExist"


def test_a_module_that_is_needed_stays(tuya_requests: TuyaRequests) -> None:
    tuya_requests.ask(MAKE, {**NEW, "ModuleName": "ble"})
    for name in ("default", "ble"):
        assert (
            tuya_requests.refused("DeleteOTAModule", {"ProductKey": PRODUCT, "ModuleName": name})
            == "iot.ota.ModuleInUse"
        )


def test_a_product_has_ten_modules_at_most(tuya_requests: TuyaRequests) -> None:
    codes = [
        tuya_requests.ask("CreateOTAModule", {"ProductKey": PRODUCT, "ModuleName": f"m{n}"}).code for n in range(9)
    ]
    assert codes == [""] * 8 + ["iot.ota.TooManyModules"]


def device(**changes: object) -> dict[str, object]:
    """A device of the fleet document."""
    return {"productKey": PRODUCT, "deviceName": "d9", **changes}


@pytest.mark.parametrize(
    ("parts", "reported"),
    [
        ({"things": []}, "unknown key things of tuya"),
        ({"devices": {}}, "must be a list of objects"),
        ({"devices": [device(color="red")]}, "unknown key color"),
        ({"devices": [{"productKey": PRODUCT}]}, "deviceName of tuya.devices must be a text"),
        ({"devices": [device(behaviour="odd")]}, "'odd' is none of"),
        ({"devices": [device(seconds=-1)]}, "not below 0"),
        ({"devices": [device(versions=["1.0"])]}, "object of texts"),
        ({"devices": [device(versions={"gps": "1.0"})]}, "no module gps"),
        ({"devices": [device(productKey="x")]}, "product x, which is not there"),
        ({"groups": [{"groupId": "g", "productKey": PRODUCT, "devices": ["d9"]}]}, f"not there: {PRODUCT}/d9"),
        ({"groups": [{"groupId": "g", "productKey": PRODUCT, "devices": "d0"}]}, "list of texts"),
        ({"firmwares": [{"firmwareId": "1", "productKey": PRODUCT, "destVersion": 2}]}, "destVersion"),
        (
            {"firmwares": [{"firmwareId": "1", "productKey": PRODUCT, "destVersion": "2", "status": 4}]},
            "from -1 to 3",
        ),
        ({"reports": [device(version="2.0")]}, f"not there: {PRODUCT}/d9"),
        ({"reports": [device(deviceName="d0", progress=101)]}, "from -4 to 100"),
        ({"keys": [{"id": "AK2"}]}, "secret of tuya.keys must be a text"),
    ],
)
def test_a_fleet_that_is_wrong_is_reported_and_adds_nothing(
    tuya_requests: TuyaRequests, parts: dict[str, Any], reported: str
) -> None:
    before = tuya_requests.state()
    given = {**parts, "products": [{"productKey": "fresh"}]}
    status, answer = tuya_requests.stage.ask("POST", "fleet", json.dumps({"tuya": given}).encode())
    assert status == 400
    assert reported in answer["error"]
    assert tuya_requests.state() == before


def test_the_fleet_of_the_gateway_stands_beside_the_others(tuya_requests: TuyaRequests) -> None:
    tuya_requests.stage.post(
        "fleet",
        devices=[{"devEui": "70b3d57ed0000001", "rfRegion": "EU868"}],
        things=[{"name": "t1"}],
        tuya={"devices": [device()]},
    )
    assert tuya_requests.stage.state()["devices"]
    assert [d["deviceName"] for d in tuya_requests.state()["devices"]] == ["d0", "d1", "d9"]


def test_loading_again_sets_what_is_given_and_keeps_the_rest(tuya_requests: TuyaRequests) -> None:
    tuya_requests.fleet(devices=[device(deviceName="d0", behaviour="slow", seconds=5, iotId="id-0")])
    tuya_requests.fleet(devices=[device(deviceName="d0", versions={"ble": "0.9"})])
    (first, _) = tuya_requests.state()["devices"]
    assert (first["behaviour"], first["iotId"], first["versions"]) == ("slow", "id-0", {"default": "1.0", "ble": "0.9"})


def test_loading_a_device_again_as_it_is_disturbs_no_task(tuya_requests: TuyaRequests) -> None:
    job = tuya_requests.batch("d0")
    tuya_requests.stage.advance(40)
    tuya_requests.behave("")
    tuya_requests.stage.advance(21)
    assert tuya_requests.statuses(job) == ["SUCCEEDED"]


def test_the_state_shows_no_secret_and_a_reset_forgets_everything(tuya_requests: TuyaRequests) -> None:
    assert SECRET not in json.dumps(tuya_requests.stage.ask("GET", "state")[1]["tuya"])
    tuya_requests.stage.reset()
    assert all(not part for part in tuya_requests.state().values())
