"""Region data: complete, consistent with itself, and looked up with clear errors."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from otactl.lorawan.airtime import phy_length, time_on_air_us
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.regions import REGION_NAMES, data_rate, max_fragment_size, region, slowest_rate_for
from otactl.lorawan.session import plan_session

DATA: dict[str, Any] = json.loads(
    (resources.files("otactl.lorawan") / "data" / "lorawan_regions.json").read_text("utf-8")
)


def test_the_region_names_are_those_of_the_data_and_of_the_service() -> None:
    assert list(REGION_NAMES) == DATA["aws_limits"]["rf_regions"]
    assert set(REGION_NAMES) == set(DATA["regions"])


@pytest.mark.parametrize("name", REGION_NAMES)
def test_a_fragment_is_three_bytes_below_the_payload_at_every_rate(name: str) -> None:
    for rate in region(name).data_rates:
        assert rate.max_fragment_size_bytes == rate.max_payload_bytes - 3


@pytest.mark.parametrize("name", REGION_NAMES)
def test_data_rates_stand_from_slow_to_fast(name: str) -> None:
    rates = region(name).data_rates
    air = [time_on_air_us(rate, phy_length(20)) for rate in rates]
    assert [rate.dr for rate in rates] == sorted(rate.dr for rate in rates)
    assert air == sorted(air, reverse=True)


@pytest.mark.parametrize("name", REGION_NAMES)
def test_the_default_downlink_has_a_rate_and_a_duty_cycle(name: str) -> None:
    found = region(name)
    assert found.data_rate(found.default_downlink.dr).dr == found.default_downlink.dr
    assert 0 < found.duty_cycle <= 1


@pytest.mark.parametrize(
    ("name", "duty"),
    [("EU868", 0.1), ("US915", 1.0), ("AS923-1", 0.01), ("EU433", 0.01), ("RU864", 0.01), ("CN470", 1.0)],
)
def test_the_duty_cycle_is_that_of_the_default_downlink_frequency(name: str, duty: float) -> None:
    assert region(name).duty_cycle == duty


@pytest.mark.parametrize(
    ("name", "dr", "size"),
    [("EU868", 0, 48), ("EU868", 3, 112), ("EU868", 5, 239), ("US915", 8, 50), ("US915", 9, 126), ("CN470", 3, 181)],
)
def test_the_largest_fragment_is_known_per_rate(name: str, dr: int, size: int) -> None:
    assert max_fragment_size(name, dr) == size


@pytest.mark.parametrize(
    ("name", "size", "dr"),
    [("EU868", 48, 0), ("EU868", 49, 3), ("EU868", 113, 4), ("US915", 51, 9), ("AS923-1", 49, 2)],
)
def test_the_slowest_rate_that_holds_a_fragment_is_found(name: str, size: int, dr: int) -> None:
    assert slowest_rate_for(name, size).dr == dr


def test_a_fragment_no_rate_holds_is_refused_with_the_largest_one() -> None:
    with pytest.raises(LorawanError, match="at most 239 fit"):
        slowest_rate_for("EU868", 240)


def test_an_unknown_region_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LorawanError, match=r"'EU686'.*EU868, US915"):
        region("EU686")


def test_an_unknown_rate_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LorawanError, match="US915 has no downlink data rate 5; choose one of 8, 9"):
        data_rate("US915", 5)


def test_the_size_all_sources_allow_is_smaller_where_aws_documents_less() -> None:
    assert data_rate("US915", 8).undisputed_fragment_size_bytes == 30
    assert data_rate("EU868", 3).undisputed_fragment_size_bytes == 112


@pytest.mark.parametrize("name", REGION_NAMES)
def test_the_least_duty_cycle_any_source_has_is_the_limit(name: str) -> None:
    for band, stated in zip(region(name).sub_bands, DATA["regions"][name]["sub_bands"], strict=True):
        others = [duty for _, duty in stated.get("duty_cycle_elsewhere", [])]
        assert band.duty_cycle == min(stated["duty_cycle_max_fraction"], *others, 1.0)


@pytest.mark.parametrize("name", REGION_NAMES)
def test_the_least_payload_any_source_has_is_planned_with_and_more_is_reported(name: str) -> None:
    for stated in DATA["regions"][name]["data_rates"]:
        most = stated["max_frm_payload_bytes"]
        others = [payload for _, payload in stated.get("max_frm_payload_elsewhere", [])]
        others += [p for p in [stated.get("max_frm_payload_repeater_older_rp_bytes")] if p is not None]
        least = min(most, *others, 999)
        assert plan_session(name, stated["dr"], 5000, None, 20, None).fragment_bytes == least - 3
        warned = {
            each.code: each.message for each in plan_session(name, stated["dr"], 5000, most - 3, 20, None).warnings
        }
        assert ("payload_is_disputed" in warned) is (least < most)
        assert least == most or str(least) in warned["payload_is_disputed"]


DOUBTS = {
    "EU433": ["duty cycle: 1 %", "The Things Stack lists beacon"],
    "RU864": ["868.7-869.2 MHz: 10 %", "The Things Stack has one band"],
    "CN470": ["DR3 maximum: 184", "RX2 data rate: 1", "which CN470 plan", "dwell figure"],
    "US915": ["AWS documents 33 bytes", "gateway EIRP limit"],
    "AU915": ["same 33 versus 53"],
    "EU868": ["863-865 MHz and"],
    "CN779": ["plan is being withdrawn"],
    "KR920": ["longest transmission time"],
    "IN865": ["The Things Stack lists the beacon"],
    **{f"AS923-{n}": ["duty cycle 1 % comes", "whether AWS enforces"] for n in range(1, 5)},
}
"""Every doubt, by how its text begins."""
OF_A_FIGURE = ("duty cycle: 1 %", "868.7-869.2 MHz: 10 %", "DR3 maximum", "AWS documents 33", "same 33")
"""Those with another value than the one stated; the rest have no value of their own, or one that no figure uses."""


@pytest.mark.parametrize("name", REGION_NAMES)
def test_every_doubt_of_the_data_is_known_here_and_those_of_a_figure_have_their_other_value(name: str) -> None:
    stated = DATA["regions"][name]
    doubts = stated.get("uncertain", [])
    assert len(doubts) == len(DOUBTS[name])
    assert all(text.startswith(start) for text, start in zip(doubts, DOUBTS[name], strict=True))
    if any(text.startswith(OF_A_FIGURE) for text in doubts):
        others = [key for row in (*stated["data_rates"], *stated["sub_bands"]) for key in row]
        assert any("elsewhere" in key or "older" in key for key in others)
    beacons = [stated["class_b"][key] for key in ("beacon_freq_hz", "ping_slot_freq_hz")]
    assert all(not isinstance(hz, int) or 0 < region(name).duty_cycle_at(hz) <= 1 for hz in beacons)


def test_values_sources_disagree_on_are_reported() -> None:
    assert any("CN470 plan" in text for text in region("CN470").uncertain)
