"""Versions read from shadows: what is no document is an error with its call, never a device without a version."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.device_versions import VersionReader
from otactl.errors import StalledError
from otactl.model import VersionProof

PROOF = VersionProof(shadow="reported.firmware.version")


class Transport:
    """Answers with one shadow."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload

    def call(self, _service: str, _operation: str, _asked: object, **_given: object) -> dict[str, Any]:
        return {"payload": io.BytesIO(self.payload)}


def reported(payload: bytes) -> str | None:
    return VersionReader(cast("AwsClient", Transport(payload))).reported(("gw-1",), PROOF, "2.10")["gw-1"]


def test_a_version_written_as_a_number_keeps_its_digits() -> None:
    assert reported(b'{"state": {"reported": {"firmware": {"version": 2.10}}}}') == "2.10"


@pytest.mark.parametrize("payload", [b"", b"<html>portal</html>", b"{", b"[" * 5000, b'"\xff"'])
def test_a_shadow_that_is_no_json_is_an_unreadable_answer(payload: bytes) -> None:
    with pytest.raises(StalledError, match="iot-data:GetThingShadow: the answer cannot be read: payload") as caught:
        reported(payload)

    assert caught.value.reason == "AnswerInvalid"
    assert "portal" not in str(caught.value)
