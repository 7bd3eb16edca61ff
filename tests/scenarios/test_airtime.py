"""`otactl airtime` as a user runs it: from flags, from a manifest, drawn, and refused when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from otactl.lorawan.fleet_probability import at_most
from tests.support.cli_runner import Run, run_of
from tests.support.examples import examples

EXAMPLE = (
    "--rf-region EU868 --data-rate 3 --image-bytes 98304 --fragment-bytes 112 --redundancy-percent 12 --loss 0.05 "
    "--ts004 v1"
)
SMALL = "--rf-region EU868 --data-rate 3 --image-bytes 8960 --fragment-bytes 88 --redundancy-percent 10 --loss 0.05"
GOOD = "--rf-region EU868 --data-rate 3 --image-bytes 8960 --fragment-bytes 87 --redundancy-percent 30 --loss 0.05"


@pytest.fixture
def airtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    examples(tmp_path, monkeypatch)
    return run_of("airtime", monkeypatch, capsys)


def test_the_example_prints_every_key_and_a_recommendation(airtime: Run) -> None:
    found = airtime(f"{EXAMPLE} -o json")
    assert found.code == 0
    reported = found.json
    assert (reported["fragments"], reported["parityFragments"], reported["timeOnAirMs"]) == (878, 105, 676.864)
    low, high = reported["successInterval"]
    assert low <= reported["successProbability"] <= high
    assert max(high - reported["successProbability"], reported["successProbability"] - low) <= 0.002
    assert reported["recommendation"]["successProbability"] >= 0.99


def test_the_real_rows_and_not_the_textbook_decide(airtime: Run) -> None:
    found = airtime(f"{SMALL} -o json")
    assert found.code == 2
    assert found.json["successProbability"] == pytest.approx(0.707, abs=0.002)
    assert found.json["successClosedForm"] == pytest.approx(0.878, abs=0.001)


def test_the_target_asked_for_decides_the_exit_code(airtime: Run) -> None:
    assert airtime(f"{SMALL} --target 0.6").code == 0
    assert airtime(f"{SMALL} --target 0.9").code == 2


def test_the_window_asked_for_decides_the_exit_code(airtime: Run) -> None:
    assert airtime(f"{GOOD} --window 1h").code == 0
    assert airtime(f"{GOOD} --window 10m").code == 2


def test_the_same_seed_prints_the_same_text(airtime: Run) -> None:
    assert airtime(f"{SMALL} --seed 7").out == airtime(f"{SMALL} --seed 7").out
    assert airtime(f"{SMALL} --seed 7").out != airtime(f"{SMALL} --seed 8").out


def test_classes_of_devices_are_given_in_pairs(airtime: Run) -> None:
    reported = airtime(f"{GOOD} --devices 90 --loss 0.1 --devices 10 -o json").json
    assert reported["devices"] == 100
    assert [each["devices"] for each in reported["losses"]] == [90, 10]


def test_a_manifest_is_planned_as_declared(airtime: Run) -> None:
    reported = airtime("rollouts/soil-probe-2-4-1.yaml -o json").json
    assert (reported["fragments"], reported["parityFragments"], reported["spacingMs"]) == (80, 16, 9000)
    assert reported["startLeadSeconds"] == 2100
    assert "loss_is_assumed" in {each["code"] for each in reported["warnings"]}


def test_flags_win_over_the_manifest(airtime: Run) -> None:
    reported = airtime("rollouts/soil-probe-2-4-1.yaml --redundancy-percent 40 --loss 0.01 -o json").json
    assert reported["parityFragments"] == 32
    assert reported["losses"] == [{"devices": 1, "loss": 0.01, "burstFragments": None}]


def test_single_devices_of_a_manifest_are_reported_as_the_gateways_total(airtime: Run) -> None:
    reported = airtime("rollouts/leak-sensor-1-3-0.json -o json").json
    assert reported["devices"] == 3
    assert reported["gatewayTotal"]["devices"] == 3


def test_the_gates_of_all_waves_have_to_pass(airtime: Run, tmp_path: Path) -> None:
    manifest = json.loads((tmp_path / "rollouts/leak-sensor-1-3-0.json").read_text())
    spec = manifest["spec"]
    spec["fuota"]["redundancyPercent"] = 12
    spec["targets"] = {"wirelessDevices": [f"d1a5f0c0-0000-4000-8000-{n:012}" for n in range(100)]}
    spec["strategy"] = {
        "waves": [{"name": "canary", "percent": 10}, {"name": "all", "percent": 100}],
        "gate": {"minSuccessPercent": 95},
    }
    (tmp_path / "rollouts/leak-sensor-1-3-0.json").write_text(json.dumps(manifest))
    reported = airtime("rollouts/leak-sensor-1-3-0.json --loss 0.05 --devices 100 -o json").json
    alike = reported["successProbability"]
    assert reported["gatePasses"] == pytest.approx(at_most(0, [10], [alike]) * at_most(4, [90], [alike]))


def test_groups_of_a_manifest_are_reported_for_one_device_until_they_are_counted(airtime: Run) -> None:
    assert "group_sizes_are_unknown" in airtime("rollouts/soil-probe-2-4-1.yaml").out
    counted = airtime("rollouts/soil-probe-2-4-1.yaml --devices 40").out
    assert "group_sizes_are_unknown" not in counted
    assert "of 40 devices expected" in counted


def test_a_plan_of_single_devices_is_made_though_the_assumed_rate_cannot_carry_the_image(
    airtime: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rollouts/leak-sensor-1-3-0.json"
    file.write_text(file.read_text().replace('"sizeBytes": 6144', '"sizeBytes": 900000'))
    assert airtime("rollouts/leak-sensor-1-3-0.json").code == 1
    found = run_of("plan", monkeypatch, capsys)("--offline rollouts/leak-sensor-1-3-0.json")
    assert found.code == 2
    assert "the airtime is not shown, because the assumed session cannot be sent" in found.out


def test_a_window_of_the_manifest_counts(airtime: Run, tmp_path: Path) -> None:
    file = tmp_path / "rollouts/soil-probe-2-4-1.yaml"
    allow = '{kind: allow, schedule: "0 22 * * *", duration: 10m, timeZone: Europe/Paris, overrun: finish}'
    windows = f"  windows: [{allow}]\n"
    file.write_text(file.read_text() + windows)
    reported = airtime("rollouts/soil-probe-2-4-1.yaml -o json").json
    assert reported["windowSeconds"] == 600
    assert reported["fitsWindow"] is False


def test_a_picture_is_drawn_into_the_file_named(airtime: Run, tmp_path: Path) -> None:
    assert airtime(f"{SMALL} --plot radio.svg").code == 2
    assert ElementTree.parse(tmp_path / "radio.svg").getroot().tag.endswith("svg")  # noqa: S314 - drawn right here


def test_markdown_is_a_table_for_a_pull_request(airtime: Run) -> None:
    assert "| success | 0.70" in airtime(f"{SMALL} -o markdown").out


REFUSED = {
    "nothing": ("", "name the manifest of a radio session, or give --rf-region and --image-bytes"),
    "an unknown region": (SMALL.replace("EU868", "EU686"), "no region 'EU686'; choose one of EU868"),
    "an unknown rate": (SMALL.replace("rate 3", "rate 9"), "EU868 has no downlink data rate 9; choose one of 0"),
    "a fragment over the payload": (SMALL.replace("88", "113"), "a fragment of 113 bytes does not fit"),
    "a fragment of nothing": (SMALL.replace("88", "0"), "at least 1 byte"),
    "loss of everything": (SMALL.replace("0.05", "1"), "a loss of 1 cannot be planned with"),
    "loss of more": (SMALL.replace("0.05", "1.5"), "a loss of 1.5 cannot be planned with"),
    "no loss known": (SMALL.replace("0.05", "nan"), "a loss of nan cannot be planned with"),
    "an empty image": (SMALL.replace("8960", "0"), "an image of 0 bytes cannot be sent"),
    "an image over a megabyte": (SMALL.replace("8960", "1000001"), "the service takes 1 to 1000000"),
    "too many fragments": (SMALL.replace("8960", "1000000").replace("88", "60"), "allows 16383"),
    "a timeout the service does not take": (
        f"{SMALL} --interval-ms 1400000",
        "a timeout of 262144 s, the service takes",
    ),
    "more than the legal duty cycle": (f"{SMALL} --interval-ms 3000", "the limit in EU868 is 10 %"),
    "no duration": (f"{SMALL} --window soon", "--window 'soon' is no duration"),
    "no outage": (f"{SMALL} --outage many", "--outage 'many' is not FRAGMENTS:PROBABILITY"),
    "an outage surely too likely": (f"{SMALL} --outage 5:2", "probability 2"),
    "losses for devices of a manifest": (
        "rollouts/leak-sensor-1-3-0.json --loss 0.05 --loss 0.2",
        "--loss is given 2 times for 3 devices; give --devices as often",
    ),
    "losses without their devices": (f"{SMALL} --loss 0.1 --devices 5", "--loss is given 2 times and --devices 1"),
    "no devices": (f"{SMALL} --devices 0", "0 devices cannot be planned for"),
    "a picture of another kind": (f"{SMALL} --plot radio.png", "name a file ending in .svg, not radio.png"),
    "a picture nowhere": (f"{GOOD} --plot nowhere/radio.svg", "could not be written to nowhere/radio.svg"),
    "a version no one sends": (SMALL + " --ts004 v3", "'v3' is not one of 'v1', 'v2r'"),
    "a number that is none": (SMALL.replace("8960", "many"), "'many' is not a valid integer"),
    "no such file": ("nope.yaml", "path_not_found"),
    "a rollout without a radio": (
        "rollouts/gateway-3-2-0.yaml",
        "no rollout in rollouts/gateway",
    ),
    "a folder of several": (
        "rollouts",
        "2 radio sessions (leak-sensor-1-3-0, soil-probe-2-4-1); name the file",
    ),
    "a ping slot period of none": (f"{SMALL} --class B --ping-slot-period 5", "power of two from 32 to 4096"),
    "devices that lose less than nothing": (f"{SMALL} --max-lost -1", "max_lost of -1"),
}


@pytest.mark.parametrize(("words", "what"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused_in_one_line(airtime: Run, words: str, what: str) -> None:
    found = airtime(words)
    assert found.code == 1
    assert what in found.err
    assert "Traceback" not in found.err
    assert len([line for line in found.err.splitlines() if line.startswith("otactl: ")]) == 1


def test_each_thing_that_cannot_be_has_a_line_of_its_own(airtime: Run) -> None:
    found = airtime(f"{SMALL.replace('88', '113')} --interval-ms 1000")
    assert found.code == 1
    assert len(found.err.splitlines()) == 2
