"""FUOTA tasks of single devices and of groups, and what their sessions show."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.support.simulator.stage import IMAGE, LEAD, SimulatorStage

DEVICE = {"devEui": "70b3d57ed0000001", "id": "d1"}


DIGEST = hashlib.sha256(IMAGE).hexdigest()


# IMAGE in fragments of 48 bytes, one every two seconds after a minute of set-up.
FRAGMENTS, SIZE, SECONDS = 22, 48, 60 + 22 * 2


def single(stage: SimulatorStage, image: bytes = IMAGE, *, device: dict[str, Any] | None = None, **task: Any) -> str:
    """A task with one device, in session."""
    stage.provision(image)
    stage.fleet({**DEVICE, **(device or {})})
    made = stage.task(**task)
    stage.add(made, "d1")
    return started(stage, made)


def started(stage: SimulatorStage, task: str) -> str:
    """Start a task and go to its start."""
    stage.start(task)
    stage.advance(LEAD.total_seconds())
    return task
