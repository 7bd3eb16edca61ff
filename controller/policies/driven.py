"""What the language has but this version does not act on. The planner refuses each with a named hold."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model import Environment, Gate, Rollout
from controller.policies.violation import wave_pointer

DRIVEN = ("fuota", "otaUpdate", "tuya")
_GATE = (
    ("minReported", "min_reported"),
    ("maxFailures", "max_failures"),
    ("silenceAfter", "silence_after"),
    ("soak", "soak"),
    ("weights", "weights"),
)


def not_driven(rollout: Rollout, environment: Environment | None = None) -> tuple[tuple[str, str], ...]:
    """List what a rollout declares in vain, as JSON pointer and the field's name; empty if everything is driven."""
    return tuple(_undriven(rollout, environment))


def _undriven(rollout: Rollout, environment: Environment | None) -> Iterator[tuple[str, str]]:
    if rollout.backend_kind not in DRIVEN:
        yield f"/spec/{rollout.backend_kind}", rollout.backend_kind
    yield from _strategy(rollout)
    present = (
        ("/spec/windows", "windows", rollout.windows),
        ("/spec/approvals", "approvals", rollout.approvals),
        ("/spec/abort", "abort", rollout.abort is not None),
        ("/spec/drift/watch", "drift.watch", rollout.drift.watch is not None),
    )
    yield from ((pointer, name) for pointer, name, there in present if there)
    if environment is not None and environment.freezes:
        yield "/spec/environment", f"freezes of environment {environment.name}"


def _strategy(rollout: Rollout) -> Iterator[tuple[str, str]]:
    strategy = rollout.strategy
    for index, wave in enumerate(strategy.waves):
        if wave.percent is not None:
            yield wave_pointer(index, "percent"), "percent"
        if wave.requires is not None:
            yield wave_pointer(index, "requires", "approval"), "requires.approval"
        if wave.gate is not None:
            yield from _gate(wave.gate, wave_pointer(index, "gate"))
    yield from _gate(strategy.gate, "/spec/strategy/gate")
    if strategy.retry is not None:
        yield "/spec/strategy/retry", "retry"
    if strategy.on_failure == "abort":
        yield "/spec/strategy/onFailure", "onFailure: abort"


def _gate(gate: Gate, pointer: str) -> Iterator[tuple[str, str]]:
    for name, attribute in _GATE:
        if getattr(gate, attribute) not in (None, {}):
            yield f"{pointer}/{name}", f"gate.{name}"
