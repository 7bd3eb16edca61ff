"""Writes a fleet into a journal, for what reads one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from otactl.journal import SqlJournal
from otactl.ports import Commit
from otactl.report.page.facts import FleetFacts


def write_journal(file: Path, facts: FleetFacts) -> None:
    """Create a journal with the records and the histories of a fleet."""
    with SqlJournal(file) as journal:
        for environment, own in facts.environments.items():
            now = datetime.now(UTC)
            lease = journal.acquire(environment, "test", now)
            commits = [
                Commit(record=each.stored.record, expected_revision=0, events=each.events)
                for each in facts.rollouts
                if each.stored.record.environment == environment
            ]
            commits += [Commit(record=own.record, expected_revision=0)] if own is not None else []
            journal.commit(tuple(commits), lease.fencing)
            journal.release(lease, now)
