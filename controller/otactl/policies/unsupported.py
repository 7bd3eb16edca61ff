"""Lists what the language has but this version does not act on; the planner holds each by name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otactl.model import Rollout
from otactl.model.actions import Hold


def not_driven(rollout: Rollout) -> tuple[tuple[str, str], ...]:
    """List what a rollout declares in vain, as JSON pointer and the field's name; empty if everything is driven."""
    return tuple(_undriven(rollout))


def _undriven(rollout: Rollout) -> Iterator[tuple[str, str]]:
    if rollout.drift.watch is not None:
        yield "/spec/drift/watch", "drift.watch"


def unsupported_holds(rollout: Rollout) -> tuple[Hold, ...]:
    """Return one hold for each field that the manifest declares and this version does not act on."""
    return tuple(
        Hold(
            reason=f"{re.sub(r'[^A-Za-z]+', '_', name).strip('_')}_is_not_driven",
            message=f"{pointer} is declared, but this version does not drive it; nothing is sent until it is removed",
            stalled=True,
        )
        for pointer, name in not_driven(rollout)
    )
