"""What the language has but this version does not act on. The planner refuses each with a named hold."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model import Rollout

DRIVEN = ("fuota", "otaUpdate", "tuya")


def not_driven(rollout: Rollout) -> tuple[tuple[str, str], ...]:
    """List what a rollout declares in vain, as JSON pointer and the field's name; empty if everything is driven."""
    return tuple(_undriven(rollout))


def _undriven(rollout: Rollout) -> Iterator[tuple[str, str]]:
    if rollout.backend_kind not in DRIVEN:
        yield f"/spec/{rollout.backend_kind}", rollout.backend_kind
    if rollout.drift.watch is not None:
        yield "/spec/drift/watch", "drift.watch"
