"""Success by the reported version: it wins both ways, and silence counts once the time is over."""

from __future__ import annotations

import pytest

from controller.model import DeviceResult, Outcome, Reason
from controller.proof import proved, undecided

OK = DeviceResult(device="gw-1", outcome=Outcome.SUCCEEDED)
BAD = DeviceResult(device="gw-1", outcome=Outcome.FAILED, reason=Reason.TIMEOUT)

TABLE = [
    # transfer, reported, over -> outcome, reason
    (OK, "2.4.1", False, Outcome.SUCCEEDED, None),
    (OK, "2.4.0", False, Outcome.WAITING, None),
    (OK, None, False, Outcome.WAITING, None),
    (OK, "2.4.0", True, Outcome.FAILED, Reason.VERSION),
    (OK, None, True, Outcome.FAILED, Reason.VERSION),
    (BAD, "2.4.1", False, Outcome.SUCCEEDED, None),
    (BAD, "2.4.0", False, Outcome.FAILED, Reason.TIMEOUT),
    (BAD, None, True, Outcome.FAILED, Reason.TIMEOUT),
]


@pytest.mark.parametrize(("result", "reported", "over", "outcome", "reason"), TABLE)
def test_a_device_is_judged_by_what_it_runs(
    result: DeviceResult, reported: str | None, over: bool, outcome: Outcome, reason: Reason | None
) -> None:
    told = proved(result, {"gw-1": reported}, "2.4.1", final=over)

    assert (told.outcome, told.reason) == (outcome, reason)


def test_what_it_reports_and_what_its_transfer_said_are_both_told() -> None:
    assert proved(BAD, {"gw-1": "2.4.1"}, "2.4.1", final=False).detail == (
        "reports 2.4.1, although its transfer said timeout"
    )
    assert proved(OK, {"gw-1": "2.4.0"}, "2.4.1", final=True).detail == "reports 2.4.0, declared is 2.4.1"
    assert proved(OK, {}, "2.4.1", final=True).detail == "reports no version, declared is 2.4.1"


def test_only_a_device_that_took_the_image_is_waited_for() -> None:
    assert undecided(OK, {"gw-1": None}, "2.4.1")
    assert not undecided(OK, {"gw-1": "2.4.1"}, "2.4.1")
    assert not undecided(BAD, {"gw-1": None}, "2.4.1")
