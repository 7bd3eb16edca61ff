"""The door of Tuya's gateway: who may ask, when, how often, and in which format."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from tests.support.simulator.stage import SimulatorStage
from tests.support.simulator.tuya_client import KEY, PRODUCT, SECRET, TuyaRequests

ASKED = {"ProductKey": PRODUCT}


@pytest.fixture
def tuya_requests(stage: SimulatorStage) -> TuyaRequests:
    """A gateway with a product and two devices."""
    found = TuyaRequests(stage)
    found.populate()
    return found


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_signed_request_is_answered(tuya_requests: TuyaRequests, method: str) -> None:
    answer = tuya_requests.ask("ListOTAModuleByProduct", ASKED, method=method)
    assert answer.status == 200
    assert answer.code == ""
    assert [module["moduleName"] for module in answer.data["otaModuleDTO"]] == ["default", "ble"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_vendors_own_client_is_answered(tuya_requests: TuyaRequests, method: str) -> None:
    client = AcsClient(KEY, SECRET, "cn-hangzhou", auto_retry=False)
    request = CommonRequest(version="2018-01-20", action_name="ListOTAModuleVersionsByDevice")
    request.set_domain(tuya_requests.stage.url.removeprefix("http://"))
    request.set_protocol_type("http")
    request.set_method(method)
    request.set_accept_format("JSON")
    add = request.add_query_param if method == "GET" else request.add_body_params
    for name, value in {**ASKED, "DeviceName": "d0", "CurrentPage": "1", "PageSize": "10", "Odd": "a b*~é+/"}.items():
        add(name, value)
    tuya_requests.stage.settings(tuyaClockSkewSeconds=10**6)
    answer = json.loads(client.do_action_with_exception(request))
    assert answer["data"]["simpleOTAModuleInfo"][0]["moduleVersion"] == "1.0"


def test_every_character_is_signed_as_it_is_written(tuya_requests: TuyaRequests) -> None:
    assert tuya_requests.ask("ListOTAModuleByProduct", {**ASKED, "Odd": "a b*~é+/%&=#"}).code == ""


@pytest.mark.parametrize("name", ["AccessKeyId", "SignatureMethod", "Timestamp", "SignatureNonce"])
def test_a_common_parameter_that_is_needed_is_missed(tuya_requests: TuyaRequests, name: str) -> None:
    assert tuya_requests.ask("ListOTAModuleByProduct", ASKED, common={name: None}).code == "MissingParameter"


def test_a_signature_is_missed(tuya_requests: TuyaRequests) -> None:
    status, body = tuya_requests.send("GET", tuya_requests.parameters("ListOTAModuleByProduct", ASKED, {}))
    assert (status, json.loads(body)["code"]) == (200, "MissingParameter")


def test_version_and_signature_version_may_be_left_out_unless_a_switch_says_no(tuya_requests: TuyaRequests) -> None:
    without: dict[str, str | None] = {"Version": None, "SignatureVersion": None, "Format": None}
    assert tuya_requests.ask("ListOTAModuleByProduct", ASKED, common=without).code == ""
    tuya_requests.stage.settings(tuyaCommonParameters="strict")
    assert tuya_requests.ask("ListOTAModuleByProduct", ASKED, common=without).code == "MissingParameter"


@pytest.mark.parametrize(
    "common", [{"SignatureMethod": "HMAC-SHA256"}, {"SignatureVersion": "2.0"}, {"Version": "2014-05-26"}]
)
def test_a_scheme_it_does_not_know_is_refused(tuya_requests: TuyaRequests, common: dict[str, str | None]) -> None:
    assert tuya_requests.ask("ListOTAModuleByProduct", ASKED, common=common).code == "InvalidParameter"


def test_both_versions_are_served(tuya_requests: TuyaRequests) -> None:
    assert tuya_requests.ask("ListOTAModuleByProduct", ASKED, common={"Version": "2022-01-01"}).code == ""


def test_a_key_it_does_not_know_is_refused(tuya_requests: TuyaRequests) -> None:
    assert (
        tuya_requests.ask("ListOTAModuleByProduct", ASKED, common={"AccessKeyId": "AK2"}).code
        == "InvalidAccessKeyId.NotFound"
    )


def test_another_secret_is_refused(tuya_requests: TuyaRequests) -> None:
    assert tuya_requests.ask("ListOTAModuleByProduct", ASKED, secret="other").code == "SignatureDoesNotMatch"


def test_a_signature_is_for_one_method_and_one_set_of_parameters(tuya_requests: TuyaRequests) -> None:
    flat = tuya_requests.parameters("ListOTAModuleByProduct", ASKED, {})
    as_post = tuya_requests.send("POST", tuya_requests.signed("GET", flat))
    changed = tuya_requests.send("GET", {**tuya_requests.signed("GET", flat), "ProductKey": "other"})
    assert [json.loads(body)["code"] for _, body in (as_post, changed)] == ["SignatureDoesNotMatch"] * 2


def test_a_nonce_serves_once_while_it_is_remembered(tuya_requests: TuyaRequests) -> None:
    flat = tuya_requests.signed("GET", tuya_requests.parameters("ListOTAModuleByProduct", ASKED, {}))
    codes = [json.loads(tuya_requests.send("GET", flat)[1])["code"] for _ in range(2)]
    assert codes == ["", "SignatureNonceUsed"]
    tuya_requests.stage.settings(tuyaClockSkewSeconds=5000)
    tuya_requests.stage.advance(901)
    assert json.loads(tuya_requests.send("GET", flat)[1])["code"] == ""


def test_a_request_that_was_signed_wrong_uses_no_nonce_up(tuya_requests: TuyaRequests) -> None:
    flat = tuya_requests.parameters("ListOTAModuleByProduct", ASKED, {})
    codes = [
        json.loads(tuya_requests.send("GET", tuya_requests.signed("GET", flat, key))[1])["code"]
        for key in ("other", SECRET)
    ]
    assert codes == ["SignatureDoesNotMatch", ""]


@pytest.mark.parametrize(("off", "code"), [(899, ""), (-899, ""), (902, "Expired"), (-902, "Expired")])
def test_a_request_is_accepted_within_the_window(tuya_requests: TuyaRequests, off: int, code: str) -> None:
    stamp = (tuya_requests.stage.now() + timedelta(seconds=off)).strftime("%Y-%m-%dT%H:%M:%SZ")
    expected = f"InvalidTimeStamp.{code}" if code else ""
    assert tuya_requests.ask("ListOTAModuleByProduct", ASKED, common={"Timestamp": stamp}).code == expected


def test_a_time_in_another_format_is_refused(tuya_requests: TuyaRequests) -> None:
    stamp = tuya_requests.stage.now().isoformat()
    assert (
        tuya_requests.ask("ListOTAModuleByProduct", ASKED, common={"Timestamp": stamp}).code
        == "InvalidTimeStamp.Format"
    )


@pytest.mark.parametrize("status", [200, 400])
def test_a_failure_has_the_status_of_the_switch(tuya_requests: TuyaRequests, status: int) -> None:
    tuya_requests.stage.settings(tuyaFailureStatus=status)
    answer = tuya_requests.ask("QueryOTAJob", {"JobId": "1"})
    assert (answer.status, answer.code, answer.body["success"]) == (status, "iot.ota.JobNotExist", False)


def test_xml_is_answered_with_an_error_that_says_so(tuya_requests: TuyaRequests) -> None:
    flat = tuya_requests.signed("GET", tuya_requests.parameters("ListOTAModuleByProduct", ASKED, {"Format": "XML"}))
    assert b"<Code>iot.system.IllegalRequest</Code>" in tuya_requests.send("GET", flat)[1]


def test_who_gives_no_format_gets_that_of_the_switch(tuya_requests: TuyaRequests) -> None:
    tuya_requests.stage.settings(tuyaDefaultFormat="XML")
    flat = tuya_requests.signed("GET", tuya_requests.parameters("ListOTAModuleByProduct", ASKED, {"Format": None}))
    assert tuya_requests.send("GET", flat)[1].startswith(b"<Error>")


@pytest.mark.parametrize("action", ["GenerateOTAUploadURL", "CreateOTADynamicUpgradeJob", "Nonsense"])
def test_an_operation_that_is_not_there_is_named(tuya_requests: TuyaRequests, action: str) -> None:
    answer = tuya_requests.ask(action)
    assert answer.code == "iot.system.IllegalRequest"
    assert action in answer.body["errorMessage"]


def test_an_account_in_arrears_is_refused(tuya_requests: TuyaRequests) -> None:
    tuya_requests.stage.settings(tuyaBillOverdue=True)
    assert tuya_requests.refused("ListOTAModuleByProduct", ASKED) == "Iot.system.BillIsOverDue"


def test_more_calls_than_the_switch_allows_are_throttled(tuya_requests: TuyaRequests) -> None:
    tuya_requests.stage.settings(tuyaCallsPerSecond=1)
    codes = [tuya_requests.ask("ListOTAModuleByProduct", ASKED).code for _ in range(2)]
    assert codes == ["", "Throttling.User"]
    assert tuya_requests.ask("QueryOTAJob", {"JobId": "1"}).code == "iot.ota.JobNotExist"


def test_the_log_shows_what_was_asked_but_nothing_of_who_signed_it(tuya_requests: TuyaRequests) -> None:
    tuya_requests.ask("ListOTATaskByJob", {"JobId": "1", "DeviceNames": ["d0", "d1"]})
    logged = tuya_requests.stage.requests()[-1]
    assert (logged["service"], logged["operation"], logged["errorCode"]) == (
        "tuya",
        "ListOTATaskByJob",
        "iot.ota.JobNotExist",
    )
    shown: dict[str, Any] = logged["parameters"]
    assert (shown["JobId"], shown["DeviceNames"], shown["Version"]) == ("1", ["d0", "d1"], "2018-01-20")
    assert not {"Signature", "AccessKeyId", "SignatureNonce"} & shown.keys()


def test_the_services_of_aws_are_where_they_were(tuya_requests: TuyaRequests) -> None:
    assert tuya_requests.stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []
    assert tuya_requests.stage.sts.get_caller_identity()["Account"]


def test_every_answer_has_the_simulated_date(tuya_requests: TuyaRequests) -> None:
    tuya_requests.stage.advance(86400)
    assert tuya_requests.ask("ListOTAModuleByProduct", ASKED).code == ""


@pytest.mark.parametrize(
    ("page", "size", "code"),
    [(1, 100, ""), (1, 101, "x"), (0, 10, "x"), (1, 0, "x"), ("a", 10, "x"), (1001, 100, "x"), (1000, 100, "")],
)
def test_pages_have_their_limits(tuya_requests: TuyaRequests, page: object, size: object, code: str) -> None:
    expected = "iot.common.InvalidPageParams" if code else ""
    assert tuya_requests.ask("ListOTAFirmware", {"CurrentPage": page, "PageSize": size}).code == expected


def test_a_page_that_is_needed_is_missed(tuya_requests: TuyaRequests) -> None:
    assert tuya_requests.refused("ListOTAFirmware") == "iot.check.MissingParameter"
