"""Success by the reported version: it wins both ways, and silence counts once the time is over."""

from __future__ import annotations

import pytest

from otactl.model import DeviceResult, Outcome, Reason, Unit, UnitPhase
from otactl.verdicts.version_proof import ReportedVersions, Standing, confirmed, proved, undecided

OK = DeviceResult(device="gw-1", outcome=Outcome.SUCCEEDED)
BAD = DeviceResult(device="gw-1", outcome=Outcome.FAILED, reason=Reason.TIMEOUT)
DECLARED = "2.4.1"


def reports(version: str | None) -> ReportedVersions:
    return ReportedVersions(versions={"gw-1": version})


TABLE = [
    # transfer, reported, over -> outcome, reason
    (OK, "2.4.1", False, Outcome.SUCCEEDED, None),
    (OK, "2.4.0", False, Outcome.WAITING, None),
    (OK, None, False, Outcome.WAITING, None),
    (OK, "2.4.0", True, Outcome.FAILED, Reason.VERSION),
    (OK, "v2.4.1", True, Outcome.FAILED, Reason.VERSION),
    (OK, None, True, Outcome.FAILED, Reason.VERSION),
    (BAD, "2.4.1", False, Outcome.SUCCEEDED, None),
    (BAD, "2.4.0", False, Outcome.FAILED, Reason.TIMEOUT),
    (BAD, None, True, Outcome.FAILED, Reason.TIMEOUT),
]


@pytest.mark.parametrize(("result", "reported", "over", "outcome", "reason"), TABLE)
def test_a_device_is_judged_by_what_it_runs(
    result: DeviceResult, reported: str | None, over: bool, outcome: Outcome, reason: Reason | None
) -> None:
    shown = proved(result, reports(reported), DECLARED, final=over)

    assert (shown.outcome, shown.reason) == (outcome, reason)


STANDINGS = [
    # reported, version before, reported the declared one already -> standing, detail
    ("2.4.1", "2.4.0", False, Standing.SAME, "reports 2.4.1"),
    ("2.4.0", "2.4.0", False, Standing.ROLLED_BACK, "reports 2.4.0, the version before"),
    ("2.5.0", "2.5.0", False, Standing.ROLLED_BACK, "reports 2.5.0, the version before"),
    ("2.4.0", "", True, Standing.ROLLED_BACK, "went back to 2.4.0"),
    ("factory", "", True, Standing.ROLLED_BACK, "went back to factory"),
    ("2.3.9", "2.4.0", False, Standing.OLDER, "reports 2.3.9, an older version"),
    ("2.4.1-rc.1", "", False, Standing.OLDER, "reports 2.4.1-rc.1, an older version"),
    ("2.5.0", "2.4.0", False, Standing.NEWER, "reports 2.5.0, a newer version"),
    ("build 7", "2.4.0", False, Standing.UNKNOWN, "reports build 7, which cannot be compared"),
    ("v2.4.1", "", False, Standing.UNKNOWN, "reports v2.4.1, the same version written otherwise"),
    (None, "2.4.0", False, Standing.NOTHING, "reports no version"),
    (None, "", True, Standing.NOTHING, "reports no version"),
]


@pytest.mark.parametrize(("runs", "before", "ran", "standing", "words"), STANDINGS)
def test_what_a_device_reports_instead_is_distinguished(
    runs: str | None, before: str, ran: bool, standing: Standing, words: str
) -> None:
    reported = ReportedVersions(
        versions={"gw-1": runs},
        before={"gw-1": before} if before else {},
        ran=frozenset({"gw-1"} if ran else ()),
    )

    assert reported.standing("gw-1", DECLARED) is standing
    assert reported.words("gw-1", DECLARED) == words


def test_every_standing_is_in_the_table() -> None:
    assert {row[3] for row in STANDINGS} == set(Standing)


def test_what_it_reports_and_what_its_transfer_said_are_both_reported() -> None:
    assert proved(BAD, reports("2.4.1"), DECLARED, final=False).detail == (
        "reports 2.4.1, although its transfer said timeout"
    )
    assert proved(OK, reports("2.4.0"), DECLARED, final=True).detail == (
        "reports 2.4.0, an older version; declared is 2.4.1"
    )
    assert proved(OK, reports("2.4.0"), DECLARED, final=False).detail == "so far reports 2.4.0, an older version"
    assert proved(OK, reports(None), DECLARED, final=True).detail == "reports no version; declared is 2.4.1"
    assert proved(BAD, reports("2.4.0"), DECLARED, final=True).detail == "reports 2.4.0, an older version"


def test_of_a_failed_device_that_no_one_asked_nothing_is_reported() -> None:
    assert proved(BAD, ReportedVersions(versions={}), DECLARED, final=True) == BAD


def test_why_a_device_can_report_nothing_is_reported_where_it_is_known() -> None:
    shown = ReportedVersions(versions={"gw-1": None}, silent={"gw-1": "no thing is associated with it"})

    assert proved(OK, shown, DECLARED, final=True).detail == "no thing is associated with it; declared is 2.4.1"


def test_only_a_device_that_may_have_the_image_is_waited_for() -> None:
    assert undecided(OK, reports(None), DECLARED)
    assert not undecided(OK, reports("2.4.1"), DECLARED)
    assert not undecided(BAD, reports(None), DECLARED)
    assert undecided(BAD, reports(None), DECLARED, frozenset({"gw-1"}))
    assert not undecided(BAD, reports("2.4.1"), DECLARED, frozenset({"gw-1"}))


UNIT = Unit(unit_id="u", phase=UnitPhase.ENDED, vendor_id="1")


def test_a_unit_runs_on_while_a_device_may_still_report() -> None:
    results = (OK, DeviceResult(device="gw-2", outcome=Outcome.SUCCEEDED), _failed("gw-3"))
    shown = ReportedVersions(versions={"gw-1": "2.4.1", "gw-2": None})

    unit = confirmed(UNIT, results, shown, DECLARED, final=False)

    assert (unit.phase, unit.results) == (UnitPhase.RUNNING, None)
    assert unit.progress == {"succeeded": 1, "waitingForVersion": 1, "failed": 1}


def test_a_unit_has_ended_when_no_one_is_waited_for_and_when_the_time_is_over() -> None:
    early = confirmed(UNIT, (OK,), reports("2.4.1"), DECLARED, final=False)
    late = confirmed(UNIT, (OK,), reports(None), DECLARED, final=True)

    assert (early.phase, early.results) == (UnitPhase.ENDED, (OK,))
    assert [r.reason for r in late.results or ()] == [Reason.VERSION]


def test_one_entry_tells_apart_what_the_devices_report_that_are_waited_for() -> None:
    runs = {"a": "2.4.0", "b": "2.3", "c": "3.0", "d": "beta", "e": None, "f": "2.4.1", "g": "2.2"}
    results = tuple(DeviceResult(device=d, outcome=Outcome.SUCCEEDED) for d in runs)

    unit = confirmed(UNIT, results, ReportedVersions(versions={**runs}, before={"a": "2.4.0"}), DECLARED, final=False)

    (concern,) = unit.findings
    assert (concern.field, concern.desired) == ("devices.version", DECLARED)
    assert concern.observed == {
        "rolledBack": {"devices": 1, "reported": {"a": "2.4.0"}},
        "older": {"devices": 2, "reported": {"b": "2.3", "g": "2.2"}},
        "newer": {"devices": 1, "reported": {"c": "3.0"}},
        "unknown": {"devices": 1, "reported": {"d": "beta"}},
    }


def _failed(device: str) -> DeviceResult:
    return DeviceResult(device=device, outcome=Outcome.FAILED, reason=Reason.NO_MEMORY)
