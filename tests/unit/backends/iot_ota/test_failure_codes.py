"""The words of devices in job executions, as reasons: both numberings of FreeRTOS agents, and where a device stood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.backends.iot_ota.failure_codes import failure_reason
from otactl.model import Reason

REPORTED = [
    ({"reason": "0x01000000: 0x00000000"}, Reason.VERIFY),
    ({"reason": "0x02000000: 0x00000001"}, Reason.VERIFY),
    ({"reason": "0x03000000: 0x00000000"}, Reason.NO_MEMORY),
    ({"reason": "0x05000000: 0x00000000"}, Reason.FLASH),
    ({"reason": "0x0d000000: 0x00000194"}, Reason.DOWNLOAD),
    ({"reason": "0x12000016: 0x00000000"}, Reason.FLASH),
    ({"reason": "aborted: 0x21000000"}, Reason.DOWNLOAD),
    ({"reason": "rejected: 0x22000000"}, Reason.REJECTED),
    ({"reason": "rejected: 0x23000000"}, Reason.REJECTED),
    ({"reason": "0x24000000: 0x00000004"}, Reason.REJECTED),
    ({"reason": "rejected: 0x26000000"}, Reason.FLASH),
    ({"reason": "0x000000e3: 0x00000000"}, Reason.VERIFY),
    ({"reason": "0xe3: 0x0"}, Reason.VERIFY),
    ({"reason": "0x000000E7: 0x00000000"}, Reason.VERIFY),
    ({"reason": "rejected: 0xeb000000"}, Reason.FLASH),
    ({"reason": "0x000000e0: 0x00000000"}, Reason.DOWNLOAD),
    ({"reason": "0x000000e5: 0x00000000"}, Reason.NO_MEMORY),
    ({"reason": "aborted: 0x0000000e"}, Reason.DOWNLOAD),
    ({"reason": "aborted: 0x000000c2"}, Reason.DOWNLOAD),
    ({"reason": "0x0000000c: 0x00000003"}, Reason.REJECTED),
    ({"reason": "rejected: 0x00000010"}, Reason.REJECTED),
    ({"reason": "rejected: 0x00000011"}, Reason.FLASH),
    ({"reason": "rejected: 0x00000000"}, Reason.FLASH),
    ({"reason": "aborted: 0x00000000"}, Reason.DOWNLOAD),
    ({"self_test": "receiving", "updatedBy": "0x10002"}, Reason.DOWNLOAD),
    ({"receive": "12/64"}, Reason.DOWNLOAD),
    ({"self_test": "ready"}, Reason.FLASH),
    ({"self_test": "active"}, Reason.FLASH),
    ({"reason": "0x000000e3: 0x00000000", "self_test": "receiving"}, Reason.VERIFY),
    ({"reason": "0xfe000000: 0x00000000"}, None),
    ({"reason": "0x00000000: 0x00000000"}, None),
    ({"reason": "0x00000002: 0x00000000"}, None),
    ({"reason": "battery low"}, None),
    ({"reason": "accepted v2.4.1"}, None),
    ({"step": "unpack"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("details", "reason"), REPORTED)
def test_a_failure_has_the_reason_that_its_device_wrote(details: dict[str, str], reason: Reason | None) -> None:
    assert failure_reason(details) is reason


@given(st.dictionaries(st.sampled_from(["reason", "self_test", "receive", "x"]), st.text()))
def test_whatever_a_device_writes_is_a_reason_of_ours_or_none(details: dict[str, str]) -> None:
    assert failure_reason(details) in {*Reason, None}
