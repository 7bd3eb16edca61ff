"""All rollouts on one screen: what needs a person first, with the way out, in 80 columns and the terminal's height."""

from __future__ import annotations

from datetime import timedelta
from textwrap import dedent

import msgspec
import pytest

from otactl.model import Failure, LastRun, Outcome, Phase, Reason, Record, RecordedHold, Stage, WaveRecord
from otactl.model.notices import Notice, NoticeKind, ReceiverFailure
from otactl.planning.environment import NAME
from otactl.report.status_overview import render
from otactl.report.status_summary import summarise
from otactl.report.tables import columns
from tests.support.report_values import HOSTILE, NOW, attempt, entry, record, result, stored

RUNNING = WaveRecord(
    name="fleet",
    attempts=(attempt(2, Stage.SCHEDULED, vendor_id="b2e1f0aa", job_id="AFR_OTA-1", members=("g1", "g2")),),
)
CANARY = WaveRecord(
    name="canary", attempts=(attempt(stage=Stage.ENDED, results=(result("1", Outcome.FAILED, Reason.FLASH),)),)
)
WINDOW = RecordedHold(
    reason="window_is_closed",
    message="the window opens at 22:00",
    since=NOW - timedelta(hours=2),
    until=NOW + timedelta(minutes=90),
)
APPROVAL = RecordedHold(reason="approval_is_missing", message="wave fleet waits for firmware-owners", since=NOW)


def environment(**changes: object) -> Record:
    run = LastRun(at=NOW - timedelta(minutes=3), by="ci/7", since=NOW - timedelta(hours=5))
    return Record(environment="prod-eu", name=NAME, last_run=msgspec.structs.replace(run, **changes))


def overview(*records: Record, width: int | None = None, height: int | None = None) -> str:
    return render(summarise(stored(*records)), NOW, width=width, height=height)


def test_a_rollout_is_a_row_with_its_holds_its_ways_out_and_its_unit_below() -> None:
    soil = record(
        CANARY, RUNNING, requeue_at=NOW + timedelta(minutes=12), drift=(entry("a"),), holds=(WINDOW, APPROVAL)
    )

    assert overview(soil, environment()) == dedent(
        """\
        prod-eu: last recorded run 3m ago, 2026-03-01T11:57:00Z by ci/7, without an error
        ROLLOUT  VERSION  PHASE        WAVE        OK  FAIL  WAIT  DRIFT  NEXT RUN
        soil     2.4.1    Progressing  canary 1/2   0     1     2      1  in 12m
          held window_is_closed for 2h, ends by itself in 1h (2026-03-01T13:30:00Z): the window opens at 22:00
          held approval_is_missing for 0s: wave fleet waits for firmware-owners
          way out: Run `otactl approve PATH --wave WAVE --by WHO` and merge the pull request.
          scheduled soil-canary-2-0a1b2c3d: id b2e1f0aa, job AFR_OTA-1
          1 device failed: `otactl status soil`
        1 rollout: 1 Progressing; one in full: `otactl status NAME`"""
    )


def test_an_error_of_the_last_run_is_shown_with_since_when_and_the_way_out() -> None:
    failing = environment(reason="NoCredentials", error="the token has expired", last_good=NOW - timedelta(hours=6))
    shown = overview(record(), failing).splitlines()

    assert shown[0].endswith("by ci/7, failed; last without an error 6h ago")
    assert shown[1] == "  NoCredentials for 5h: the token has expired"
    assert shown[2].startswith("  way out: ")


def test_rollouts_that_need_a_person_come_first_and_those_that_are_over_last() -> None:
    shown = overview(
        record(name="a", phase=Phase.SUCCEEDED),
        record(name="b"),
        record(name="c", phase=Phase.FAILED),
        record(name="d", holds=(RecordedHold(reason="role_is_missing", message="m", stalled=True, since=NOW),)),
    )

    rows = [line.split()[0] for line in shown.splitlines() if line[:2].strip() and "2.4.1" in line]
    assert rows == ["c", "d", "b", "a"]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["soil", "a-name-of-thirty-characters-abc"[:30]])
def test_no_line_is_wider_than_the_terminal_but_for_a_command(width: int, name: str) -> None:
    failed = Failure(reason="PermissionDenied", message="iot:CreateOTAUpdate was refused " * 8, since=NOW)
    waiting = msgspec.structs.replace(RUNNING, name="twelve-chars")
    shown = overview(
        record(waiting, name=name, holds=(WINDOW, APPROVAL), failure=failed, phase=Phase.PROGRESSING),
        environment(reason="NoCredentials", error="the token has expired " * 9),
        width=width,
    )

    assert [line for line in shown.splitlines() if columns(line) > width and "`" not in line] == []
    assert name in shown
    assert ("VERSION" in shown) is (width == 120)


def test_a_screen_is_filled_and_what_is_left_is_counted_by_phase() -> None:
    many = [record(name=f"r{n:02}", phase=Phase.SUCCEEDED) for n in range(50)]
    shown = overview(*many, record(name="zz", phase=Phase.FAILED), width=80, height=24).splitlines()

    assert len(shown) <= 22
    assert shown[2].startswith("zz ")
    (left,) = [line for line in shown if line.startswith("and ")]
    rows = sum(line.startswith("r") for line in shown)
    assert left == f"and {50 - rows} more rollouts ({50 - rows} Succeeded): `otactl status --details`"
    assert shown[-1].startswith("51 rollouts: ")


def test_without_a_terminal_every_rollout_is_shown() -> None:
    many = [record(name=f"r{n:02}", phase=Phase.SUCCEEDED) for n in range(50)]

    assert sum(line.startswith("r") for line in overview(*many).splitlines()) == 50


def test_rollouts_of_several_environments_are_named_with_theirs() -> None:
    shown = overview(record(), record(environment="prod-us"))

    assert "prod-eu/soil" in shown
    assert "prod-us/soil" in shown


def test_nothing_that_was_recorded_acts_on_the_terminal() -> None:
    holds = (RecordedHold(reason=HOSTILE, message=HOSTILE, since=NOW),)
    shown = overview(record(name=HOSTILE, version=HOSTILE, holds=holds), environment(reason="X", error=HOSTILE))

    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(shown)


def test_a_receiver_of_notices_that_accepts_nothing_is_named_with_what_waits() -> None:
    notice = Notice(id="a", kind=NoticeKind.HELD, at=NOW, rollout="soil", reason="r", message="m", to=("ops", "chat"))
    own = msgspec.structs.replace(
        environment(), receiver_failures={"ops": ReceiverFailure(since=NOW, error="it answered 500")}
    )
    shown = overview(record(notices=(notice,)), own).splitlines()

    assert shown[1:3] == [
        "  receiver chat: 1 notice waits",
        "  receiver ops accepts nothing since 2026-03-01T12:00:00Z: it answered 500; 1 notice waits",
    ]


def test_nothing_recorded_is_said_so() -> None:
    assert overview() == "no rollout is recorded"
