"""Rules of gates and retries: limits that contradict each other, and those that can never do anything."""

from __future__ import annotations

import math
from collections.abc import Iterator

from otactl.model import FuotaSpec, Gate, OtaUpdateSpec, Reason, Retry, Rollout, VersionConfirm, duration, exact
from otactl.policies.violation import Violation, wave_pointer
from otactl.verdicts.retry import PERMANENT
from otactl.verdicts.version_proof import DEFAULT_WITHIN

_COMMON = ("timeout", "offline", "unknown")
_FILES = ("rejected", "download", "verify", "flash")
_GROUPS_ONLY = Reason.INDEX_UNSUPPORTED
_FRAGMENTS = (
    "missingFragments",
    "integrity",
    "sessionReplay",
    "indexUnsupported",
    "packageUnsupported",
    "noMemory",
    "descriptor",
    "conflict",
)
REASONS = {
    "fuota": (*_FRAGMENTS, *_COMMON),
    "otaUpdate": (*_FILES, "noMemory", *_COMMON),
    "tuya": ("conflict", *_FILES, *_COMMON),
}
"""The failures each service can tell of."""


def gates(rollout: Rollout) -> Iterator[Violation]:
    """Judge every gate, where it stands, with the number of devices it is of where that is known."""
    shared = rollout.strategy.gate
    if any(w.gate is None for w in rollout.strategy.waves):
        sizes = [_size(rollout, i) for i, w in enumerate(rollout.strategy.waves) if w.gate is None]
        yield from _gate(rollout, shared, "/spec/strategy/gate", max(sizes))
    for index, wave in enumerate(rollout.strategy.waves):
        if wave.gate is not None:
            yield from _gate(rollout, wave.gate, wave_pointer(index, "gate"), _size(rollout, index))
    yield from _retry(rollout)
    grouped = any(rollout.targets_of(w).multicast_groups for w in rollout.strategy.waves)
    if rollout.strategy.start_when_ready is not None and not grouped:
        message = "only the devices of multicast groups have to get ready before a start"
        pointer = "/spec/strategy/startWhenReady"
        yield Violation(pointer=pointer, code="start_when_ready_not_supported", message=message, hint="remove it")


def _size(rollout: Rollout, index: int) -> int:
    """Devices of a wave, 0 where groups hide their number or a percent divides them later."""
    wave = rollout.strategy.waves[index]
    targets = wave.targets
    if targets is None or targets.multicast_groups or targets.thing_groups:
        return 0
    return len(targets.keys)


def _gate(rollout: Rollout, gate: Gate, pointer: str, size: int) -> Iterator[Violation]:
    if gate.min_success_percent == 0 and gate.max_failures is None:
        message = "minSuccessPercent 0 lets every wave pass, whatever its devices say"
        yield Violation(
            pointer=f"{pointer}/minSuccessPercent",
            code="gate_never_fails",
            message=message,
            hint="set maxFailures, or a percentage",
            severity="warning",
        )
    if gate.max_failures is not None and size and not gate.weights:
        allowed = int(size * (100 - exact(gate.min_success_percent)) / 100)
        if gate.max_failures > allowed:
            message = f"maxFailures {gate.max_failures} never counts: {gate.min_success_percent:g} % of {size} devices "
            yield Violation(
                pointer=f"{pointer}/maxFailures",
                code="gate_limits_contradict",
                message=f"{message}allows {allowed} failures",
                hint="lower one of them",
                severity="warning",
            )
    if gate.max_failures == 0 and gate.min_success_percent < 100 and not gate.weights:
        message = f"maxFailures 0 allows no failure, minSuccessPercent {gate.min_success_percent:g} does"
        yield Violation(
            pointer=f"{pointer}/maxFailures", code="gate_limits_contradict", message=message, hint="remove one of them"
        )
    if _passes_unanswered(gate, size or 1):
        weight = gate.weights[Reason.TIMEOUT.value]
        message = f"a wave that no device answers of passes: such a failure weighs {weight:g}"
        yield Violation(
            pointer=f"{pointer}/weights/timeout",
            code="gate_passes_unanswered",
            message=message,
            hint="let it weigh more, or set minReported",
        )
    yield from _pace(rollout, gate, pointer, size)
    confirm = rollout.strategy.confirm
    if gate.soak is not None and isinstance(confirm, VersionConfirm):
        within = confirm.within or DEFAULT_WITHIN
        if duration(gate.soak) > duration(within):
            message = f"a soak of {gate.soak} is longer than devices have to prove their version ({within})"
            yield Violation(
                pointer=f"{pointer}/soak",
                code="soak_exceeds_confirm",
                message=message,
                hint="raise strategy.confirm.within, or lower the soak",
            )


def _passes_unanswered(gate: Gate, size: int) -> bool:
    """Whether the weight of a device without an answer lets a wave of so many pass when none answers."""
    weight = exact(gate.weights.get(Reason.TIMEOUT.value, 1))
    if weight >= 1 or gate.min_reported is not None:
        return False
    few = gate.max_failures is None or size * weight <= gate.max_failures
    return few and 100 * (1 - weight) >= exact(gate.min_success_percent)


def _pace(rollout: Rollout, gate: Gate, pointer: str, size: int) -> Iterator[Violation]:
    """Devices that the pace has not reached when the time for answers is over count as failed."""
    if gate.silence_after is None or not size or not isinstance(rollout.backend, OtaUpdateSpec):
        return
    rate = rollout.backend.rate
    if rate and (minutes := math.ceil(size / rate)) * 60 > duration(gate.silence_after).total_seconds():
        message = f"at {rate} devices a minute the last of {size} begins after {minutes} minutes, and by then "
        yield Violation(
            pointer=f"{pointer}/silenceAfter",
            code="silence_shorter_than_pace",
            severity="warning",
            message=f"{message}who has not answered counts as failed ({gate.silence_after} from the start)",
            hint="raise silenceAfter, or maximumPerMinute",
        )


def _retry(rollout: Rollout) -> Iterator[Violation]:
    retry, kind = rollout.strategy.retry, rollout.backend_kind
    if retry is None:
        return
    if retry.attempts < 2:
        message = "attempts counts the first one: 1 tries nothing again"
        yield Violation(
            pointer="/spec/strategy/retry/attempts", code="retry_without_attempts", message=message, hint="write 2"
        )
    for index, reason in enumerate(retry.on):
        pointer = f"/spec/strategy/retry/on/{index}"
        if reason not in REASONS[kind]:
            hint = f"it reports {', '.join(REASONS[kind])}"
            message = f"{kind} never reports {reason}"
            yield Violation(
                pointer=pointer, code="reason_never_happens", message=message, hint=hint, severity="warning"
            )
        if Reason(reason) in PERMANENT:
            message = f"{reason} is not cured by sending it again"
            yield Violation(pointer=pointer, code="reason_is_permanent", message=message, hint="take it out")
        if Reason(reason) is _GROUPS_ONLY and kind == "fuota" and not _has_groups(rollout):
            message = f"{reason} is not cured by sending it again to single devices: they use another index than groups"
            yield Violation(pointer=pointer, code="reason_is_permanent", message=message, hint="take it out")
    yield from _raised(rollout, retry)


def _has_groups(rollout: Rollout) -> bool:
    return any(w.targets is not None and w.targets.multicast_groups for w in rollout.strategy.waves)


def _raised(rollout: Rollout, retry: Retry) -> Iterator[Violation]:
    raised, pointer = retry.raise_redundancy_percent, "/spec/strategy/retry/raiseRedundancyPercent"
    if raised is None:
        return
    if not isinstance(rollout.backend, FuotaSpec):
        message = f"{rollout.backend_kind} sends no redundancy"
        yield Violation(pointer=pointer, code="redundancy_not_supported", message=message, hint="remove it")
    elif rollout.backend.redundancy_percent is None:
        message = "there is no spec.fuota.redundancyPercent to raise: the service chooses one that nobody documents"
        yield Violation(
            pointer=pointer, code="redundancy_not_declared", message=message, hint="add fuota.redundancyPercent"
        )
    elif (most := rollout.backend.redundancy_percent + raised * (retry.attempts - 1)) > 100:
        message = f"the last of {retry.attempts} attempts would ask for {most} percent, the service takes 100"
        yield Violation(pointer=pointer, code="redundancy_exceeds_limit", message=message)
