"""Runs that die at any write or commit, on any stage: what the kill suites share."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime

from otactl.backends.aws.client import Answer
from otactl.backends.aws.operations import WRITES
from otactl.backends.tuya import operations
from otactl.journal import SqlJournal
from otactl.model import Phase, Rollout
from otactl.planning.environment import NAME
from otactl.ports import Commit
from tests.support.fuota_stage import Around, FuotaStage
from tests.support.in_memory_cloud import Kill, Killed


def dying_transport(kill: Kill) -> Around:
    def around(service: str, operation: str, send: Callable[[], Answer]) -> Answer:
        if (service, operation) not in WRITES and not (service == "tuya" and operation in operations.WRITES):
            return send()
        kill()
        answer = send()
        kill()
        return answer

    return around


class DyingJournal(SqlJournal):
    """Dies before a commit, or after it; around the mark of a run alone it does so in the unit tests."""

    kill: Kill

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        if all(c.record.name == NAME for c in commits):
            return super().commit(commits, fencing)
        self.kill()
        revisions = super().commit(commits, fencing)
        self.kill()
        return revisions


def lives(fuota_stage: FuotaStage, kill: Kill, rollout: Rollout, *, at_commits: bool, pause: float = 3600) -> int:
    """Cron until the end, dying once where `kill` says; tells how often it died."""
    died = 0
    for number in itertools.count():
        journal = DyingJournal(fuota_stage.folder / "journal.db")
        journal.kill = kill if at_commits else Kill()
        transport = fuota_stage.transport(around=None if at_commits else dying_transport(kill))
        try:
            fuota_stage.run(rollout, transport=transport, journal=journal, holder=f"run-{number}")
        except Killed:
            died += 1
            expire(fuota_stage)
            continue
        finally:
            journal.close()
        if fuota_stage.record(rollout.name).phase is Phase.SUCCEEDED or number > 12:
            return died
        fuota_stage.advance(pause)
    raise AssertionError


def expire(fuota_stage: FuotaStage) -> None:
    """The dead process gave nothing back; its lease is released as its expiry would."""
    with fuota_stage.journal() as journal:
        lease = journal.lease("prod-eu")
        if lease is not None:
            journal.release(lease, datetime.fromisoformat("2000-01-01T00:00:00Z"))
