"""Holds what a decision reads and returns: the context of a rollout and its plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from otactl.model import Attempt, Environment, Observation, Record, Rollout, Stage, Unit, Value, Wave, WaveRecord
from otactl.model.actions import (
    Action,
    CreateUnit,
    Finding,
    Hold,
    ResendCreate,
    StartUnit,
    UnitDeclaration,
    UpdateUnit,
)
from otactl.planning import units
from otactl.planning.sent_content import SentContents
from otactl.state import lifecycle
from otactl.verdicts.retry import RetryPlan

POLL = timedelta(seconds=60)
"""When to check again what is on its way."""
RECHECK = timedelta(minutes=5)
"""When to check again what waits for something else."""


class Plan(Value, frozen=True, kw_only=True):
    """What is next for one rollout: actions of one step, or holds, or a time to come back."""

    rollout: str
    environment: str
    actions: tuple[Action, ...] = ()
    holds: tuple[Hold, ...] = ()
    findings: tuple[Finding, ...] = ()
    wave: str = ""
    requeue_at: datetime | None = None

    @property
    def begins(self) -> bool:
        """Return whether it is about to create or start a unit, or to let devices of one start."""
        return any(
            isinstance(action, CreateUnit | ResendCreate | StartUnit)
            or (isinstance(action, UpdateUnit) and bool(action.waiting))
            for action in self.actions
        )


class PlanContext(Value, frozen=True, kw_only=True):
    """Everything a decision may read.

    `busy` are targets that other rollouts' units hold, `sendings` what any rollout sent to devices.
    """

    rollout: Rollout
    environment: Environment
    record: Record
    seen: Observation
    now: datetime
    busy: Mapping[str, str] = {}
    sendings: SentContents = SentContents({})

    def unit_of(self, attempt: Attempt) -> Unit | None:
        """Return what the service shows of an attempt."""
        return lifecycle.find_unit(attempt, self.seen)

    def declare(
        self,
        wave: Wave,
        which: int | Attempt,
        known: WaveRecord | None,
        retry: RetryPlan | None = None,
        spared: Mapping[str, str] | None = None,
    ) -> UnitDeclaration:
        """Return what the unit of a wave's attempt is to be (`units`)."""
        return units.declare(self.rollout, self.environment, wave, which, known, retry, spared)

    def busy_beside(self, attempt: Attempt | None) -> Mapping[str, str]:
        """Return targets that any unit beside an attempt's holds: those of other rollouts, and other units of this one.

        A unit of the previous revision in another wave, or one that was replaced and is visible again, counts like
        another rollout's.
        """
        mine = attempt.unit_id if attempt is not None else ""
        own = {
            key: other.unit_id
            for other in self.record.attempts
            if other.stage in (Stage.SCHEDULED, Stage.RUNNING) and other.unit_id != mine
            for key in other.keys
        }
        return {**own, **self.busy} if own else self.busy

    def plan(
        self,
        *actions: Action,
        holds: tuple[Hold, ...] = (),
        findings: tuple[Finding, ...] = (),
        wave: str = "",
        requeue_at: datetime | None = None,
    ) -> Plan:
        """Return a plan for this rollout."""
        return Plan(
            rollout=self.rollout.name,
            environment=self.rollout.environment,
            actions=actions,
            holds=holds,
            findings=findings,
            wave=wave,
            requeue_at=requeue_at,
        )
