"""Checks gates and retries: limits that contradict each other, and those that can never do anything."""

from __future__ import annotations

from collections.abc import Iterator

from otactl.model import Gate, Reason, Rollout, VersionConfirm, duration, exact
from otactl.model.violation import Violation, wave_pointer
from otactl.ports import BackendDefinition
from otactl.verdicts.retry import PERMANENT
from otactl.verdicts.version_proof import DEFAULT_WITHIN
from otactl.wording import count


def gates(rollout: Rollout, definition: BackendDefinition) -> Iterator[Violation]:
    """Check every gate where it is declared, and the retries."""
    for gate, pointer, size in gates_of(rollout):
        yield from _gate(rollout, gate, pointer, size)
    yield from _retry(rollout, definition)
    grouped = any(rollout.targets_of(w).multicast_groups for w in rollout.strategy.waves)
    if rollout.strategy.start_when_ready is not None and not grouped:
        message = "only the devices of multicast groups have to get ready before a start"
        pointer = "/spec/strategy/startWhenReady"
        yield Violation(pointer=pointer, code="start_when_ready_not_supported", message=message, hint="remove it")


def gates_of(rollout: Rollout) -> Iterator[tuple[Gate, str, int]]:
    """Yield each gate with its pointer and the devices it is of: 0 where groups hide their number."""
    if any(w.gate is None for w in rollout.strategy.waves):
        sizes = [_size(rollout, i) for i, w in enumerate(rollout.strategy.waves) if w.gate is None]
        yield rollout.strategy.gate, "/spec/strategy/gate", max(sizes)
    for index, wave in enumerate(rollout.strategy.waves):
        if wave.gate is not None:
            yield wave.gate, wave_pointer(index, "gate"), _size(rollout, index)


def _size(rollout: Rollout, index: int) -> int:
    """Return devices of a wave, 0 where groups hide their number or a percent divides them later."""
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
            devices = count(size, "device")
            message = f"maxFailures {gate.max_failures} never counts: {gate.min_success_percent:g} % of {devices} "
            yield Violation(
                pointer=f"{pointer}/maxFailures",
                code="gate_limits_contradict",
                message=f"{message}allows {count(allowed, 'failure')}",
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
    """Return whether the weight of a device without an answer lets a wave of so many pass when none answers."""
    weight = exact(gate.weights.get(Reason.TIMEOUT.value, 1))
    if weight >= 1 or gate.min_reported is not None:
        return False
    few = gate.max_failures is None or size * weight <= gate.max_failures
    return few and 100 * (1 - weight) >= exact(gate.min_success_percent)


def _retry(rollout: Rollout, definition: BackendDefinition) -> Iterator[Violation]:
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
        if reason not in definition.failure_reasons:
            hint = f"it reports {', '.join(definition.failure_reasons)}"
            message = f"{kind} never reports {reason}"
            yield Violation(
                pointer=pointer, code="reason_never_happens", message=message, hint=hint, severity="warning"
            )
        if Reason(reason) in PERMANENT:
            message = f"{reason} is not cured by sending it again"
            yield Violation(pointer=pointer, code="reason_is_permanent", message=message, hint="remove it")
    if retry.raise_redundancy_percent is not None and not definition.capabilities.sends_redundancy:
        yield Violation(
            pointer="/spec/strategy/retry/raiseRedundancyPercent",
            code="redundancy_not_supported",
            message=f"{kind} sends no redundancy",
            hint="remove it",
        )
