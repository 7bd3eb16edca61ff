"""Time on air against every check vector of the region file."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from otactl.lorawan.airtime import fsk_time_on_air_us, lora_time_on_air_us, phy_length, time_on_air_us
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.regions import data_rate

VECTORS: list[dict[str, Any]] = json.loads(
    (resources.files("otactl.lorawan") / "data" / "lorawan_regions.json").read_text("utf-8")
)["time_on_air"]["check_vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['phy_payload_bytes']}B-SF{v['sf']}-{v['bw_khz']}")
def test_time_on_air_is_exact(vector: dict[str, Any]) -> None:
    found = lora_time_on_air_us(
        vector["phy_payload_bytes"],
        vector["sf"],
        vector["bw_khz"],
        payload_crc=vector["payload_crc"],
        low_data_rate_optimize=vector.get("low_data_rate_optimize"),
    )
    assert found == round(vector["toa_ms"] * 1000)


@pytest.mark.parametrize("vector", [v for v in VECTORS if "fragment_size_bytes" in v], ids=lambda v: f"SF{v['sf']}")
def test_a_frame_is_sixteen_bytes_longer_than_its_fragment(vector: dict[str, Any]) -> None:
    assert phy_length(vector["fragment_size_bytes"]) == vector["phy_payload_bytes"]


def test_a_region_rate_gives_the_downlink_figure_without_crc() -> None:
    rate = data_rate("EU868", 0)
    assert time_on_air_us(rate, 64) == 2_793_472
    assert time_on_air_us(rate, 64, payload_crc=True) >= 2_793_472


def test_a_payload_crc_costs_at_most_one_block() -> None:
    rate = data_rate("EU868", 5)
    for length in range(1, 256):
        assert time_on_air_us(rate, length, payload_crc=True) - time_on_air_us(rate, length) in (0, 5 * 1024)


def test_fsk_counts_its_framing() -> None:
    assert fsk_time_on_air_us(255, 50_000) == (255 + 11) * 160
    assert time_on_air_us(data_rate("EU868", 7), 255) == (255 + 11) * 160


@pytest.mark.parametrize(("length", "sf", "bandwidth"), [(-1, 7, 125), (10, 13, 125), (10, 4, 125), (10, 7, 100)])
def test_a_frame_no_radio_sends_is_refused(length: int, sf: int, bandwidth: int) -> None:
    with pytest.raises(LorawanError, match="no LoRa frame"):
        lora_time_on_air_us(length, sf, bandwidth)


@pytest.mark.parametrize(("length", "rate"), [(-1, 50_000), (10, 0)])
def test_an_fsk_frame_no_radio_sends_is_refused(length: int, rate: int) -> None:
    with pytest.raises(LorawanError, match="no FSK frame"):
        fsk_time_on_air_us(length, rate)
