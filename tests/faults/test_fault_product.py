"""The fault product over HTTP: each case ends as the undisturbed run, or is held and led there; a defect is found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.faults.bodies import can_be_short, leaves, mistyped, short, without
from tests.support.faults.cases import Boundary, Fault, Kind, Setting, cases, faults_of, settings, shared
from tests.support.faults.end_state import differences
from tests.support.faults.judge import Result
from tests.support.faults.recorded import figures, summary, table
from tests.support.paths import ROOT

FULL = bool(os.environ.get("OTACTL_TEST_FULL"))
# A setting, and in how many shares its cases are divided, of which one is played: some seconds in all, 50 s of CPU in
# `make check`.
SAMPLE = [("tuya/waves/sqlite/correct", 60)]
LARGER = [("fuota/edited/sqlite/report", 30), ("otaUpdate/newer-content/s3/correct", 80), ("tuya/waves/s3/correct", 30)]


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own: it forks its cases, which one with threads must not."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.server
@pytest.mark.parametrize(("setting", "shares"), LARGER if FULL else SAMPLE)
def test_a_share_of_the_product_ends_as_undisturbed_and_the_command_goes_on_where_it_was(
    tmp_path: Path, setting: str, shares: int
) -> None:
    command = ("-m", "tests.support.faults", "play", "--folder", str(tmp_path), "--workers", "1", "--only", setting)
    ran = python(*command, "--shares", "1", "--of", str(shares))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    played, _, rest = ran.stdout.splitlines()[-1].partition(" cases, ")
    assert int(played) > 5
    assert rest.endswith(", 0 failures")
    if FULL:
        return  # the second play costs another undisturbed run
    again = python(*command, "--shares", "1", "--of", str(shares))
    assert again.stdout.splitlines() == ran.stdout.splitlines()[-1:]


REPEATS_CREATES = """
from unittest.mock import patch
from otactl.backends.tuya.client import TuyaClient
from tests.support.faults.cases import Fault, Kind, settings
from tests.support.faults.judge import play
from tests.support.faults.work import scout_of
from tests.support.sdk_models import read_once

def insist(self, prepared, *, repeatable, throttles, not_after=None, plain=TuyaClient._insist):
    return plain(self, prepared, repeatable=True, throttles=True, not_after=not_after)

setting = next(s for s in settings() if s.name == "tuya/waves/sqlite/correct")
with read_once(), patch.object(TuyaClient, "_insist", insist):
    lost = lambda cases: [c for c in cases if c.boundary.kind is Kind.WRITE and c.fault is Fault.TIMEOUT][:1]
    for result in play(setting, lost, scout_of(setting)):
        print(result.outcome, result.detail)
"""


@pytest.mark.server
def test_a_defect_that_sends_content_twice_is_found() -> None:
    ran = python("-c", REPEATS_CREATES)

    assert ran.stdout.startswith("failed another end: "), ran.stdout + ran.stderr
    assert "['plug-1', 'plug-2']\"]: undisturbed 1, here 2" in ran.stdout


def test_the_settings_are_every_combination_of_service_scenario_journal_and_drift_mode() -> None:
    assert len({s.name for s in settings()}) == len(settings()) == 3 * 4 * 2 * 2


@pytest.mark.parametrize(
    ("kind", "lacks"),
    [
        (Kind.READ, {Fault.TWICE_FIRST, Fault.HTML, Fault.DIES_BEFORE_ANSWER}),
        (Kind.WRITE, {Fault.STALE, Fault.SHORT}),
        (Kind.JOURNAL_WRITE, {Fault.STALE, Fault.SHORT, Fault.MISSING, Fault.WRONG_TYPE}),
    ],
)
def test_what_can_go_wrong_follows_from_what_a_call_is(kind: Kind, lacks: set[Fault]) -> None:
    found = faults_of(Boundary(1, 1, kind, "iot:X"))

    assert len(found) == len(set(found))
    assert lacks & set(found) == set()
    assert {Fault.THROTTLE, Fault.ERROR_500, Fault.RESET, Fault.TIMEOUT, Fault.SLOW, Fault.DIES_BEFORE_SEND} <= {*found}


def test_a_write_and_a_commit_together_have_each_way_to_die() -> None:
    found = {*faults_of(Boundary(1, 1, Kind.WRITE, "iot:X")), *faults_of(Boundary(1, 1, Kind.COMMIT, "commit"))}

    assert {fault for fault in Fault if fault.kills} <= found


def test_the_shares_of_a_setting_are_its_cases_each_once() -> None:
    setting = Setting("tuya", "waves", "s3", "report")
    every = cases(setting, [Boundary(r, n, Kind.READ, "tuya:X", lags=n % 2 > 0) for r in (1, 2) for n in range(1, 9)])

    found = [case for share in range(5) for case in shared(every, share, 5)]

    assert sorted(found) == sorted(every)
    assert len({case.name for case in found}) == len(found)


BODY = b'{"tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}], "requestId": "r"}'


def test_a_short_list_lacks_one_item_and_a_missing_field_is_one_that_is_needed() -> None:
    assert short("iot", "ListTagsForResource", BODY, 1).count(b"Key") == 1
    assert b"Key" not in without("iot", "ListTagsForResource", short("", "", BODY, 0), 0)
    assert without("iam", "GetRole", b"<Role><Arn>a</Arn></Role>", 0) == b"<Role></Role>"


def test_each_value_of_an_answer_is_mistyped_in_its_turn() -> None:
    assert leaves(BODY) == 5
    assert len({mistyped("iot", "X", BODY, pick) for pick in range(5)}) == 5
    assert can_be_short("ListThings", b'{"things": ["a"]}')
    assert not can_be_short("ListThings", b'{"things": []}')
    assert not can_be_short("DescribeThing", b'{"things": ["a"]}')
    assert not can_be_short("ListOTAUnfinishedTaskByDevice", b'{"data": ["a"]}')


def test_states_that_differ_are_reported_by_place() -> None:
    assert differences({"a": [{"b": 1}], "c": 2}, {"a": [{"b": 2}], "c": 2}) == ["a[0].b: undisturbed 1, here 2"]
    assert differences({"a": [1]}, {"a": [1, 2]}) == ["a: undisturbed [1], here [1, 2]"]


def test_the_summary_counts_each_outcome_and_the_table_names_the_codes() -> None:
    found = [
        Result("tuya/waves/s3/report@1.2:slow", "same"),
        Result("tuya/waves/s3/report@1.3:slow", "led", ("image_is_missing",)),
        Result("fuota/edited/sqlite/report@1.c3:dies-before-journal", "failed", ("other",), "words"),
    ]

    assert summary(found) == "3 cases, 1 ended as undisturbed, 1 held and were led on, 1 failures"
    assert "| the answer takes 3 minutes | 0 | 0 | 2 | 2 | 1 | 0 |" in table(figures(found))
    assert "Codes that held a case: `image_is_missing`." in table(figures(found))
