"""Gathers what the page shows of the whole fleet: phases, verdicts, drift, runs, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from otactl.model import Phase, Value, iso
from otactl.planning.environment import NAME
from otactl.report import drift
from otactl.report.conditions import EnvironmentLine
from otactl.report.drift import DriftLine
from otactl.report.page.device_index import DeviceIndex, index_devices
from otactl.report.page.facts import FleetFacts, Picture, RolloutFacts
from otactl.report.page.rollout_values import NextStep, RolloutView, rollout_view
from otactl.report.status_summary import summarise
from otactl.wording import count

MOST_NEXT = 12
MOST_OVER = 50
"""Rollouts that are over whose timeline and history are on the page."""
ATTENTION = (Phase.FAILED, Phase.STALLED, Phase.ORPHANED, Phase.ABORTED, Phase.SUSPENDED)
_ORDER = (
    Phase.STALLED,
    Phase.FAILED,
    Phase.ORPHANED,
    Phase.SUSPENDED,
    Phase.PROGRESSING,
    Phase.PENDING,
    Phase.ABORTED,
    Phase.SUCCEEDED,
    Phase.REMOVED,
)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_QUIET = frozenset({Phase.SUCCEEDED.value, Phase.REMOVED.value, Phase.ABORTED.value})


class Attention(Value, frozen=True, kw_only=True):
    """Something a person should see: a rollout (by its place) or an environment, and why."""

    title: str
    rollout: int | None
    phase: str
    text: str
    since: str | None = None


class UpcomingStep(Value, frozen=True, kw_only=True):
    """A planned step of a rollout."""

    rollout: int
    step: NextStep


class FleetView(Value, frozen=True, kw_only=True):
    """All that the page shows."""

    title: str
    built_at: str
    version: str
    journals: tuple[str, ...]
    environments: tuple[EnvironmentLine, ...]
    rollouts: tuple[RolloutView, ...]
    index: DeviceIndex
    phases: tuple[tuple[str, int], ...]
    open_drift: tuple[DriftLine, ...]
    acknowledged: int
    attention: tuple[Attention, ...]
    upcoming: tuple[UpcomingStep, ...]
    pictures: tuple[Picture, ...]


def fleet_view(facts: FleetFacts) -> FleetView:
    """Gather the page's values."""
    own = tuple(s for s in facts.environments.values() if s is not None)
    report = summarise([*own, *(r.stored for r in facts.rollouts)])
    lines = {(line.environment, line.name): line for line in report.rollouts}
    ordered = sorted(facts.rollouts, key=lambda r: (_rank(r.stored.record.phase), r.key))
    facts = msgspec.structs.replace(facts, rollouts=tuple(ordered))
    detailed = _detailed(ordered)
    views = tuple(
        rollout_view(
            each,
            lines[each.stored.record.environment, each.stored.record.name],
            facts.freezes.get(each.stored.record.environment, ()),
            facts.built_at,
            detailed=each.key in detailed,
        )
        for each in ordered
    )
    ledger = drift.collect([s.record for s in (*own, *(r.stored for r in ordered))])
    phases = [(p.value, sum(v.line.phase == p.value for v in views)) for p in _ORDER]
    return FleetView(
        title=facts.title,
        built_at=iso(facts.built_at),
        version=facts.version,
        journals=facts.journals,
        environments=report.environments,
        rollouts=views,
        index=index_devices(facts),
        phases=tuple((name, n) for name, n in phases if n),
        open_drift=ledger.open,
        acknowledged=len(ledger.open) - len(ledger.pending),
        attention=tuple(_attention(report.environments, views)),
        upcoming=tuple(_upcoming(views)),
        pictures=facts.pictures,
    )


def is_environment(name: str) -> bool:
    """Return whether a drift line belongs to no rollout."""
    return name == NAME


def _rank(phase: Phase) -> int:
    return _ORDER.index(phase)


def _detailed(rollouts: list[RolloutFacts]) -> set[str]:
    """Return which rollouts have their timeline and history on the page: all in progress, and the newest of the others.

    A fleet of years has hundreds that are over, and their pages would make the file many times as large.
    """
    over = [r for r in rollouts if r.stored.record.phase.value in _QUIET]
    newest = sorted(over, key=lambda r: r.events[-1].at if r.events else _NEVER, reverse=True)[:MOST_OVER]
    return {r.key for r in newest} | {r.key for r in rollouts if r.stored.record.phase.value not in _QUIET}


def _attention(environments: tuple[EnvironmentLine, ...], views: tuple[RolloutView, ...]) -> list[Attention]:
    """Return what a person should see: runs that fail, rollouts that are stopped, drift that is open."""
    return [*_of_environments(environments), *_of_rollouts(views)]


def _of_environments(environments: tuple[EnvironmentLine, ...]) -> Iterator[Attention]:
    for each in environments:
        if each.run is not None and each.run.reason:
            text = f"{each.run.reason}: {each.run.error}"
            title = f"runs over {each.name} fail"
            yield Attention(title=title, rollout=None, phase="RunFailed", text=text, since=each.run.since)
        if each.open_drift:
            text = f"{count(each.open_drift, 'open drift entry', 'open drift entries')} of no rollout"
            yield Attention(title=f"environment {each.name}", rollout=None, phase="Drift", text=text)


def _of_rollouts(views: tuple[RolloutView, ...]) -> Iterator[Attention]:
    watched = {phase.value for phase in ATTENTION}
    for place, view in enumerate(views):
        urgent = next((s for s in view.next if s.urgent), None)
        conditions = {c.type: c for c in view.line.conditions}
        if view.line.phase in watched or urgent is not None:
            said = conditions.get("Stalled") or conditions.get("Ready")
            first = urgent or next((s for s in view.next if s.code), None)
            text = first.text if first is not None else said.message if said is not None else ""
            since = first.since if first is not None else said.since if said is not None else None
            phase = view.line.phase
            yield Attention(title=view.line.name, rollout=place, phase=phase, text=text or phase, since=since)
        elif view.line.open_drift:
            text = count(view.line.open_drift, "open drift entry", "open drift entries")
            first_seen = min(e.first_seen for e in view.open_drift)
            yield Attention(title=view.line.name, rollout=place, phase="Drift", text=text, since=first_seen)


def _upcoming(views: tuple[RolloutView, ...]) -> list[UpcomingStep]:
    steps = [
        UpcomingStep(rollout=place, step=step)
        for place, view in enumerate(views)
        if view.line.phase not in _QUIET
        for step in view.next
        if step.at is not None and not step.look
    ]
    return sorted(steps, key=lambda each: (each.step.at or "", each.rollout))[:MOST_NEXT]
