"""Builds the request to the radio planner from the flags of `otactl airtime`; flags win over a manifest.

1. `--loss` and `--devices` may be repeated, one pair a class of devices; one `--devices` alone counts devices at the
   assumed loss.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import msgspec

from otactl.errors import UsageError
from otactl.lorawan.loss_models import Bursts, Independent, Loss, Outage
from otactl.lorawan.parity import Variant
from otactl.lorawan.request import ASSUMED_LOSS, AirtimeRequest, DeviceClass
from otactl.model import duration
from otactl.wording import count

_SAME = (
    "data_rate",
    "image_bytes",
    "fragment_bytes",
    "redundancy_percent",
    "interval_ms",
    "target",
    "seed",
    "power_mw",
    "devices_per_gateway",
)
_CAPS = ("max_lost", "max_fragments", "max_fragment_size", "size_multiple")
_SENT = (
    "device_class",
    "frequency_hz",
    "gateways",
    "transmission_interval_ms",
    "ping_slot_period",
    "dwell_limited",
    "payload_crc",
)


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """The flags as given; None, or nothing, is not given."""

    ts004: str
    rf_region: str | None
    data_rate: int | None
    image_bytes: int | None
    fragment_bytes: int | None
    redundancy_percent: int | None
    interval_ms: int | None
    loss: tuple[float, ...]
    devices: tuple[int, ...]
    burst: float | None
    outage: str | None
    target: float | None
    window: str | None
    seed: int | None
    device_class: str | None
    frequency_hz: int | None
    gateways: int | None
    transmission_interval_ms: int | None
    ping_slot_period: int | None
    dwell_limited: bool | None
    payload_crc: bool | None
    devices_per_gateway: int | None
    max_lost: int | None
    max_fragments: int | None
    max_fragment_size: int | None
    size_multiple: int | None
    power_mw: float | None


def asked(flags: Flags, declared: AirtimeRequest | None) -> AirtimeRequest:
    """Apply the flags over what a manifest declares; raises UsageError for what cannot be combined."""
    if declared is None:
        if flags.rf_region is None or flags.image_bytes is None:
            raise UsageError("name the manifest of a radio session, or give --rf-region and --image-bytes")
        declared = AirtimeRequest(region=flags.rf_region, image_bytes=flags.image_bytes)
    changes = _given(flags, _SAME)
    if flags.rf_region is not None:
        changes["region"] = flags.rf_region
    if flags.window is not None:
        changes["window_seconds"] = _seconds(flags.window)
    if flags.outage is not None:
        changes["outage"] = _outage(flags.outage)
    return msgspec.structs.replace(
        declared,
        variant=Variant(flags.ts004),
        caps=dataclasses.replace(declared.caps, **_given(flags, _CAPS)),
        sent=msgspec.structs.replace(declared.sent, **_given(flags, _SENT)),
        devices_unknown=declared.devices_unknown and not flags.devices,
        **_classes(flags, declared),
        **changes,
    )


def _given(flags: Flags, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(flags, name)) is not None}


def _classes(flags: Flags, declared: AirtimeRequest) -> dict[str, Any]:
    losses, devices = flags.loss, flags.devices
    if not losses and flags.burst is not None:
        losses = (ASSUMED_LOSS,)
    if len(devices) > max(1, len(losses)) or (len(losses) > 1 and len(devices) not in (0, len(losses))):
        raise UsageError(
            f"--loss is given {len(losses)} times and --devices {len(devices)} times; give one of each for every class"
        )
    if not losses:
        return {"devices": devices[0]} if devices else {}
    if len(losses) > 1 and not devices and declared.devices > 1:
        raise UsageError(
            f"--loss is given {count(len(losses), 'time')} for {count(declared.devices, 'device')}; "
            "give --devices as often, one count for each loss"
        )
    counts = devices or (declared.devices,) * len(losses)
    pairs = zip(counts, losses, strict=True)
    return {"classes": tuple(DeviceClass(devices=count, loss=_loss(loss, flags.burst)) for count, loss in pairs)}


def _loss(loss: float, burst: float | None) -> Loss:
    return Independent(loss) if burst is None else Bursts(loss, burst)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[1-9][0-9]{0,5}[smhd]", text):
        raise UsageError(f"--window {text!a} is no duration; write a whole number and a unit, such as 90m or 7h")
    return duration(text).total_seconds()


def _outage(text: str) -> Outage:
    found = re.fullmatch(r"([0-9]{1,6}):([0-9]*\.?[0-9]+)", text)
    if found is None:
        raise UsageError(f"--outage {text!a} is not FRAGMENTS:PROBABILITY; write for example 20:0.1")
    return Outage(int(found[1]), float(found[2]))
