"""The transport over real HTTP: what is sent again, and which of our errors every failure is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from otactl.backends.tuya.client import NotFoundError, RefusedError, TuyaClient
from otactl.errors import ConflictError, OtactlError, StalledError, TooLateError, TransientError
from tests.support.scripted_tuya import DROPPED, NOW, Answer, Gateway, bad, good, running, transport

READ, WRITE = "QueryOTAJob", "CreateOTAStaticUpgradeJob"
THROTTLES = [
    bad("Throttling.User"),
    bad("iot.system.FlowControl"),
    bad("iot.common.RateLimit", status=400),
    Answer(b"slow down", 429),
]
LOST = [DROPPED, bad("iot.system.SystemException"), bad("", status=500), Answer(b"<html>", 502), Answer(b"", 503)]
UNREADABLE = [
    Answer({"data": {}}),
    Answer({"success": None}),
    Answer(b"<Error/>"),
    Answer(b"[]"),
    Answer(b""),
    Answer(b"<html>forbidden</html>", 403),
    Answer({"success": True}, 400),
    Answer(b'{"success": true, "requestId": "\xff"}'),
    Answer(b"[" * 5000),
]
REFUSALS = [
    ("SignatureDoesNotMatch", "SignatureRefused"),
    ("InvalidAccessKeyId.NotFound", "AccessKeyUnknown"),
    ("InvalidTimeStamp.Expired", "ClockSkewed"),
    ("InvalidTimeStamp.Format", "RequestRefused"),
    ("iot.system.InstanceNotFound", "ProductUnknown"),
    ("iot.prod.NotExistedProduct", "ProductUnknown"),
    ("Iot.system.BillIsOverDue", "AccountRefused"),
    ("iot.system.UidNotFound", "AccountRefused"),
    ("iot.common.InvalidTenant", "AccountRefused"),
    ("iot.common.InvalidPageParams", "RequestRefused"),
    ("iot.ota.NoTargetDevice", "NoDeviceLeft"),
    ("whatever", "RequestRefused"),
]


@pytest.fixture(scope="module")
def gateway_server() -> Iterator[Gateway]:
    """One gateway for this file."""
    with running() as gateway:
        yield gateway


@pytest.fixture
def gateway(gateway_server: Gateway) -> Gateway:
    """The gateway, asked nothing yet."""
    gateway_server.asked.clear()
    gateway_server.lines.clear()
    gateway_server.connections.clear()
    gateway_server.will(good())
    return gateway_server


def error(sender: TuyaClient, action: str = READ, *, repeatable: bool = True) -> OtactlError:
    """What a call raises."""
    with pytest.raises(OtactlError) as caught:
        sender.call(action, {"JobId": "1"}, repeatable=repeatable)
    return caught.value


def lost(sender: TuyaClient, action: str = WRITE, *, repeatable: bool = False) -> TransientError:
    """The TransientError a call raises."""
    found = error(sender, action, repeatable=repeatable)
    assert isinstance(found, TransientError)
    return found


def test_an_answer_is_given_whole_with_members_no_one_knows(gateway: Gateway) -> None:
    gateway.will(good(data={"jobId": "1", "brandNew": [1]}, alsoNew=True))
    answer = transport(gateway).call(READ, {"JobId": "1"}, repeatable=True)
    assert answer == {
        "code": "",
        "requestId": "r",
        "success": True,
        "data": {"jobId": "1", "brandNew": [1]},
        "alsoNew": True,
    }
    assert gateway.lines == ["GET /"]


@pytest.mark.parametrize("answer", THROTTLES)
def test_a_throttled_call_is_signed_and_sent_again_and_was_never_carried_out(gateway: Gateway, answer: Answer) -> None:
    gateway.will(answer)
    sender = transport(gateway)
    assert lost(sender).committed is False
    assert len({asked["SignatureNonce"] for asked in gateway.asked}) == 4
    assert (sender.stats.calls, sender.stats.throttled) == (4, 4)


def test_a_throttle_that_ends_is_not_reported(gateway: Gateway) -> None:
    gateway.will(bad("Throttling"), bad("Throttling"), good(data={"jobId": "7"}))
    assert transport(gateway).call(WRITE, {}, repeatable=False)["data"] == {"jobId": "7"}


def test_what_was_prepared_for_a_write_is_sent_once_and_as_it_was_signed(gateway: Gateway) -> None:
    gateway.will(bad("Throttling"))
    sender = transport(gateway)
    prepared = sender.prepare(WRITE, {"FirmwareId": "1"})
    with pytest.raises(TransientError) as caught:
        sender.send(prepared)
    assert caught.value.committed is False
    assert len(gateway.asked) == 1
    assert gateway.asked[0]["Timestamp"] == "2026-03-01T12:00:00Z"
    assert prepared.signed_at == NOW


@pytest.mark.parametrize("answer", LOST)
def test_a_lost_write_is_not_sent_again_and_may_have_been_carried_out(gateway: Gateway, answer: Answer) -> None:
    gateway.will(answer)
    assert lost(transport(gateway)).committed is None
    assert len(gateway.asked) == 1


@pytest.mark.parametrize("answer", LOST)
def test_a_lost_read_is_sent_again_with_another_nonce(gateway: Gateway, answer: Answer) -> None:
    gateway.will(answer, answer, good(data={}))
    assert transport(gateway).call(READ, {"JobId": "1"}, repeatable=True)["success"] is True
    assert len({asked["SignatureNonce"] for asked in gateway.asked}) == 3


def test_a_gateway_that_is_not_there_carried_nothing_out() -> None:
    with running() as gone:
        sender = transport(gone)
    assert lost(sender).committed is False


@pytest.mark.parametrize("answer", UNREADABLE)
def test_an_answer_no_one_understands_stalls_a_read(gateway: Gateway, answer: Answer) -> None:
    gateway.will(answer)
    found = error(transport(gateway))
    assert isinstance(found, StalledError)
    assert found.reason == "AnswerInvalid"
    assert "\n" not in str(found)


@pytest.mark.parametrize("answer", UNREADABLE)
def test_an_answer_no_one_understands_leaves_a_write_in_doubt(gateway: Gateway, answer: Answer) -> None:
    gateway.will(answer)
    assert lost(transport(gateway)).committed is None


@pytest.mark.parametrize("answer", UNREADABLE)
def test_an_answer_no_one_understands_leaves_a_write_that_may_be_repeated_in_doubt(
    gateway: Gateway, answer: Answer
) -> None:
    gateway.will(answer)
    assert lost(transport(gateway), "CancelOTATaskByJob", repeatable=True).committed is None


@pytest.mark.parametrize(("code", "reason"), REFUSALS)
def test_every_refusal_has_its_reason_whatever_its_case_and_status(gateway: Gateway, code: str, reason: str) -> None:
    for said, status in ((code, 200), (code.upper(), 400), (code.lower(), 403)):
        gateway.will(bad(said, status=status))
        found = error(transport(gateway), WRITE, repeatable=False)
        assert isinstance(found, RefusedError)
        assert (found.reason, found.code) == (reason, said)


def test_what_is_not_there_is_not_found_and_a_conflict_is_one(gateway: Gateway) -> None:
    gateway.will(bad("iot.ota.JobNotExist"))
    assert isinstance(error(transport(gateway)), NotFoundError)
    gateway.will(bad("iot.ota.StateConflict"))
    assert isinstance(error(transport(gateway)), ConflictError)


def test_a_nonce_that_is_always_used_stalls_a_read_and_leaves_a_write_in_doubt(gateway: Gateway) -> None:
    gateway.will(bad("SignatureNonceUsed"))
    found = error(transport(gateway))
    assert isinstance(found, RefusedError)
    assert found.reason == "NonceUsed"
    assert lost(transport(gateway)).committed is None


@pytest.mark.parametrize("action", [READ, WRITE])
def test_what_may_be_repeated_is_sent_again_when_a_copy_of_it_came_before_it(gateway: Gateway, action: str) -> None:
    gateway.will(bad("SignatureNonceUsed"), good())

    transport(gateway).call(action, {"JobId": "1"}, repeatable=True)

    nonces = [asked["SignatureNonce"] for asked in gateway.asked]
    assert len(set(nonces)) == len(nonces) == 2


def test_the_gateways_time_is_learned_and_signed_with(gateway: Gateway) -> None:
    sender = transport(gateway, behind=timedelta(minutes=5))
    for _ in range(2):
        sender.call(READ, {"JobId": "1"}, repeatable=True)
    assert [asked["Timestamp"] for asked in gateway.asked] == ["2026-03-01T11:55:00Z", "2026-03-01T12:00:00Z"]
    assert sender.now() == NOW


def test_a_read_refused_for_its_time_is_signed_by_the_gateways_clock_once(gateway: Gateway) -> None:
    gateway.will(bad("InvalidTimeStamp.Expired"), good())
    transport(gateway, behind=timedelta(hours=1)).call(READ, {"JobId": "1"}, repeatable=True)
    assert [asked["Timestamp"] for asked in gateway.asked] == ["2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"]


@pytest.mark.parametrize(
    ("behind", "reported"), [(timedelta(hours=1), "3600 s behind the"), (-timedelta(minutes=20), "1200 s ahead of the")]
)
def test_a_clock_the_gateway_will_not_have_is_reported_with_how_far_it_is_off(
    gateway: Gateway, behind: timedelta, reported: str
) -> None:
    gateway.will(bad("InvalidTimeStamp.Expired"))
    found = error(transport(gateway, behind=behind))
    assert isinstance(found, RefusedError)
    assert found.reason == "ClockSkewed"
    assert reported in str(found)
    assert len(gateway.asked) == 2


def test_a_write_refused_for_its_time_is_not_sent_again(gateway: Gateway) -> None:
    gateway.will(bad("InvalidTimeStamp.Expired", Date=""))
    found = error(transport(gateway), WRITE, repeatable=False)
    assert isinstance(found, RefusedError)
    assert found.reason == "ClockSkewed"
    assert len(gateway.asked) == 1


@pytest.mark.parametrize("behind", [1200, -1200])
def test_a_write_refused_for_its_time_is_decided_again_with_the_clock_the_refusal_reported(
    gateway: Gateway, behind: int
) -> None:
    gateway.will(bad("InvalidTimeStamp.Expired"))
    sender = transport(gateway, behind=timedelta(seconds=behind))
    first, second = (error(sender, WRITE, repeatable=False) for _ in range(2))
    assert isinstance(first, TransientError)
    assert first.committed is False
    assert "1200 s from the gateway's" in str(first)
    assert isinstance(second, RefusedError)
    assert second.reason == "ClockSkewed"


def test_a_write_refused_for_the_gateways_own_time_does_not_blame_this_clock(gateway: Gateway) -> None:
    gateway.will(bad("InvalidTimeStamp.Expired"))
    found = error(transport(gateway), WRITE, repeatable=False)
    assert isinstance(found, RefusedError)
    assert "ask Tuya" in str(found)
    assert "NTP" not in str(found)


def test_a_redirect_is_not_followed(gateway: Gateway) -> None:
    with running() as elsewhere:
        gateway.will(Answer(b"", 302, {"Location": elsewhere.url}))
        found = error(transport(gateway))
        assert isinstance(found, StalledError)
        assert "not followed" in str(found)
        assert elsewhere.asked == []


def test_what_is_too_long_for_a_url_goes_as_a_form(gateway: Gateway) -> None:
    names = [f"a-device-with-a-rather-long-name-{n:04}" for n in range(200)]
    transport(gateway).call(WRITE, {"TargetDeviceName": names}, repeatable=False)
    assert gateway.lines == ["POST /"]
    assert [gateway.asked[0][f"TargetDeviceName.{n}"] for n in range(1, 201)] == names


def test_a_write_has_a_connection_of_its_own(gateway: Gateway) -> None:
    sender = transport(gateway)
    for _ in range(3):
        sender.call(READ, {"JobId": "1"}, repeatable=True)
    assert len(gateway.connections) == 1
    for _ in range(2):
        sender.call(WRITE, {}, repeatable=False)
    assert len(gateway.connections) == 3
    sender.close()


def test_a_repeatable_write_that_got_no_answer_may_have_been_carried_out_although_its_repetition_was_refused(
    gateway: Gateway,
) -> None:
    gateway.will(DROPPED, bad("iot.common.InvalidPageParams"))

    found = lost(transport(gateway), repeatable=True)

    assert found.committed is None
    assert "may have been carried out" in str(found)


def test_what_was_signed_is_not_sent_once_its_time_has_passed(gateway: Gateway) -> None:
    sender = transport(gateway)
    prepared = sender.prepare(WRITE, {"JobId": "1"})

    with pytest.raises(TooLateError):
        sender.send(prepared, not_after=NOW - timedelta(seconds=1))

    assert gateway.asked == []
