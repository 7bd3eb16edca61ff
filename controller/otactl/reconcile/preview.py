"""Predicts the next run of `reconcile` without a write: what `plan` shows.

1. It takes the same states, assessments and turns as a run's first pass, so it shows the first calls that are sent;
   then the run's later passes, over the state that each is expected to leave (`expected_run`).
2. A renamed rollout is assessed with the record that `reconcile` would move to it first.
3. Without backends nothing is compared (`plan --offline`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from otactl.errors import OtactlError, defect
from otactl.model import Environment, Record, Rollout
from otactl.model.actions import Hold
from otactl.model.unreadable_manifests import NOTHING_UNREAD, UnreadableManifests
from otactl.planning.assess import Assessment
from otactl.planning.changed_fields import changed_fields
from otactl.planning.expected_state import Step
from otactl.planning.outlook import Outlook, outlook
from otactl.ports import Backend, PureHalf, Stored
from otactl.reconcile.expected_run import ExpectedRun, expected_runs
from otactl.reconcile.observe import WORKERS, EnvironmentObserver
from otactl.reconcile.rollout_states import declared_states, removed_states
from otactl.reconcile.run_report import RolloutState
from otactl.state.rename import renaming


@dataclass(frozen=True)
class RolloutPreview:
    """What the next run sends for one rollout, and what later runs are expected to send.

    `next` are the steps of the run's first pass, `run` those of its later passes; `end` is the assessment that the run
    ends with. `moved_from` is the old name of a rollout whose record moves to this one first.
    """

    state: RolloutState
    next: tuple[Step, ...] = ()
    run: tuple[Step, ...] = ()
    end: Assessment | None = None
    outlook: Outlook = field(default_factory=Outlook)
    moved_from: str = ""
    changed_fields: tuple[str, ...] | None = None


def preview(
    environment: Environment,
    rollouts: tuple[Rollout, ...],
    stored: Mapping[str, Stored],
    backends: Mapping[str, Backend],
    shapes: Mapping[str, PureHalf],
    now: Callable[[], datetime],
    refused: Callable[[Rollout], tuple[Hold, ...]],
    covers: Callable[[Record], bool],
    *,
    beside: Iterable[Record] = (),
    unread: UnreadableManifests = NOTHING_UNREAD,
    abreast: int = WORKERS,
) -> tuple[RolloutPreview, ...]:
    """Look at one environment as the first pass of a run does, `abreast` rollouts at most side by side.

    `beside` are records of other environments in the same account and Region.
    """
    renamed = renaming(stored, rollouts, covers, now(), unread)
    stored = renamed.over(stored)
    states = declared_states(rollouts, stored, renamed.holds) + removed_states(rollouts, stored, covers, unread)
    if not states:
        return ()
    observer = EnvironmentObserver(
        environment,
        backends,
        refused,
        now,
        shapes=shapes,
        abreast=abreast,
        unreadable_is_offline=True,
        count_groups=True,
    )
    records = {name: held.record for name, held in stored.items()}
    surveys = observer.survey(states, stored, whole=True)
    others = tuple(beside)
    runs: dict[str, ExpectedRun] = {}
    for turn in observer.turns(states, surveys):
        observer.look(turn, surveys, records, lambda: others, {})
        runs |= expected_runs(observer, turn, shapes, surveys, records, lambda: others, now)
    return tuple(
        _ahead(environment, observer, state, runs.get(state.rollout.name), renamed.moved, now()) for state in states
    )


def _ahead(
    environment: Environment,
    observer: EnvironmentObserver,
    state: RolloutState,
    run: ExpectedRun | None,
    moved: Mapping[str, str],
    now: datetime,
) -> RolloutPreview:
    found = RolloutPreview(state, moved_from=moved.get(state.rollout.name, ""))
    if state.error or run is None:
        return found
    sent = (*run.sent, ())
    if state.removed:  # nothing of it follows
        return replace(found, next=sent[0], run=tuple(step for later in sent[1:] for step in later), end=run.end)
    try:
        following = outlook(
            environment,
            state.rollout,
            run.end,
            run.shape,
            run.shape.lower,
            observer.holds_before(state),
            now,
            observer.sendings,
        )
    except Exception as error:  # noqa: BLE001 - the last guard: the others go on
        state.fail(error if isinstance(error, OtactlError) else defect(error))
        return found
    return replace(
        found,
        next=sent[0],
        run=tuple(step for later in sent[1:] for step in later),
        end=run.end,
        outlook=following,
        changed_fields=changed_fields(state.stored.record, state.rollout, sent[0], run.shape),
    )
