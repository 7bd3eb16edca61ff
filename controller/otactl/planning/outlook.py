"""Predicts the steps of later runs by assessing the state that each step is expected to leave.

1. Every call, member, group and device is expected to succeed: the outlook shows the planned steps and predicts no
   failures.
2. A session takes its own length, and a wait ends when its hold says so: times are the earliest ones.
3. A hold that needs a person ends the outlook; so does one that neither time nor a step changes, such as an approval.
   A hold that only waits is expected to pass.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from otactl.lorawan.errors import LorawanError
from otactl.model import Environment, Observation, Rollout, UnitPhase, Value
from otactl.model.actions import Hold
from otactl.planning.assess import Assessment, assess
from otactl.planning.expected_state import Lower, Step, carried_out, steps, time_passes
from otactl.planning.sent_content import SentContents
from otactl.ports import Shape
from otactl.verdicts.deadlines import SETTLE

STEPS = 400


class Outlook(Value, frozen=True, kw_only=True):
    """The expected steps, and the holds at which they end because a person has to act."""

    steps: tuple[Step, ...] = ()
    holds: tuple[Hold, ...] = ()


def outlook(
    environment: Environment,
    rollout: Rollout,
    first: Assessment,
    shape: Shape,
    lower: Lower,
    refused: tuple[Hold, ...],
    now: datetime,
    sendings: SentContents | None = None,
) -> Outlook:
    """Return the steps after the first assessment's, to the end of the rollout or to where a person is needed."""
    later: list[Step] = []
    holds: tuple[Hold, ...] = ()
    before: tuple[Hold, ...] = ()
    look, moment = first, now
    for number in range(STEPS):
        ready = steps(look, shape, lower)
        later += ready if number else ()
        if not ready and (any(h.stalled or h.reason == "suspended" for h in look.plan.holds) or not _more(look)):
            holds = look.plan.holds if number else ()
            break
        if not ready and before and before == look.plan.holds and all(h.until is None for h in before):
            holds = before
            break
        before = look.plan.holds if not ready else ()
        record, seen = carried_out(look, ready, shape, moment)
        moment += SETTLE + timedelta(seconds=1)
        if not ready:
            moment = max(moment, look.plan.requeue_at or moment, _over(rollout, seen, moment))
            seen = time_passes(seen, rollout.backend.endless)
        look = assess(environment, rollout, record, seen, shape, refused, moment, sendings=sendings)
    return Outlook(steps=tuple(later), holds=holds)


def _over(rollout: Rollout, seen: Observation, moment: datetime) -> datetime:
    """Return when the sessions have ended that are scheduled or running, where their length is known (rule 2)."""
    started = [u.start_at or moment for u in seen.units if u.phase in (UnitPhase.SCHEDULED, UnitPhase.RUNNING)]
    try:
        length = rollout.session_length() if started else None
    except LorawanError:
        length = None
    return max((start + length for start in started), default=moment) if length is not None else moment


def _more(look: Assessment) -> bool:
    return look.plan.requeue_at is not None
