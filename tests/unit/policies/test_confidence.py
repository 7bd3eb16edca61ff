"""Gates with a confidence: what excludes it, and waves that are too small to pass."""

from __future__ import annotations

import pytest

from otactl import policies
from otactl.backends.registry import BACKENDS
from otactl.model import Rollout
from tests.support.policy_tables import GOOD, OTA, changed, found, value_of, with_backend, with_waves

SURE = "    gate: {minSuccessPercent: %s, confidence: %s}\n"
TARGETS = "  targets: {wirelessDevices: [%s]}\n"
SINGLES = GOOD.replace("    dataRate: 3\n    fragmentSizeBytes: 112\n    fragmentIntervalMs: 9000\n", "")
ENDLESS = "    targetSelection: CONTINUOUS\n"


def named(first: int, last: int) -> str:
    return ", ".join(f"d1a5f0c0-0000-4000-8000-{n:012}" for n in range(first, last))


def waves(canary: int, fleet: int, gate: str) -> str:
    text = "".join(
        f"      - name: {name}\n        targets: {{wirelessDevices: [{named(first, last)}]}}\n"
        for name, first, last in (("canary", 0, canary), ("fleet", canary, canary + fleet))
    )
    return with_waves(text + gate, text=SINGLES)


def percents(canary: float, total: int, gate: str, more: str = "") -> str:
    text = f"      - {{name: canary, percent: {canary}{more}}}\n      - {{name: fleet, percent: 100}}\n"
    return with_waves(text + gate, TARGETS % named(0, total), text=SINGLES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (waves(29, 100, SURE % (90, 0.95)), []),
        (waves(3, 100, SURE % (90, 0.95)), ["wave_is_too_small /spec/strategy/gate/confidence"]),
        (waves(3, 100, SURE % (50, 0.6)), []),
        (percents(30, 100, SURE % (90, 0.95)), []),
        (percents(10, 100, SURE % (90, 0.95)), ["wave_is_too_small /spec/strategy/gate/confidence"]),
        (percents(10, 100, SURE % (90, 0.95), ", include: {ring: lab}"), []),
        (waves(29, 100, SURE % (100, 0.95)), ["wave_is_too_small /spec/strategy/gate/confidence"]),
        (changed("    gate:", "    gate: {confidence: 0.95, minSuccessPercent: 98} #"), []),
        (
            waves(29, 100, "    gate: {minSuccessPercent: 90, confidence: 0.95, weights: {offline: 0.5}}\n"),
            ["confidence_excludes_weights /spec/strategy/gate/weights"],
        ),
    ],
)
def test_a_gate_with_a_confidence_needs_a_wave_that_can_pass_it(text: str, expected: list[str]) -> None:
    assert [f for f in found(text) if "confidence" in f or "too_small" in f] == expected


def test_an_update_that_goes_on_to_devices_that_join_has_no_confidence() -> None:
    text = with_backend(OTA + ENDLESS, "thingGroups").replace("    gate:", "    gate: {confidence: 0.9} #")

    assert "confidence_needs_a_fixed_wave /spec/strategy/gate/confidence" in found(text)


def messages(rollout: Rollout) -> list[str]:
    return [v.message for v in policies.check(rollout, BACKENDS) if v.code == "wave_is_too_small"]


def test_the_message_says_how_many_devices_it_takes() -> None:
    assert messages(value_of(waves(3, 100, SURE % (90, 0.95)))) == [
        (
            "wave canary, 3 devices, cannot show with 95 % confidence that at most 10 % fail: "
            "it needs at least 24 devices of the 103 in it and in the waves after it"
        )
    ]
