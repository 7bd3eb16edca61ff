"""Holds a world while a run acts on it, and marks the points where the run can be stopped.

1. Every read, call and commit is a point. The world at each point is what a crash there leaves.
2. What happens at one point (`at`) is given from outside: a crash, a lost answer, a whole run of another controller.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from otactl.ports import Lease, Stored
from tests.support.explore.declared import Settings
from tests.support.explore.invariants import Fault
from tests.support.explore.world import Change, Sent, Task, World

READ, BEFORE_SEND, AFTER_SEND, BEFORE_COMMIT, AFTER_COMMIT = "read", "send", "answer", "commit", "journal"


class Killed(BaseException):
    """The process died here."""


class Scene:
    """The world of a run under way; dictionaries are replaced, never changed, so that worlds can share them."""

    def __init__(self, settings: Settings, world: World) -> None:
        self.settings = settings
        self.world = world
        self.now: datetime = world.now
        self.tasks: dict[str, Task] = world.tasks
        self.made = world.made
        self.tokens = world.tokens
        self.records: dict[str, Stored] = world.records
        self.sent: dict[str, Sent] = world.sent
        self.answers: dict[str, str] = world.answers
        self.changes: tuple[Change, ...] = world.changes
        self.lease: Lease | None = None
        self.faults: list[Fault] = []
        self.points: list[tuple[str, World]] = []
        self.listed: set[str] = set()
        self.calls = 0
        self.at = 0
        self.act: Callable[[Scene], None] | None = None

    def snapshot(self) -> World:
        """Return the world as it is now."""
        old = self.world
        return World(
            now=self.now,
            manifests=old.manifests,
            tasks=self.tasks,
            made=self.made,
            tokens=self.tokens,
            group=old.group,
            broken=old.broken,
            journal=old.journal,
            records=self.records,
            backup=old.backup,
            sent=self.sent,
            answers=self.answers,
            changes=self.changes,
        )

    def point(self, label: str) -> None:
        """Mark a point; acts where it was asked to."""
        self.points.append((label, self.snapshot()))
        if self.act is not None and len(self.points) == self.at:
            act, self.act = self.act, None
            act(self)

    def remember(self, record: str) -> None:
        """Note that a record was written, which may know the units of its rollout that a list has shown."""
        seen = {
            k: t for k, t in self.tasks.items() if t.forgotten and k in self.listed and record.startswith(t.rollout)
        }
        if seen:
            self.tasks = {**self.tasks, **{k: msgspec.structs.replace(t, forgotten=False) for k, t in seen.items()}}

    def put(self, key: str, task: Task | None) -> None:
        """Replace or remove what the service holds under an id."""
        rest = {k: t for k, t in self.tasks.items() if k != key or task is not None}
        self.tasks = rest if task is None else {**rest, key: task}
