"""Rules of the targets, at the fields that break them."""

from __future__ import annotations

import pytest

from tests.support.policy_tables import GOOD, OTA, TUYA, changed, found, with_backend, with_waves

WAVES = "/spec/strategy/waves"
UNRADIO = GOOD.replace("    dataRate: 3\n    fragmentSizeBytes: 112\n    fragmentIntervalMs: 9000\n", "")
DEVICES = "  targets: {wirelessDevices: [a, b, c]}\n"
GROUPS = "  targets: {multicastGroups: [a, b]}\n"


def percents(*values: float) -> str:
    return "".join(f"      - {{name: w{i}, percent: {value}}}\n" for i, value in enumerate(values))


TABLE = {
    "percent of devices": (with_waves(percents(10, 100), DEVICES, UNRADIO), []),
    "a DevEUI as an id": (
        with_waves("      - {name: a, targets: {wirelessDevices: [x, 70B3D57ED0000001]}}\n", text=UNRADIO),
        [f"?id_looks_like_dev_eui {WAVES}/0/targets/wirelessDevices/1"],
    ),
    "percent of groups": (with_waves(percents(10, 100), GROUPS), [f"percent_needs_devices {WAVES}/0/percent"]),
    "percent of nothing": (with_waves(percents(10, 100)), [f"percent_needs_targets {WAVES}/0/percent"]),
    "percent that stands still": (
        with_waves(percents(10, 10, 100), DEVICES, UNRADIO),
        [f"percent_not_ascending {WAVES}/1/percent"],
    ),
    "percent that ends early": (
        with_waves(percents(10, 90), DEVICES, UNRADIO),
        [f"percent_not_complete {WAVES}/1/percent"],
    ),
    "targets and percent": (
        with_waves("      - {name: a, percent: 100, targets: {wirelessDevices: [d]}}\n", DEVICES, UNRADIO),
        [f"targets_and_percent {WAVES}/0/percent"],
    ),
    "neither": (with_waves("      - {name: a}\n"), [f"wave_has_no_targets {WAVES}/0"]),
    "some by percent, some by name": (
        with_waves(percents(50) + "      - {name: z, targets: {wirelessDevices: [x]}}\n", DEVICES, UNRADIO),
        [f"percent_not_complete {WAVES}/0/percent", f"waves_divide_differently {WAVES}"],
    ),
    "targets no one uses": (
        with_waves("      - {name: a, targets: {wirelessDevices: [x]}}\n", DEVICES, UNRADIO),
        ["targets_are_unused /spec/targets"],
    ),
    "two kinds in one wave": (
        changed("multicastGroups: [3f0c1d52]", "multicastGroups: [3f0c1d52]\n          wirelessDevices: [abc]"),
        [f"mixed_targets {WAVES}/0/targets/wirelessDevices"],
    ),
    "two kinds in two waves": (
        changed("multicastGroups: [3f0c1d52]", "wirelessDevices: [abc]"),
        [f"mixed_targets {WAVES}/1/targets"],
    ),
    "things for LoRaWAN": (
        with_waves("      - {name: a, targets: {things: [x]}}\n"),
        [f"foreign_targets {WAVES}/0/targets/things"],
    ),
    "groups for Tuya": (
        with_waves("      - {name: a, targets: {multicastGroups: [x]}}\n", text=with_backend(TUYA, "devices")),
        [f"foreign_targets {WAVES}/0/targets/multicastGroups"],
    ),
    "things in one wave, thing groups in the next": (
        with_waves(
            "      - {name: a, targets: {things: [x]}}\n      - {name: b, targets: {thingGroups: [y]}}\n",
            text=with_backend(OTA, "thingGroups"),
        ),
        [],
    ),
    "a group in two waves": (
        changed("- 77ab2e10", "- 3f0c1d52"),
        [f"targets_overlap {WAVES}/1/targets/multicastGroups/0"],
    ),
    "a group twice in a wave": (
        changed("- 77ab2e10", "- 91cd3f21"),
        [f"duplicate_target {WAVES}/1/targets/multicastGroups/1"],
    ),
    "Tuya selects the devices": (
        with_waves(
            "      - {name: a}\n", text=with_backend("  tuya: {productKey: abc, targetSelection: ALL}\n", "devices")
        ),
        [],
    ),
    "Tuya selects, and waves name devices": (
        with_backend("  tuya: {productKey: abc, targetSelection: ALL}\n", "devices"),
        [f"service_selects_targets {WAVES}/0", f"service_selects_targets {WAVES}/1"],
    ),
    "Tuya selects, and devices are listed": (
        with_waves(
            "      - {name: a}\n",
            "  targets: {devices: [a]}\n",
            with_backend("  tuya: {productKey: abc, targetSelection: ALL}\n", "devices"),
        ),
        ["targets_are_unused /spec/targets"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_rules_find(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_the_message_names_both_waves_of_an_overlap() -> None:
    from otactl import policies
    from otactl.backends.registry import BACKENDS
    from tests.support.policy_tables import value_of

    (violation,) = policies.check(value_of(changed("- 77ab2e10", "- 3f0c1d52")), BACKENDS)
    assert "wave canary" in violation.message
    assert "wave fleet" in violation.message
