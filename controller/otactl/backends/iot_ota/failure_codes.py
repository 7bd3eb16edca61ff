"""Maps a device's status details in a job execution to our failure reasons.

1. FreeRTOS agents write `reason` as `0xMAIN: 0xSUB`, `rejected: 0xCODE` or `aborted: 0xCODE` (ota_mqtt.c of
   aws/ota-for-aws-iot-embedded-sdk, prvBuildStatusMessageFinish).
2. Agents before that library number their errors in the top byte of the code: 0x01 to 0x2d (aws_iot_ota_agent.h, and
   the FreeRTOS user guide, "OTA failure codes"). The library numbers its own from 1 (OtaErr_t), those of the platform
   from 0xe0 (OtaPalMainStatus_t), of HTTP from 0xc0, of MQTT from 0xa0; a platform's code may stand in the top byte.
3. `rejected` without a code is a self-test that failed; `aborted` without one is a transfer that was given up.
4. Without `reason`, where the device stood tells: `self_test` receiving, or a count in `receive`, is a download,
   `self_test` ready or active an image that did not come to run.
5. What is not known here is no reason of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from otactl.model import Reason

_LOST, _BAD, _BROKEN = Reason.DOWNLOAD, Reason.VERIFY, Reason.FLASH
_FULL, _REFUSED = Reason.NO_MEMORY, Reason.REJECTED
# The top byte of an agent's code before the library.
FORMER: dict[int, Reason] = {
    0x01: _BAD,
    0x02: _BAD,  # signature check, signer's certificate
    0x03: _FULL,
    0x14: _FULL,  # out of memory, file too large
    0x04: _BROKEN,
    0x05: _BROKEN,
    0x06: _BROKEN,
    0x07: _BROKEN,
    0x09: _BROKEN,  # activate, commit, reject, abort, state
    0x10: _BROKEN,
    0x11: _BROKEN,
    0x12: _BROKEN,
    0x13: _BROKEN,
    0x20: _BROKEN,  # file, boot information
    0x26: _BROKEN,
    0x29: _BROKEN,  # self-test of another image, no reset
    0x08: _LOST,
    0x0C: _LOST,
    0x0D: _LOST,
    0x21: _LOST,
    0x25: _LOST,
    0x27: _LOST,
    0x2A: _LOST,  # MQTT, HTTP, no answers
    0x22: _REFUSED,
    0x23: _REFUSED,
    0x24: _REFUSED,
    0x28: _REFUSED,
    0x2D: _REFUSED,  # older, same, document, user
}
# OtaErr_t.
LIBRARY: dict[int, Reason] = {
    6: _LOST,
    7: _LOST,
    8: _LOST,
    14: _LOST,
    20: _LOST,
    21: _LOST,  # job, transfer, block, no answers, CBOR
    12: _REFUSED,
    13: _REFUSED,
    15: _REFUSED,
    16: _REFUSED,
    19: _REFUSED,  # document, protocol, older, same, user
    17: _BROKEN,
    22: _BROKEN,
    23: _FULL,  # self-test of another image, activate, file too large
}
# OtaPalMainStatus_t, OtaHttpStatus_t, OtaMqttStatus_t; 0xe0 is a block that could not be taken in.
PLATFORM: dict[int, Reason] = {
    0xA0: _LOST,
    0xA1: _LOST,
    0xA2: _LOST,
    0xC0: _LOST,
    0xC1: _LOST,
    0xC2: _LOST,
    0xE0: _LOST,
    0xE1: _FULL,
    0xE5: _FULL,
    0xE3: _BAD,
    0xE7: _BAD,
    0xE2: _BROKEN,
    0xE4: _BROKEN,
    0xE6: _BROKEN,
    0xE8: _BROKEN,
    0xE9: _BROKEN,
    0xEA: _BROKEN,
    0xEB: _BROKEN,
    0xEC: _BROKEN,
    0xED: _BROKEN,
    0xEE: _BROKEN,
}
_WORDS = re.compile(r"(?:(?P<word>rejected|aborted): )?0x(?P<code>[0-9a-f]{1,8})(?:: 0x[0-9a-f]{1,8})?")
_STATES = {"receiving": _LOST, "ready": _BROKEN, "active": _BROKEN}


def failure_reason(details: Mapping[str, object]) -> Reason | None:
    """Return our reason for a failure by the statusDetails of its execution; None when they do not tell (rule 5)."""
    words = details.get("reason")
    if words is None:
        return _LOST if "receive" in details else _STATES.get(str(details.get("self_test")))
    found = _WORDS.fullmatch(str(words).strip().lower())
    if found is None:
        return None
    code = int(found["code"], 16)
    if code == 0:
        return {"rejected": _BROKEN, "aborted": _LOST}.get(found["word"] or "")
    main = code >> 24
    if main:
        return PLATFORM.get(main) or FORMER.get(main)
    return PLATFORM.get(code) or LIBRARY.get(code)
