"""Reports the outcome of a run, rollout by rollout."""

from __future__ import annotations

from dataclasses import dataclass, field

from otactl.errors import ConflictError, OtactlError, StalledError, TransientError, reason_of
from otactl.model import Observation, Phase, Record, Rollout, Value
from otactl.model.actions import Hold
from otactl.planning.assess import Assessment
from otactl.planning.preflight import INCOMPLETE
from otactl.ports import Stored


class RolloutReport(Value, frozen=True, kw_only=True):
    """How one rollout came out of a run; `overdue` are the holds that this run was the first to find overdue.

    `acknowledged` tells of one that failed in an earlier run that its manifest had said what to do then.
    """

    name: str
    environment: str
    phase: str
    wave: str = ""
    actions: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    requeue_after_seconds: int | None = None
    error: str = ""
    overdue: tuple[str, ...] = ()
    acknowledged: bool = False


class RunError(Value, frozen=True, kw_only=True):
    """An error of a run as a whole, by a reason that `otactl explain` knows."""

    reason: str
    message: str


class RunReport(Value, frozen=True, kw_only=True):
    """How a run over one environment came out.

    `errors` are those of the environment, not of one rollout; `notes` are for a person to see to, though they stopped
    nothing.
    """

    passes: int
    lease_held_by: str = ""
    rollouts: tuple[RolloutReport, ...] = ()
    notes: tuple[str, ...] = ()
    errors: tuple[RunError, ...] = ()


@dataclass
class RolloutState:
    """One rollout during a run; `last` is what was sent before, `again` that it had its second look.

    `refused` are holds that are known before it is looked at; `earlier` is the assessment that its second look of a
    pass goes on from; `reason` names the error as conditions do; `was` is the phase it had before; `removed` tells that
    its manifest was removed from Git; `not_compared` says why its service was not asked.
    """

    rollout: Rollout
    stored: Stored
    seen: Observation | None = None
    look: Assessment | None = None
    actions: list[str] = field(default_factory=list)
    error: str = ""
    reason: str = ""
    overdue: list[str] = field(default_factory=list)
    requeue_after: float | None = None
    last: tuple[str, ...] = ()
    refusal: str = ""
    again: bool = False
    earlier: Assessment | None = None
    refused: tuple[Hold, ...] = ()
    was: Phase = Phase.PENDING
    removed: bool = False
    not_compared: str = ""

    def __post_init__(self) -> None:
        self.was = self.stored.record.phase

    @property
    def known(self) -> Record:
        """Return the record that its next assessment starts from."""
        return self.earlier.record if self.earlier is not None else self.stored.record

    @property
    def acknowledged(self) -> bool:
        """Return whether it failed before this run and a person had declared its abort: that was reported once."""
        phase = self.stored.record.phase
        return phase is Phase.FAILED and self.was is phase and self.rollout.strategy.on_failure == "abort"

    @property
    def incomplete(self) -> bool:
        """Return whether its look changed what is next, so that it lacks the facts of that."""
        return self.look is not None and any(h.reason == INCOMPLETE for h in self.look.plan.holds)

    def fail(self, error: OtactlError) -> None:
        """Remove it from the run."""
        self.reason = reason_of(error)
        self.error = f"{error.reason}: {error}" if isinstance(error, StalledError) else str(error)
        self.requeue_after = error.retry_after if isinstance(error, TransientError) else 300.0
        if isinstance(error, ConflictError):
            self.requeue_after = 30.0
