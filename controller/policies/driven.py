"""What the language has but this version does not act on. The planner refuses each with a named hold."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model import Environment, Rollout, VersionConfirm

DRIVEN = ("fuota", "otaUpdate", "tuya")
PROVE_VERSIONS = ("otaUpdate", "tuya")


def not_driven(rollout: Rollout, environment: Environment | None = None) -> tuple[tuple[str, str], ...]:
    """List what a rollout declares in vain, as JSON pointer and the field's name; empty if everything is driven."""
    return tuple(_undriven(rollout, environment))


def _undriven(rollout: Rollout, environment: Environment | None) -> Iterator[tuple[str, str]]:
    if rollout.backend_kind not in DRIVEN:
        yield f"/spec/{rollout.backend_kind}", rollout.backend_kind
    if isinstance(rollout.strategy.confirm, VersionConfirm) and rollout.backend_kind not in PROVE_VERSIONS:
        yield "/spec/strategy/confirm/version", "confirm.version"
    present = (
        ("/spec/windows", "windows", rollout.windows),
        ("/spec/drift/watch", "drift.watch", rollout.drift.watch is not None),
    )
    yield from ((pointer, name) for pointer, name, there in present if there)
    if environment is not None and environment.freezes:
        yield "/spec/environment", f"freezes of environment {environment.name}"
