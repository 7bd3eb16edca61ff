"""Answers of AWS that are not what the model says: each a named error, none a shorter list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest

from otactl.backends.aws import operations, responses
from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.responses import ALWAYS, UnreadableError, check_members
from otactl.backends.transport.service_clock import date_of
from otactl.errors import StalledError, TransientError
from tests.support.fuota_stage import environment

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}


class Answers:
    """A host that answers everything with one body."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.headers: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                self.send_response_only(outer.status)
                for name, value in outer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            do_POST = do_PUT = do_GET  # noqa: N815 - the library's names

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, body: object, status: int = 200, **headers: str) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.headers = status, [(n.replace("_", "-"), v) for n, v in headers.items()]


@pytest.fixture(scope="module")
def host() -> Iterator[Answers]:
    found = Answers()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def transport(host: Answers) -> AwsClient:
    services = ("iotwireless", "iot", "sts", "s3", "iam")
    declared = environment(endpoints=dict.fromkeys(services, host.url))
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    return AwsClient(declared, sleep=lambda _: None, now=lambda: NOW, session=session)


LIST = ("iotwireless", "ListFuotaTasks")
_IAM = "<{0}Response><{0}Result>{1}<IsTruncated>false</IsTruncated></{0}Result></{0}Response>"
MISFITS: list[tuple[tuple[str, str], object, str]] = [
    (LIST, b"<html>portal</html>", "not JSON"),
    (LIST, b"", "an empty body"),
    (LIST, b'{"FuotaTaskList": [', "not JSON"),
    (LIST, [{"FuotaTaskList": []}], "no JSON object"),
    (LIST, {"message": "sign in"}, "none of its members"),
    (LIST, {"FuotaTaskList": [{"Name": "x"}]}, "FuotaTaskList[0].Id is missing"),
    (LIST, {"FuotaTaskList": [{"Id": None}]}, "FuotaTaskList[0].Id is missing"),
    (LIST, {"FuotaTaskList": [{"Id": 5}]}, "FuotaTaskList[0].Id is not text"),
    (LIST, {"FuotaTaskList": [{"Id": "a\nb"}]}, "FuotaTaskList[0].Id has more than 2048 characters, or such as no"),
    (LIST, {"FuotaTaskList": [{"Id": "a" * 2049}]}, "FuotaTaskList[0].Id has more than 2048 characters"),
    (LIST, {"FuotaTaskList": [None]}, "FuotaTaskList[0] is not an object"),
    (LIST, {"FuotaTaskList": {"Id": "x"}}, "FuotaTaskList is not a list"),
    (LIST, {"FuotaTaskList": "none"}, "FuotaTaskList is not a list"),
    (("iotwireless", "ListTagsForResource"), {"Tags": [{"Key": "a"}]}, "Tags[0].Value is missing"),
    (("iotwireless", "GetFuotaTask"), {"Id": "a", "Status": "Pending"}, "Arn is missing"),
    (("iotwireless", "GetFuotaTask"), {"Id": "a", "Arn": "b", "Status": "", "LoRaWAN": []}, "LoRaWAN is not an object"),
    (("iot", "DescribeJob"), {"job": {"jobId": "a", "jobArn": "b"}}, "job.status is missing"),
    (("iot", "DescribeJob"), {"documentSource": "x"}, "job.jobId is missing"),
    (("iot", "GetOTAUpdate"), {"otaUpdateInfo": None}, "otaUpdateInfo.otaUpdateId is missing"),
    (("iot", "ListThingsInThingGroup"), {"things": ["a", None]}, "things[1] is not text"),
    (("iot", "ListJobExecutionsForJob"), {"executionSummaries": [{"thingArn": "a"}]}, "jobExecutionSummary.status"),
    (("sts", "GetCallerIdentity"), b"<html><body>portal</body></html>", "a web page"),
    (("s3", "GetBucketVersioning"), b"<html><body>portal</body></html>", "a web page"),
    (("s3", "GetBucketVersioning"), b"", "without a body"),
    (("iam", "GetRole"), b"not xml", "ResponseParserError"),
    (("iam", "ListRolePolicies"), _IAM.format("ListRolePolicies", "").encode(), "PolicyNames is missing"),
    (("iam", "ListAttachedRolePolicies"), _IAM.format("ListAttachedRolePolicies", "").encode(), "Policies is missing"),
]
ASKED: dict[str, dict[str, object]] = {
    "ListTagsForResource": {"ResourceArn": "arn:x"},
    "GetFuotaTask": {"Id": "x"},
    "DescribeJob": {"jobId": "x"},
    "GetOTAUpdate": {"otaUpdateId": "x"},
    "ListThingsInThingGroup": {"thingGroupName": "x"},
    "ListJobExecutionsForJob": {"jobId": "x"},
    "GetBucketVersioning": {"Bucket": "xyz"},
    "GetRole": {"RoleName": "x"},
    "ListRolePolicies": {"RoleName": "x"},
    "ListAttachedRolePolicies": {"RoleName": "x"},
}


@pytest.mark.parametrize(("call", "body", "why"), MISFITS)
def test_an_answer_that_does_not_fit_its_model_is_a_named_error(
    host: Answers, transport: AwsClient, call: tuple[str, str], body: object, why: str
) -> None:
    host.answer(body)
    with pytest.raises(StalledError) as caught:
        transport.call(*call, ASKED.get(call[1], {}), repeatable=True)
    assert caught.value.reason == "AnswerInvalid"
    assert why in str(caught.value)
    assert str(caught.value).startswith(f"{call[0]}:{call[1]}: ")
    assert "portal" not in str(caught.value)


@pytest.mark.parametrize("account", ["a\nb", "12345678901", "9" * 20_000])
def test_an_account_that_is_none_is_an_answer_that_cannot_be_read(
    host: Answers, transport: AwsClient, account: str
) -> None:
    inside = f"<GetCallerIdentityResult><Account>{account}</Account></GetCallerIdentityResult>"
    host.answer(f"<GetCallerIdentityResponse>{inside}</GetCallerIdentityResponse>".encode())

    with pytest.raises(StalledError) as caught:
        transport.identity()

    assert caught.value.reason == "AnswerInvalid"
    assert str(caught.value).startswith("sts:GetCallerIdentity: the answer cannot be read: Account")
    assert len(str(caught.value)) < 300


def test_a_client_that_several_transports_share_has_its_answers_looked_at_once(
    host: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    monkeypatch.setattr(responses, "check", lambda answer, _shape: looked.append(answer))
    client = boto3.client("iotwireless", endpoint_url=host.url, region_name="eu-west-1", **KEYS)
    for _ in range(3):
        responses.watch(client)

    host.answer({"FuotaTaskList": []})
    client.list_fuota_tasks()

    assert looked == [{"FuotaTaskList": []}]


def test_what_a_model_does_not_know_or_is_null_or_empty_is_no_misfit(host: Answers, transport: AwsClient) -> None:
    for body in ({}, {"FuotaTaskList": None, "NextToken": None}, {"FuotaTaskList": [{"Id": "a", "New": [1]}]}):
        host.answer(body)
        transport.call(*LIST, {}, repeatable=True)


def test_a_write_whose_answer_cannot_be_read_may_have_been_carried_out(host: Answers, transport: AwsClient) -> None:
    role = "arn:aws:iam::123456789012:role/r"
    asked = {"LoRaWAN": {}, "FirmwareUpdateImage": "s3://a/b", "FirmwareUpdateRole": role}
    for body, status in ((b"<html></html>", 200), ({"Arn": "x"}, 201), (b"<html>Forbidden</html>", 403)):
        host.answer(body, status)
        with pytest.raises(TransientError) as caught:
            transport.call("iotwireless", "CreateFuotaTask", asked, repeatable=True)
        assert caught.value.committed is None


def test_a_page_in_answer_to_a_write_that_has_no_answer_is_no_success(host: Answers, transport: AwsClient) -> None:
    """Its operations answer with an empty body: what a portal sends says nothing of the service."""
    group = {"Id": "t", "MulticastGroupId": "g"}
    for operation, parameters in (("StartFuotaTask", {"Id": "t"}), ("AssociateMulticastGroupWithFuotaTask", group)):
        host.answer(b"<!DOCTYPE html><html>sign in</html>", 200)

        with pytest.raises(TransientError, match="a web page") as caught:
            transport.call("iotwireless", operation, parameters, repeatable=False)

        assert caught.value.committed is None
        host.answer(b"", 204)
        transport.call("iotwireless", operation, parameters, repeatable=False)


def test_a_refusal_that_is_no_error_of_the_service_is_no_missing_permission(
    host: Answers, transport: AwsClient
) -> None:
    for body, status in (
        (b"<html>Forbidden</html>", 403),
        (b"<html>moved</html>", 302),
        (b"[]", 400),
        (b"no page", 404),
    ):
        host.answer(body, status)
        with pytest.raises(StalledError, match="without an error of the service in it") as caught:
            transport.call(*LIST, {}, repeatable=True)
        assert caught.value.reason == "AnswerInvalid"


@pytest.mark.parametrize(
    "call", [LIST, ("iot", "GetOTAUpdate"), ("s3", "GetBucketPolicy"), ("iam", "GetRole")], ids=lambda call: call[1]
)
def test_a_web_page_that_says_404_is_no_word_of_the_service_that_something_is_gone(
    host: Answers, transport: AwsClient, call: tuple[str, str]
) -> None:
    host.answer(b"<!DOCTYPE html><html><body>Not Found</body></html>", 404, Content_Type="text/html")
    asked: dict[str, object] = {**ASKED, "GetBucketPolicy": {"Bucket": "xyz"}}.get(call[1], {})

    with pytest.raises(StalledError, match="without an error of the service in it") as caught:
        transport.call(*call, asked, repeatable=True)

    assert caught.value.reason == "AnswerInvalid"


def test_an_error_that_is_named_in_its_header_counts_whatever_its_body_is(host: Answers, transport: AwsClient) -> None:
    host.answer(b"[]", 403, x_amzn_errortype="AccessDeniedException")
    with pytest.raises(StalledError) as caught:
        transport.call(*LIST, {}, repeatable=True)
    assert caught.value.reason == "PermissionDenied"


def test_a_list_whose_next_page_is_itself_ends(host: Answers, transport: AwsClient) -> None:
    host.answer({"FuotaTaskList": [], "NextToken": "again"})
    transport.call(*LIST, {}, repeatable=True)
    with pytest.raises(StalledError, match="leads back to the page that was asked for"):
        transport.call(*LIST, {"NextToken": "again"}, repeatable=True)


DATES = {
    "Mon, 30 Nov 2026 08:10:00 GMT": 10,
    "Mon, 30 Nov 2026 08:10:00 -0000": 10,
    "30 Nov 2026, morning": 0,
    "": 0,
    "Mon, 30 Nov 9999 23:59:59 GMT": 0,
    "Mon, 30 Nov 2026 08:10:00 +9999": 0,
}


@pytest.mark.parametrize(("date", "minutes"), DATES.items())
def test_an_odd_date_header_teaches_nothing_and_fails_no_call(
    host: Answers, transport: AwsClient, date: str, minutes: int
) -> None:
    host.answer({}, Date=date)
    transport.call(*LIST, {}, repeatable=True)
    assert transport.policy.clock_offset == timedelta(minutes=minutes)


def test_a_doubled_date_header_fails_no_call(host: Answers, transport: AwsClient) -> None:
    host.answer({})
    host.headers = [("Date", "Mon, 30 Nov 2026 08:10:00 GMT"), ("Date", "yesterday")]
    transport.call(*LIST, {}, repeatable=True)
    assert date_of("yesterday, Mon, 30 Nov 2026 08:10:00 GMT") is None
    assert date_of(None) is None


def test_a_clock_that_is_refused_is_reported_by_how_much(host: Answers, transport: AwsClient) -> None:
    host.answer({"message": "Signature expired: a is now earlier than b"}, 403, Date="Mon, 30 Nov 2026 08:15:00 GMT")
    host.headers.append(("x-amzn-errortype", "InvalidSignatureException"))
    with pytest.raises(StalledError, match="900 s behind the service's") as caught:
        transport.call(*LIST, {}, repeatable=True)
    assert caught.value.reason == "ClockSkewed"


def test_what_an_answer_always_has_is_in_its_model_and_every_list_says_it() -> None:
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    for (service, operation), paths in ALWAYS.items():
        shape: Any = session.client(service).meta.service_model.operation_model(operation).output_shape
        for path in paths:
            here = shape
            for part in path.split("."):
                here = here.members[part.removesuffix("[]")]
                here = here.member if part.endswith("[]") else here
    lists = {call for call in operations.READS if call[1].startswith(("List", "Search"))}
    assert lists <= set(ALWAYS), "name the members that every item of the list has"


def test_a_role_without_policies_is_no_misfit(host: Answers, transport: AwsClient) -> None:
    host.answer(_IAM.format("ListRolePolicies", "<PolicyNames/>").encode())

    assert transport.call("iam", "ListRolePolicies", {"RoleName": "x"}, repeatable=True)["PolicyNames"] == []


def test_an_answer_without_what_it_always_has_is_refused_however_it_was_parsed() -> None:
    check_members("iot", "GetPolicy", {})
    with pytest.raises(UnreadableError, match=r"otaUpdates\[1\]\.otaUpdateId is missing"):
        check_members("iot", "ListOTAUpdates", {"otaUpdates": [{"otaUpdateId": "a"}, {}]})
