"""Success by the version a device reports: what the transfer said, put right by what the device runs.

1. The reported version wins both ways: a device that runs the declared version succeeded whatever its transfer said;
   one that runs another did not.
2. Until the deadline a device that took the image may still report; after it, its silence is a failure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from controller.model import DeviceResult, Outcome, Reason

DEFAULT_WITHIN = "24h"


def undecided(result: DeviceResult, reported: Mapping[str, str | None], version: str) -> bool:
    """Whether a device may still turn out otherwise: it took the image and does not report the version yet."""
    return result.outcome is Outcome.SUCCEEDED and reported.get(result.device) != version


def proved(result: DeviceResult, reported: Mapping[str, str | None], version: str, *, final: bool) -> DeviceResult:
    """A device's result by the version it reports; `reported` has None for one that reports none."""
    runs = reported.get(result.device)
    if runs == version:
        if result.outcome is Outcome.SUCCEEDED:
            return result
        said = f"its transfer said {result.reason.value if result.reason else result.outcome.value}"
        return msgspec.structs.replace(
            result, outcome=Outcome.SUCCEEDED, reason=None, detail=f"reports {version}, although {said}"
        )
    if result.outcome is not Outcome.SUCCEEDED:
        return result
    told = f"reports {runs}" if runs else "reports no version"
    if not final:
        return msgspec.structs.replace(result, outcome=Outcome.WAITING, detail=f"{told} so far")
    return msgspec.structs.replace(
        result, outcome=Outcome.FAILED, reason=Reason.VERSION, detail=f"{told}, declared is {version}"
    )
