"""`otactl gate` as a user runs it: on the examples, with other assumptions, and refused when they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli_runner import Run, run_of
from tests.support.examples import PLUG, SOIL, edit, examples


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    examples(tmp_path, monkeypatch)
    return run_of("gate", monkeypatch, capsys)


def test_every_wave_of_the_examples_is_judged_offline(gate: Run) -> None:
    found = gate("rollouts/ -o json")

    assert found.code == 0
    waves = {(r["name"], w["name"]): w for r in found.json["rollouts"] for w in r["waves"]}
    assert waves["soil-probe-2-4-1", "canary"]["devices"] is None
    assert waves["smart-plug-2-4-1", "canary"]["devices"] == 2


def test_a_wave_of_a_group_is_judged_with_the_number_of_devices_given(gate: Run) -> None:
    text = gate(f"{SOIL} --devices canary=30 --bad-percent 50").out

    assert "wave canary, 30 devices; gate: 90 % succeed" in text
    assert "lets firmware that fails on 50 % of devices pass in less than 0.01 % of cases with 30 devices" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{SOIL} --devices canari=30", "no rollout here has such a wave"),
        (f"{SOIL} --devices canary", "write it as canary=30"),
        (f"{SOIL} --devices canary=0", "write it as canary=30"),
        (f"{SOIL} --bad-percent 60 --silent-percent 50", "more than 100 % together"),
        (f"{SOIL} --bad-percent nan", "nan is not a number"),
        (f"{SOIL} --risk-percent nan", "nan is not a number"),
        ("", "name at least one manifest"),
    ],
)
def test_what_cannot_be_computed_is_one_clear_error(gate: Run, words: str, message: str) -> None:
    found = gate(words)

    assert found.code == 1
    assert message in found.err


def test_a_wave_too_small_for_its_confidence_is_an_error_of_its_manifest(gate: Run) -> None:
    edit(PLUG, "minSuccessPercent: 75", "minSuccessPercent: 75, confidence: 0.95")

    found = gate(PLUG)

    assert found.code == 1
    assert "wave_is_too_small" in found.err
    assert "it needs at least" in found.err
