"""Defines what a process of a pass is asked, and what it answers."""

from __future__ import annotations

from typing import NamedTuple

from otactl.report.metric_samples import Sample
from otactl.workers.readings import Slice
from otactl.workers.schedule import Urgency
from otactl.workers.store import Outcome


class Settings(NamedTuple):
    """How a worker works; times are seconds. `paths` are below the root of the source, `actor` is named in events."""

    name: str
    conninfo: str
    paths: tuple[str, ...]
    journal: str | None
    actor: str
    concurrency: int
    every: float
    refresh: float
    pass_timeout: float
    grace: float
    listen: tuple[str, int]
    log_level: str


class PassRequest(NamedTuple):
    """What a process needs to run a pass; `conninfo` is of the shared call rate."""

    run: str
    part: Slice
    settings: Settings


class PassAnswer(NamedTuple):
    """What a pass came to, for the tables and the metrics."""

    outcome: Outcome
    urgency: Urgency
    samples: tuple[Sample, ...]
