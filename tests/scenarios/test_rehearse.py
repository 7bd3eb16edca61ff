"""`otactl rehearse` as a user runs it: what comes of the example fleet, of windows, retries, and fleets that fail."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from otactl.rehearsal.fleets import FLEETS
from tests.support.cli_runner import Run, run_of
from tests.support.examples import examples

PROBES = "rollouts/soil-probe-2-4-1.yaml"
SHA = "02867c576527804c6142e3c220e82ff32fcdb984a3ac3dae6a07efdc7a80c494"
WINDOWED = f"""
apiVersion: otactl.dev/v1
kind: Rollout
metadata: {{name: windowed}}
spec:
  environment: prod-eu
  firmware:
    version: "2.4.1"
    image: s3://acme-firmware-eu/soil-probe/sha256/{SHA}/soil-probe-2.4.1.bin
    sha256: {SHA}
    sizeBytes: 8960
  fuota:
    rfRegion: EU868
    role: arn:aws:iam::123456789012:role/fuota
    dataRate: 3
    fragmentSizeBytes: 112
    fragmentIntervalMs: 9000
    redundancyPercent: 20
  strategy:
    waves:
      - {{name: canary, targets: {{multicastGroups: [3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01]}}}}
      - name: fleet
        targets: {{multicastGroups: [77ab2e10-5b7c-4a55-8c3e-1d2f3a4b5c02]}}
        requires: {{approval: firmware-owners}}
    gate: {{minSuccessPercent: 60, soak: 12h}}
    retry: {{attempts: 2, on: [missingFragments], backoff: 1h}}
  windows:
    - {{kind: allow, schedule: "0 22 * * *", duration: 7h, timeZone: Europe/Paris}}
"""


@pytest.fixture
def rehearse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    examples(tmp_path, monkeypatch)
    return run_of("rehearse", monkeypatch, capsys)


def test_the_example_fleet_comes_to_its_end_with_every_service(rehearse: Run) -> None:
    found = rehearse("rollouts --seeds 1 --devices-per-group 3 --loss 0 -o json")

    assert found.code == 0
    reported = found.json
    assert reported["succeeds"] is True
    assert [r["outcome"] for r in reported["seeds"][0]["rollouts"]] == ["succeeded"] * 4


def test_the_same_seed_foretells_the_same(rehearse: Run) -> None:
    words = f"{PROBES} --seeds 1 --seed 4 --loss 0.15 --silent 10 --at 2026-11-21T14:00:00Z -o json"

    assert rehearse(words).out == rehearse(words).out


@pytest.mark.thorough
def test_rollouts_rehearsed_together_foretell_the_same_each_time(rehearse: Run) -> None:
    words = "rollouts --seeds 1 --devices-per-group 2 --fail 20 --at 2026-11-21T14:00:00Z -o json"

    assert rehearse(words).out == rehearse(words).out


@pytest.mark.parametrize(
    "proof", ["shadow: reported.app.version", "attribute: fw", 'indexQuery: "shadow.reported.fw:2.4.1"']
)
@pytest.mark.sampled(4)
def test_wireless_devices_report_the_version_that_is_the_proof(rehearse: Run, proof: str) -> None:
    confirm = f"confirm: {{version: {{{proof}}}, within: 2d}}"
    Path("rollouts/proved.yaml").write_text(WINDOWED.replace("strategy:", f"strategy:\n    {confirm}"))
    words = "rollouts/proved.yaml --seeds 1 --loss 0 --at 2026-11-21T14:00:00Z -o json"

    assert [f["succeeded"]["most"] for f in rehearse(words).json["forecasts"]] == [20]
    back = rehearse(f"{words} --fail version=100")
    assert back.code == 2
    assert back.json["forecasts"][0]["failures"] == {"version": {"least": 10, "median": 10, "most": 10}}


def test_a_device_rolls_back_unseen_where_no_version_is_the_proof(rehearse: Run) -> None:
    found = rehearse(f"{PROBES} --seeds 1 --fail version=10")

    assert found.code == 1
    assert "--fail version: no service of these rollouts reports it" in found.err


def test_a_window_a_soak_a_retry_and_an_approval_are_in_the_timeline(rehearse: Run) -> None:
    Path("rollouts/windowed.yaml").write_text(WINDOWED)
    words = "rollouts/windowed.yaml --seeds 1 --loss 0.16 --at 2026-11-21T14:00:00Z -o json"
    found = rehearse(words)

    assert found.code == 0
    (rollout,) = found.json["seeds"][0]["rollouts"]
    assert {w["reason"] for w in rollout["waits"]} >= {"window_is_closed", "soak_is_running", "waiting_for_retry"}
    starts = [a["startAt"] for w in rollout["waves"] for a in w["attempts"]]
    assert starts
    for start in starts:  # Paris is an hour ahead: the window is 21:00 to 04:00 UTC
        assert start[11:13] in ("21", "22", "23", "00", "01", "02", "03")
    assert [len(w["attempts"]) for w in rollout["waves"]] == [2, 2]
    assert any("the approval of wave fleet by firmware-owners" in reported for reported in found.json["assumed"])


def test_single_devices_are_on_air_as_long_as_airtime_says_of_their_gateway(
    rehearse: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = "rollouts/leak-sensor-1-3-0.json"
    found = rehearse(f"{file} --seeds 1 --loss 0 -o json").json
    planned = run_of("airtime", monkeypatch, capsys)(f"{file} -o json").json["gatewayTotal"]["shortestSeconds"]
    ((attempt,),) = [w["attempts"] for w in found["seeds"][0]["rollouts"][0]["waves"]]
    start, end = (datetime.fromisoformat(attempt[name]) for name in ("startAt", "endedAt"))

    assert planned > 3 * 3600
    assert planned <= (end - start).total_seconds() <= planned + 300  # setting up, and when the loop next looks
    assert any(
        "48 bytes at data rate 0 every 28 s, one device after another" in reported for reported in found["assumed"]
    )


def test_where_no_duty_cycle_holds_single_devices_wait_for_each_other_all_the_same(rehearse: Run) -> None:
    declared = json.loads(Path("rollouts/leak-sensor-1-3-0.json").read_text())
    declared["spec"]["fuota"] |= {"rfRegion": "US915", "fragmentIntervalMs": 10_000}
    Path("rollouts/us.json").write_text(json.dumps(declared))
    found = rehearse("rollouts/us.json --seeds 1 --loss 0 -o json").json
    ((attempt,),) = [w["attempts"] for w in found["seeds"][0]["rollouts"][0]["waves"]]
    start, end = (datetime.fromisoformat(attempt[name]) for name in ("startAt", "endedAt"))

    frames = 3 * (205 + 61)  # 6144 bytes in 30, and 30 % of that, for three devices
    assert frames * 10 - 10 <= (end - start).total_seconds() <= frames * 10 + 300


def test_as_many_devices_succeed_as_airtime_says(
    rehearse: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one_wave = WINDOWED.partition("      - name: fleet")[0] + "    gate: {minSuccessPercent: 1}\n"
    Path("rollouts/small.yaml").write_text(one_wave.replace("sizeBytes: 8960", "sizeBytes: 2000"))
    devices = 400
    rehearsed = rehearse(f"rollouts/small.yaml --seeds 1 --devices-per-group {devices} --loss 0.05 -o json").json
    share = rehearsed["forecasts"][0]["succeeded"]["median"] / devices
    planned = run_of("airtime", monkeypatch, capsys)("rollouts/small.yaml --loss 0.05 -o json").json

    assert (planned["parityFragments"], planned["parityFragmentsRoundedUp"]) == (3, 4)
    chance = planned["successProbability"]
    assert 0.6 < chance < 0.7
    assert abs(share - chance) < 4 * (chance * (1 - chance) / devices) ** 0.5  # rounded up it is 0.82


def test_a_session_at_a_slower_rate_than_declared_takes_as_long_as_its_drift_says(rehearse: Run) -> None:
    slower = WINDOWED.replace("dataRate: 3", "dataRate: 5").replace("IntervalMs: 9000", "IntervalMs: 4000")
    Path("rollouts/slower.yaml").write_text(slower)
    found = rehearse("rollouts/slower.yaml --seeds 1 --loss 0 -o json").json
    (rollout,) = found["seeds"][0]["rollouts"]
    attempt = rollout["waves"][0]["attempts"][0]
    start, end = (datetime.fromisoformat(attempt[name]) for name in ("startAt", "endedAt"))
    reported = next(e["message"] for e in rollout["events"] if e["kind"] == "drift")
    seconds = int(reported.partition("'sessionSeconds': ")[2].partition(",")[0])

    assert seconds == 666
    assert seconds - 10 <= (end - start).total_seconds() <= seconds + 300


def test_a_fleet_that_misses_the_gate_ends_2_with_the_reason(rehearse: Run) -> None:
    found = rehearse(f"{PROBES} --seeds 2 --loss 0.5")

    assert found.code == 2
    assert "does not succeed: success_rate_is_too_low: wave canary" in found.out
    assert "missingFragments 10" in found.out


@pytest.mark.thorough
def test_what_never_ends_is_reported_as_not_ending(rehearse: Run) -> None:
    found = rehearse("rollouts/gateway-3-2-0.yaml --seeds 1 --silent 100 --horizon 3d -o json")

    assert found.code == 2
    (rollout,) = found.json["seeds"][0]["rollouts"]
    assert (rollout["outcome"], rollout["seconds"]) == ("notEnding", 3 * 86400)
    assert rollout["why"].startswith("devices_are_overdue")


def test_a_start_beyond_the_horizon_is_not_reported_as_having_happened(rehearse: Run) -> None:
    words = f"{PROBES} --seeds 1 --devices-per-group 1 --loss 0 --horizon 20m"
    (rollout,) = rehearse(f"{words} -o json").json["seeds"][0]["rollouts"]

    assert (rollout["outcome"], rollout["seconds"]) == ("notEnding", 20 * 60)
    assert [a["startAt"] for w in rollout["waves"] for a in w["attempts"]] == [None]
    assert "goes out" not in rehearse(words).out


FILES = {"fuota": "leak-sensor-1-3-0.json", "otaUpdate": "gateway-3-2-0.yaml", "tuya": "smart-plug-2-4-1.yaml"}


OF_GROUPS = "indexUnsupported"
REASONS = [(kind, reason) for kind in FLEETS for reason in ("", *FLEETS[kind].failures) if reason != OF_GROUPS]


@pytest.mark.parametrize(("kind", "reason"), REASONS)
@pytest.mark.sampled(4)
def test_devices_fail_for_the_reason_that_was_asked_for(rehearse: Run, kind: str, reason: str) -> None:
    file = Path("rollouts", FILES[kind])
    if kind == "fuota" and reason == "version":
        proof = '"strategy": {"confirm": {"version": {"attribute": "fw"}, "within": "1d"},'
        file.write_text(file.read_text().replace('"strategy": {', proof))
    percent = f"{reason}=100" if reason else "100"
    found = rehearse(f"{file} --seeds 1 --fail {percent} --loss 0 --devices-per-group 2 -o json")

    assert found.code == 2
    assert set(found.json["forecasts"][0]["failures"]) == {reason or next(iter(FLEETS[kind].failures))}


@pytest.mark.parametrize(("kind", "reason"), [("fuota", OF_GROUPS), ("otaUpdate", "noMemory"), ("tuya", "version")])
def test_a_reason_that_the_service_does_not_tell_is_refused(rehearse: Run, kind: str, reason: str) -> None:
    found = rehearse(f"rollouts/{FILES[kind]} --seeds 1 --fail {reason}=100")

    assert found.code == 1
    assert f"--fail {reason}: no service of these rollouts reports it; choose one of:" in found.err
    assert next(iter(FLEETS[kind].failures)) in found.err


def test_nothing_is_needed_of_an_environment_and_its_outputs(rehearse: Run) -> None:
    shutil.rmtree("rollouts/environments")
    found = rehearse(f"{PROBES} --seeds 1 --devices-per-group 2 --loss 0")

    assert found.code == 0
    assert "environment prod-eu was not found" in found.out
    assert "the stack output imageBucket is missing" in found.out


def test_two_environments_of_other_accounts_are_rehearsed_side_by_side(rehearse: Run) -> None:
    place = Path("rollouts/environments/prod-eu.yaml")
    other = place.read_text().replace("name: prod-eu\n", "name: prod-us\n").replace("123456789012", "999988887777")
    Path("rollouts/environments/prod-us.yaml").write_text(other.replace("eu-west-1", "us-east-1"))
    moved = Path(PROBES).read_text().replace("environment: prod-eu", "environment: prod-us")
    role = "role: arn:aws:iam::999988887777:role/somewhere/fuota"
    moved = moved.replace("role: ${stack:firmwareUpdateRoleArn}", role).replace("${stack:imageBucket}", "acme-us")
    Path("rollouts/us.yaml").write_text(moved)
    found = rehearse(
        f"{PROBES} rollouts/us.yaml rollouts/environments --seeds 1 --devices-per-group 2 --loss 0 -o json"
    )

    assert found.code == 0, found.out + found.err
    assert [f["environment"] for f in found.json["forecasts"]] == ["prod-eu", "prod-us"]


def test_no_variable_no_file_and_no_journal_of_the_user_is_touched(
    rehearse: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "there-is-no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:9")
    monkeypatch.setenv("OTACTL_JOURNAL", "rollouts/precious.db")
    before, files = dict(os.environ), {p: p.read_bytes() for p in Path().rglob("*") if p.is_file()}
    found = rehearse(f"{PROBES} --seeds 1 --devices-per-group 2 --loss 0")

    assert found.code == 0
    assert dict(os.environ) == before
    assert {p: p.read_bytes() for p in Path().rglob("*") if p.is_file()} == files


def test_the_picture_is_written_where_it_was_asked_for(rehearse: Run) -> None:
    found = rehearse(f"{PROBES} --seeds 1 --devices-per-group 2 --loss 0 --plot course.svg -o markdown")

    assert found.code == 0
    assert ElementTree.fromstring(Path("course.svg").read_text()).get("role") == "img"  # noqa: S314 - our own
    assert found.out.startswith("## Rehearsal: succeeds")


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        ("", "name at least one manifest"),
        ("rollouts/environments", "there is no rollout"),
        ("rollouts --environment elsewhere", "for elsewhere"),
        ("rollouts --seeds 0", "--seeds"),
        ("rollouts --devices-per-group 0", "--devices-per-group"),
        ("rollouts --horizon 0d", "--horizon"),
        ("rollouts --horizon soon", "--horizon"),
        ("rollouts --horizon 99999999999999999d", "--horizon"),
        ("rollouts --silent nan --fail 100", "--silent nan is no number"),
        ("rollouts --at soon", "--at"),
        ("rollouts --fail explodes=5", "explodes"),
        ("rollouts --plot course.png", ".svg"),
        ("rollouts/nothing.yaml", "there is no rollouts/nothing.yaml"),
        (f"{PROBES} --plot nowhere/course.svg --seeds 1 --devices-per-group 1", "could not be written"),
    ],
)
def test_what_a_user_gets_wrong_is_one_sentence_and_exit_1(rehearse: Run, words: str, reported: str) -> None:
    found = rehearse(words)

    assert found.code == 1
    assert reported in found.err
    assert "Traceback" not in found.err
