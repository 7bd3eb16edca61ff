"""Keeps records in memory as a journal does: compare-and-set under a fenced lease, a point before and after it."""

from __future__ import annotations

from datetime import datetime

from otactl.errors import ConflictError, LeaseHeldError
from otactl.model import Event
from otactl.model.record import Record
from otactl.ports import LEASE_TERM, Commit, Identity, Lease, Stored
from tests.support.explore.declared import ENVIRONMENT
from tests.support.explore.scene import AFTER_COMMIT, BEFORE_COMMIT, Scene
from tests.support.explore.truth import judge_commit

FIRST = "feedfacecafe0001"


class SceneJournal:
    """The journal of a scene, as one holder uses it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def identity(self) -> Identity:
        now = self._scene.world.journal
        return Identity(id=now, replaces=() if now == FIRST else (FIRST,))

    def load(self, environment: str, name: str) -> Stored:
        empty = Stored(record=Record(environment=environment, name=name), revision=0)
        return self._scene.records.get(name, empty)

    def load_all(self, environment: str) -> dict[str, Stored]:
        return dict(self._scene.records)

    def environments(self) -> tuple[str, ...]:
        return (ENVIRONMENT.name,)

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        scene = self._scene
        scene.point(BEFORE_COMMIT)
        if scene.lease is None or scene.lease.fencing != fencing:
            raise ConflictError("the fencing number is not the newest")
        for one in commits:
            if self.load("", one.record.name).revision != one.expected_revision:
                raise ConflictError(f"{one.record.name} moved")
        fresh = {c.record.name: Stored(record=c.record, revision=c.expected_revision + 1) for c in commits}
        judge_commit(scene, [c.record for c in commits])
        scene.records = {**scene.records, **fresh}
        for name in fresh:
            scene.remember(name)
        scene.point(AFTER_COMMIT)
        return {name: held.revision for name, held in fresh.items()}

    def history(self, environment: str, name: str) -> tuple[Event, ...]:
        return ()

    def lease(self, environment: str) -> Lease | None:
        return self._scene.lease

    def acquire(self, environment: str, holder: str, now: datetime) -> Lease:
        held = self._scene.lease
        mine = held is not None and held.holder == holder and not held.released
        if held is not None and not mine and not held.released and held.expires_at > now:
            raise LeaseHeldError(environment, held.holder, "later")
        lease = Lease(
            environment=environment,
            holder=holder,
            host="h",
            pid=1,
            expires_at=now + LEASE_TERM,
            fencing=(held.fencing if held is not None else 0) + (0 if mine else 1),
        )
        self._scene.lease = lease
        return lease

    def release(self, lease: Lease, now: datetime) -> None:
        held = self._scene.lease
        if held is not None and held.fencing == lease.fencing:
            self._scene.lease = Lease(
                environment=lease.environment,
                holder=lease.holder,
                host="h",
                pid=1,
                expires_at=now,
                fencing=lease.fencing,
                released=True,
            )

    def end_lease(self, environment: str, now: datetime) -> Lease | None:
        ended, self._scene.lease = self._scene.lease, None
        return ended
