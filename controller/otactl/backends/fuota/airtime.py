"""Builds the request to the radio planner from a manifest.

1. To groups a session is what the manifest declares. How many devices a group has is not in it: figures are per device,
   and say so.
2. Single devices get one transmission each, of a size and rate the service chooses: what is not declared is assumed,
   all of them behind one gateway.
3. A session must fit the longest of the allowing windows.
4. Each wave has its own gate and its own devices, as it begins with none in the journal. A device that cannot rebuild
   the image says that fragments are missing: it weighs what the gate says of that reason. A confidence limits their
   number where the devices are known.
"""

from __future__ import annotations

import msgspec

from otactl.backends.fuota.config import FuotaConfig
from otactl.lorawan.request import AirtimeRequest, SuccessCriteria, WaveGate
from otactl.model import Gate as DeclaredGate
from otactl.model import Reason, Rollout, Wave, duration
from otactl.verdicts.confidence import limits_of
from otactl.verdicts.gate import Tally
from otactl.verdicts.wave_verdict import later_devices


def request_of(rollout: Rollout) -> AirtimeRequest | None:
    """Ask what a rollout's session costs and reaches; None when too little of it is declared.

    `rollout` has the devices of each of its waves.
    """
    spec = FuotaConfig.of(rollout)
    singles = _single_devices(rollout)
    if spec.rf_region is None or spec.redundancy_percent is None:
        return None
    if not singles and None in (spec.data_rate, spec.fragment_size_bytes, spec.fragment_interval_ms):
        return None
    allowed = [duration(window.duration).total_seconds() for window in rollout.windows if window.kind == "allow"]
    return AirtimeRequest(
        region=spec.rf_region,
        image_bytes=rollout.firmware.size_bytes,
        data_rate=spec.data_rate,
        fragment_bytes=spec.fragment_size_bytes,
        redundancy_percent=spec.redundancy_percent,
        interval_ms=spec.fragment_interval_ms,
        devices=singles or 1,
        gate=_gate(rollout.strategy.gate),
        waves=tuple(_wave(rollout, wave) for wave in rollout.strategy.waves),
        devices_unknown=not singles,
        window_seconds=max(allowed, default=None),
        lead_seconds=duration(spec.start_lead).total_seconds(),
        devices_per_gateway=singles or None,
    )


def _wave(rollout: Rollout, wave: Wave) -> WaveGate:
    targets, gate = rollout.targets_of(wave), rollout.gate_of(wave)
    if targets.multicast_groups:
        return WaveGate(devices=None, gate=_gate(gate))
    devices, most = len(targets.wireless_devices), None
    if gate.risk is not None:
        most = limits_of(gate, devices, later_devices(Tally(succeeded=devices), None, wave, rollout)).passes_to
    return WaveGate(devices=devices, gate=msgspec.structs.replace(_gate(gate), most_without=most))


def _gate(gate: DeclaredGate) -> SuccessCriteria:
    return SuccessCriteria(
        min_success_percent=gate.min_success_percent,
        max_failures=gate.max_failures,
        weight=gate.weights.get(Reason.MISSING_FRAGMENTS.value, 1.0),
    )


def _single_devices(rollout: Rollout) -> int:
    chosen = [rollout.targets_of(wave) for wave in rollout.strategy.waves]
    return len({device.key for targets in chosen for device in targets.wireless_devices})
