"""Rules of LoRaWAN, at the fields that break them."""

from __future__ import annotations

import pytest

from tests.support.policy_tables import GOOD, changed, found, with_waves

SINGLE = "      - name: all\n        targets: {wirelessDevices: [%s]}\n"
UNRADIO = GOOD.replace("    dataRate: 3\n    fragmentSizeBytes: 112\n    fragmentIntervalMs: 9000\n", "")
SPEC = "/spec/fuota"
TABLE = {
    "nothing": (GOOD, []),
    "a fragment of the whole payload less 3 bytes": (changed("112", "111"), []),
    "a fragment too large by one": (changed("112", "113"), [f"fragment_exceeds_payload {SPEC}/fragmentSizeBytes"]),
    "a data rate the region has not": (changed("dataRate: 3", "dataRate: 9"), [f"data_rate_unknown {SPEC}/dataRate"]),
    "more duty than the law allows": (changed("9000", "6000"), [f"duty_cycle_exceeds_limit {SPEC}/fragmentIntervalMs"]),
    "more duty than is polite": (changed("9000", "8000"), [f"?duty_cycle_exceeds_headroom {SPEC}/fragmentIntervalMs"]),
    "more fragments than the counter counts": (
        changed("8000", "900000").replace("112", "40").replace("9000\n", "9000\n", 1),
        [
            f"?class_c_timeout_exceeds_field {SPEC}/fragmentIntervalMs",
            f"fragment_counter_overflows {SPEC}/fragmentSizeBytes",
            f"session_exceeds_service_limit {SPEC}/fragmentIntervalMs",
        ],
    ),
    "no redundancy": (changed(": 20", ": 0"), [f"?redundancy_is_zero {SPEC}/redundancyPercent"]),
    "a start in ten minutes": (
        changed(": 20\n", ": 20\n    startLead: 10m\n"),
        [f"start_lead_too_short {SPEC}/startLead"],
    ),
    "a start in thirty minutes": (changed(": 20\n", ": 20\n    startLead: 30m\n"), []),
    "groups without radio fields": (UNRADIO, [f"group_field_missing {SPEC}"] * 3),
    "devices without radio fields": (with_waves(SINGLE % "a, b", text=UNRADIO), []),
    "devices with radio fields": (
        with_waves(SINGLE % "a, b"),
        [f"service_chooses_for_devices {SPEC}/dataRate", f"service_chooses_for_devices {SPEC}/fragmentSizeBytes"],
    ),
    "51 single devices": (
        with_waves(SINGLE % ", ".join(f"d{i}" for i in range(51)), text=UNRADIO),
        ["?many_single_devices /spec/strategy/waves/0/targets/wirelessDevices"],
    ),
    "a payload AWS documents smaller": (
        GOOD.replace("EU868", "US915").replace("dataRate: 3", "dataRate: 8").replace("112", "50"),
        [
            f"?payload_is_disputed {SPEC}/fragmentSizeBytes",
            f"?region_value_is_uncertain {SPEC}/rfRegion",
            f"?region_value_is_uncertain {SPEC}/rfRegion",
        ],
    ),
    "a size the service sends at another rate": (
        changed("dataRate: 3", "dataRate: 5"),
        [f"?fragment_size_changes_data_rate {SPEC}/dataRate"],
    ),
    "parity that leaves some fragment out": (
        changed(": 20\n", ": 2\n"),
        [f"?parity_never_repairs_some_fragment {SPEC}/redundancyPercent"],
    ),
    "no region": (changed("    rfRegion: EU868\n", ""), [f"?region_is_not_declared {SPEC}"]),
    "no redundancy of one's own": (
        changed("    redundancyPercent: 20\n", ""),
        [f"?redundancy_is_not_declared {SPEC}"],
    ),
    "no redundancy of one's own and a fragment too large": (
        changed("    redundancyPercent: 20\n", "").replace("112", "113"),
        [f"?redundancy_is_not_declared {SPEC}", f"fragment_exceeds_payload {SPEC}/fragmentSizeBytes"],
    ),
    "an interval the service rounds": (
        changed("9000", "9499"),
        [f"?interval_is_rounded {SPEC}/fragmentIntervalMs"],
    ),
    "an interval of one millisecond": (
        changed("9000", "1").replace("EU868", "CN470"),
        [f"?interval_is_rounded {SPEC}/fragmentIntervalMs", *[f"?region_value_is_uncertain {SPEC}/rfRegion"] * 4],
    ),
    "a descriptor of 3 bytes": (
        changed(": 20\n", ": 20\n    descriptor: AAEC\n"),
        [f"?descriptor_is_not_4_bytes {SPEC}/descriptor"],
    ),
    "the longest descriptor": (
        changed(": 20\n", f": 20\n    descriptor: {'A' * 332}\n"),
        [f"?descriptor_is_not_4_bytes {SPEC}/descriptor"],
    ),
    "190 tags": (changed(": 20\n", f": 20\n    tags: {{{','.join(f't{i}: x' for i in range(190))}}}\n"), []),
    "a doubt about other bands": (changed("9000", "10000"), []),
    "a doubt about the band in use": (
        GOOD.replace("EU868", "RU864").replace("9000", "90000"),
        [f"?region_value_is_uncertain {SPEC}/rfRegion"] * 2,
    ),
}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_rules_find(text: str, expected: list[str]) -> None:
    assert found(text) == expected
