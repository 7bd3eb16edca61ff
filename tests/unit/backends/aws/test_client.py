"""What a write whose answer was lost meets next, and a call whose time has passed, say whether it was carried out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from otactl.backends.aws.client import AwsClient
from otactl.errors import OtactlError, TooLateError, TransientError
from otactl.model.actions import Call
from tests.support.builders import ENVIRONMENT, NOW

LOST = ReadTimeoutError(endpoint_url="http://x")
MINUTE = timedelta(minutes=1)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "CreateOTAUpdate")


class Service:
    """Gives each attempt the next error, a minute later; counts the attempts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.now, self.sent = list(errors), NOW, 0

    def __call__(self, service: str, operation: str, send: Callable[[], dict[str, object]]) -> dict[str, object]:
        self.sent += 1
        self.now += MINUTE
        raise self.errors.pop(0)


def what_it_raises(service: Service, operation: str = "CreateOTAUpdate", **call: datetime) -> OtactlError:
    client = AwsClient(
        ENVIRONMENT,
        sleep=lambda _seconds: None,
        now=lambda: service.now,
        session=boto3.Session("key", "secret", region_name="eu-west-1"),
        around=service,
    )
    with pytest.raises(OtactlError) as caught:
        client.send(Call(key="k", service="iot", operation=operation, parameters={}, **call))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("operation", "errors", "committed"),
    [
        ("CreateOTAUpdate", [LOST, *[refused("ThrottlingException")] * 3], None),
        ("CreateOTAUpdate", [LOST, refused("ExpiredTokenException")], None),
        ("CreateOTAUpdate", [refused("ThrottlingException")] * 4, False),
        ("GetOTAUpdate", [LOST, *[refused("ThrottlingException")] * 3], False),  # a read carries nothing out
    ],
)
def test_a_write_whose_answer_was_lost_may_have_been_carried_out_whatever_its_repetition_meets(
    operation: str, errors: list[Exception], committed: bool | None
) -> None:
    found = what_it_raises(Service(*errors), operation)

    assert isinstance(found, TransientError)
    assert found.committed is committed
    assert ("may have been carried out" in str(found)) is (committed is None)


def test_no_attempt_is_made_after_the_time_a_call_may_be_sent() -> None:
    service = Service(LOST, LOST, LOST, LOST)

    found = what_it_raises(service, not_after=NOW + MINUTE)

    assert (service.sent, isinstance(found, TransientError)) == (2, True)


def test_a_call_whose_turn_comes_too_late_is_not_sent() -> None:
    service = Service()

    found = what_it_raises(service, not_after=NOW - MINUTE)

    assert (service.sent, isinstance(found, TooLateError)) == (0, True)
