"""Computes the exact time on air of a frame: every LoRa value is a whole number of microseconds.

1. LoRa: (8 + 4.25 + n) symbols of 2^SF / BW, n = 8 + max(0, ceil((8 PL - 4 SF + 28 + 16 CRC) / (4 (SF - 2 DE)))) * 5;
   explicit header, coding rate 4/5, DE when a symbol lasts over 16 ms (Semtech AN1200.13).
2. Downlinks carry no payload CRC. Many calculators count one; `payload_crc=True` gives their, at most one block longer,
   figure.
3. FSK: 5 preamble, 3 sync, 1 length and 2 CRC bytes around the payload at the bit rate.
"""

from __future__ import annotations

from otactl.lorawan.errors import LorawanError
from otactl.lorawan.regions import DataRate

PHY_OVERHEAD_BYTES = 16
"""MHDR 1, FHDR 7, FPort 1, fragment header 3, MIC 4: a frame's bytes beside the fragment itself."""

_FSK_OVERHEAD_BYTES = 5 + 3 + 1 + 2


def phy_length(fragment_size: int) -> int:
    """Return the PHY payload length in bytes of a frame carrying one fragment."""
    return fragment_size + PHY_OVERHEAD_BYTES


def lora_time_on_air_us(
    phy_bytes: int,
    spreading_factor: int,
    bandwidth_khz: int,
    *,
    payload_crc: bool = False,
    low_data_rate_optimize: bool | None = None,
) -> int:
    """Compute a LoRa frame's time on air in microseconds; `low_data_rate_optimize` None follows rule 1."""
    if not (phy_bytes >= 0 and 5 <= spreading_factor <= 12 and bandwidth_khz in (125, 250, 500)):
        raise LorawanError(
            f"no LoRa frame has {phy_bytes} bytes at SF{spreading_factor} and {bandwidth_khz} kHz; "
            "SF runs from 5 to 12, bandwidth is 125, 250 or 500"
        )
    symbol_us = (1000 << spreading_factor) // bandwidth_khz
    slow = symbol_us > 16_000 if low_data_rate_optimize is None else low_data_rate_optimize
    bits = 8 * phy_bytes - 4 * spreading_factor + 28 + (16 if payload_crc else 0)
    blocks = max(0, -(-bits // (4 * (spreading_factor - (2 if slow else 0)))))
    quarter_symbols = 4 * (8 + 8 + 5 * blocks) + 17
    return symbol_us * quarter_symbols // 4


def fsk_time_on_air_us(phy_bytes: int, bit_rate_bps: int) -> int:
    """Compute an FSK frame's time on air in microseconds, rounded up."""
    if phy_bytes < 0 or bit_rate_bps < 1:
        raise LorawanError(f"no FSK frame has {phy_bytes} bytes at {bit_rate_bps} bit/s")
    return -(-8 * (phy_bytes + _FSK_OVERHEAD_BYTES) * 1_000_000 // bit_rate_bps)


def time_on_air_us(rate: DataRate, phy_bytes: int, *, payload_crc: bool = False) -> int:
    """Compute a frame's time on air in microseconds at a region's data rate (a downlink has no payload CRC)."""
    if rate.modulation == "fsk" and rate.bit_rate_bps is not None:
        return fsk_time_on_air_us(phy_bytes, rate.bit_rate_bps)
    if rate.spreading_factor is None or rate.bandwidth_khz is None:
        raise LorawanError(f"data rate {rate.dr} names neither an FSK bit rate nor a spreading factor and bandwidth")
    return lora_time_on_air_us(phy_bytes, rate.spreading_factor, rate.bandwidth_khz, payload_crc=payload_crc)
