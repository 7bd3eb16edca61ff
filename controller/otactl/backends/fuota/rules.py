"""Checks the `fuota` block: what a session's frames may carry, how often they may be sent, when it may start.

1. Groups need fragment size, data rate and interval; for single devices the service chooses size and rate itself
   (AWS IoT Wireless developer guide: FragmentSizeBytes is meaningful for multicast only).
2. The figures come from one place, `otactl.lorawan.session`; a rule here only gives them a line to point at.
3. A region's open question is reported when it bears on the frequency used: the default downlink.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

from otactl.backends.fuota.config import FuotaConfig
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.fragmentation import UNLIMITED
from otactl.lorawan.lints import lints
from otactl.lorawan.regions import region
from otactl.lorawan.session import plan_session
from otactl.model import Environment, Reason, Rollout, duration
from otactl.model.violation import Severity, Violation, wave_pointer
from otactl.policies.services import region_without_service
from otactl.wording import count

SHORTEST_LEAD = timedelta(minutes=30)
"""A start must be at least so far ahead (AWS IoT Wireless developer guide, create a FUOTA task)."""
MANY_DEVICES = 50
DESCRIPTOR_BYTES = 4
"""The Descriptor of FragSessionSetupReq (LoRaWAN TS004-1.0.0, 3.2)."""

_WHERE = {
    "fragment_exceeds_payload": "fragmentSizeBytes",
    "fragment_counter_overflows": "fragmentSizeBytes",
    "dwell_time_exceeds_limit": "fragmentSizeBytes",
    "payload_is_disputed": "fragmentSizeBytes",
    "dwell_time_may_apply": "fragmentSizeBytes",
    "duty_cycle_exceeds_limit": "fragmentIntervalMs",
    "session_exceeds_service_limit": "fragmentIntervalMs",
    "duty_cycle_exceeds_headroom": "fragmentIntervalMs",
    "class_c_timeout_exceeds_field": "fragmentIntervalMs",
    "region_value_is_uncertain": "rfRegion",
    "fragment_size_changes_data_rate": "dataRate",
    "parity_never_repairs_some_fragment": "redundancyPercent",
    "parity_repairs_nothing": "redundancyPercent",
}
_RANGE = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?) MHz")
_GROUP_FIELDS = (
    ("fragmentSizeBytes", "fragment_size_bytes"),
    ("dataRate", "data_rate"),
    ("fragmentIntervalMs", "fragment_interval_ms"),
)


def check(rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
    """Check the `fuota` block against the targets, the LoRaWAN region and the Region of the environment."""
    spec = FuotaConfig.of(rollout)
    yield from region_without_service(environment, "iotwireless", "AWS IoT Core for LoRaWAN")
    yield from _retry(rollout, spec)
    chosen = [rollout.targets_of(wave) for wave in rollout.strategy.waves]
    if any(each.multicast_groups for each in chosen):
        yield from _groups(rollout, spec)
    elif any(each.wireless_devices for each in chosen):
        yield from _singles(rollout, spec)
    if duration(spec.start_lead) < SHORTEST_LEAD:
        message = f"a start {spec.start_lead} ahead is refused by the service, which asks for 30 minutes"
        yield _at("startLead", "start_lead_too_short", message, "for example 35m")
    yield from _left_to_the_service(spec)
    if spec.redundancy_percent == 0:
        message = "without redundancy a device that loses one fragment cannot rebuild the image"
        yield _at(
            "redundancyPercent", "redundancy_is_zero", message, "otactl airtime shows what a loss rate needs", "warning"
        )


def _retry(rollout: Rollout, spec: FuotaConfig) -> Iterator[Violation]:
    retry, pointer = rollout.strategy.retry, "/spec/strategy/retry"
    if retry is None:
        return
    grouped = any(w.targets is not None and w.targets.multicast_groups for w in rollout.strategy.waves)
    for index, reason in enumerate(retry.on):
        if Reason(reason) is Reason.INDEX_UNSUPPORTED and not grouped:
            message = f"{reason} is not cured by sending it again to single devices: they use another index than groups"
            at = f"{pointer}/on/{index}"
            yield Violation(pointer=at, code="reason_is_permanent", message=message, hint="remove it")
    raised = retry.raise_redundancy_percent
    if raised is None:
        return
    pointer = f"{pointer}/raiseRedundancyPercent"
    if spec.redundancy_percent is None:
        message = "there is no spec.fuota.redundancyPercent to raise: the service chooses an undocumented one"
        hint = "add fuota.redundancyPercent"
        yield Violation(pointer=pointer, code="redundancy_not_declared", message=message, hint=hint)
    elif (most := spec.redundancy_percent + raised * (retry.attempts - 1)) > 100:
        message = f"the last of {count(retry.attempts, 'attempt')} would ask for {most} percent, the service takes 100"
        yield Violation(pointer=pointer, code="redundancy_exceeds_limit", message=message)


def _left_to_the_service(spec: FuotaConfig) -> Iterator[Violation]:
    """Check what the service accepts and leaves unchecked, or delivers to other devices than it seems to."""
    if spec.rf_region is None:
        message = "no rfRegion is declared, so payload, duty cycle, session length and windows are not checked"
        yield _block("region_is_not_declared", message, "add the region of the devices, for example rfRegion: EU868")
    if spec.redundancy_percent is None:
        message = "no redundancyPercent is declared, and the service's default is not documented: no session is planned"
        yield _block("redundancy_is_not_declared", message, "add it; otactl airtime shows what a loss rate needs")
    interval = spec.fragment_interval_ms
    if interval is not None and interval % 1000:
        rounded = (interval + 500) // 1000
        message = f"the service rounds {interval} ms to the nearest second, {rounded} s"
        more = "" if rounded else "; what it sends at 0 s is not documented"
        yield _at("fragmentIntervalMs", "interval_is_rounded", message + more, "declare whole seconds", "warning")
    if spec.descriptor is not None and (length := len(base64.b64decode(spec.descriptor))) != DESCRIPTOR_BYTES:
        message = (
            f"the descriptor has {count(length, 'byte')}; in TS004 it has {DESCRIPTOR_BYTES}, "
            "and devices may refuse another"
        )
        yield _at("descriptor", "descriptor_is_not_4_bytes", message, "for example AAECAw==", "warning")


def _groups(rollout: Rollout, spec: FuotaConfig) -> Iterator[Violation]:
    missing = [name for name, attribute in _GROUP_FIELDS if getattr(spec, attribute) is None]
    for name in missing:
        message = f"multicast groups need spec.fuota.{name}: the service's default is not documented"
        yield Violation(pointer="/spec/fuota", code="group_field_missing", message=message, hint=f"add {name}")
    if missing or spec.rf_region is None:
        return
    try:
        yield from _session(
            spec.rf_region,
            spec.data_rate,
            rollout.firmware.size_bytes,
            spec.fragment_size_bytes,
            spec.redundancy_percent or 0,  # left to the service: payload and duty cycle are judged all the same
            spec.fragment_interval_ms,
        )
    except LorawanError as error:
        yield _at("dataRate", "data_rate_unknown", str(error), "")


@lru_cache(maxsize=1024)
def _session(
    where: str, rate: int | None, size: int, fragment: int | None, redundancy: int, interval: int | None
) -> tuple[Violation, ...]:
    """Compute a session; rollouts of a fleet share their figures, so a thousand manifests cost few sessions."""
    plan = plan_session(where, rate, size, fragment, redundancy, interval)
    unwise = () if plan.violations else lints(plan, UNLIMITED)  # what cannot be sent is fixed first
    found = [_at(_WHERE.get(each.code, "rfRegion"), each.code, each.message, "") for each in plan.violations]
    found.extend(
        _at(_WHERE[each.code], each.code, each.message, "", "warning")
        for each in (*plan.warnings, *unwise)
        if each.code in _WHERE and (each.code != "region_value_is_uncertain" or _bears_on(where, each.message))
    )
    return tuple(found)


def _bears_on(where: str, text: str) -> bool:
    """Return whether a doubt matters (rule 3): one about bands does if one of them holds the default downlink."""
    frequency = region(where).default_downlink.frequency_hz
    bands = [(float(low) * 1e6, float(high) * 1e6) for low, high in _RANGE.findall(text)]
    if frequency is None or not bands:
        return True
    return any(low <= frequency <= high for low, high in bands)


def _singles(rollout: Rollout, spec: FuotaConfig) -> Iterator[Violation]:
    for name, attribute in _GROUP_FIELDS[:2]:
        if getattr(spec, attribute) is not None:
            message = f"for single devices the service chooses {name} itself"
            yield _at(name, "service_chooses_for_devices", message, f"remove {name}, or use multicastGroups")
    for index, wave in enumerate(rollout.strategy.waves):
        if wave.targets is not None:
            yield from _many(len(wave.targets.wireless_devices), wave_pointer(index, "targets", "wirelessDevices"))
    if rollout.targets is not None:
        yield from _many(len(rollout.targets.wireless_devices), "/spec/targets/wirelessDevices")


def _many(number: int, pointer: str) -> Iterator[Violation]:
    if number > MANY_DEVICES:
        message = f"{number} single devices are {number} transmissions of the whole image"
        hint = f"above {MANY_DEVICES} devices a multicast group costs less air time"
        yield Violation(pointer=pointer, code="many_single_devices", message=message, hint=hint, severity="warning")


def _block(code: str, message: str, hint: str) -> Violation:
    return Violation(pointer="/spec/fuota", code=code, message=message, hint=hint, severity="warning")


def _at(field: str, code: str, message: str, hint: str, severity: Severity = "error") -> Violation:
    return Violation(pointer=f"/spec/fuota/{field}", code=code, message=message, hint=hint, severity=severity)
