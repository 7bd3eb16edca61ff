"""What a journal on S3 makes of answers that S3 does not give."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from typing import Any

import pytest
from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from otactl.errors import OtactlError, StalledError, TransientError
from otactl.journal.s3_client import Bucket, place_of


class Answers:
    """A client that answers, or fails, the same to everything."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer

    def get_object(self, **_given: object) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    put_object = list_objects_v2 = get_object


def bucket(answer: dict[str, Any] | Exception) -> Bucket:
    return Bucket(place_of("s3://acme/journal"), Answers(answer), lambda _seconds: None)


@pytest.mark.parametrize(
    ("answer", "call", "why"),
    [
        ({"Body": io.BytesIO(b"<html>")}, lambda b: b.read("k"), "it has no ETag"),
        ({}, lambda b: b.keys("heads/"), "it has no IsTruncated"),
        ({"IsTruncated": True, "Contents": [{"Key": "k"}]}, lambda b: b.keys(""), "it has no NextContinuationToken"),
        (ResponseParserError("<html>"), lambda b: b.keys(""), "it is no XML of S3"),
    ],
)
def test_an_answer_of_something_else_than_s3_is_an_error_and_no_list(
    answer: dict[str, Any] | Exception, call: Callable[[Bucket], object], why: str
) -> None:
    with pytest.raises(StalledError, match=f"cannot be read: {why}; check what is between") as caught:
        call(bucket(answer))
    assert caught.value.reason == "AnswerInvalid"


def test_a_write_whose_answer_cannot_be_read_may_have_been_carried_out() -> None:
    with pytest.raises(TransientError, match="it may be written, run again") as caught:
        bucket({}).create("k", b"x")
    assert caught.value.committed is None


def test_a_certificate_that_is_not_trusted_is_said_to_be_that() -> None:
    error = sdk.SSLError(endpoint_url="https://s3", error="CERTIFICATE_VERIFY_FAILED")
    with pytest.raises(StalledError, match="AWS_CA_BUNDLE"):
        bucket(error).read("k")


def _errors() -> list[Exception]:
    words = dict.fromkeys(("provider", "profile", "endpoint_url", "error", "msg"), "x")
    found: list[Exception] = []
    for _, kind in sorted(inspect.getmembers(sdk, inspect.isclass)):
        if issubclass(kind, sdk.BotoCoreError):
            error: Any = kind.__new__(kind)
            Exception.__init__(error, "x")
            error.kwargs = words
            found.append(error)
    return found


@pytest.mark.parametrize("error", _errors(), ids=lambda error: type(error).__name__)
def test_every_error_of_the_sdk_becomes_one_of_ours(error: Exception) -> None:
    with pytest.raises(OtactlError, match=r"journal s3://acme/journal: "):
        bucket(error).read("k")
