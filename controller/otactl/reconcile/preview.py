"""Predicts the next pass of `reconcile` without a write: the pass of `plan`.

1. It takes the same states, assessments and turns as a run's first pass, so it shows the first calls that are sent.
2. A renamed rollout is assessed with the record that `reconcile` would move to it first.
3. Without backends nothing is compared (`plan --offline`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from otactl.errors import OtactlError, defect
from otactl.model import Environment, Record, Rollout
from otactl.model.actions import Hold
from otactl.model.unreadable_manifests import NOTHING_UNREAD, UnreadableManifests
from otactl.planning.outlook import Outlook, Step, outlook, steps
from otactl.ports import Backend, PureHalf, Stored
from otactl.reconcile.observe import WORKERS, EnvironmentObserver
from otactl.reconcile.rollout_states import declared_states, removed_states
from otactl.reconcile.run_report import RolloutState
from otactl.state.rename import renaming


@dataclass(frozen=True)
class RolloutPreview:
    """What is next for one rollout, and what is expected to follow.

    `moved_from` is the old name of a rollout whose record moves to this one first.
    """

    state: RolloutState
    next: tuple[Step, ...] = ()
    outlook: Outlook = field(default_factory=Outlook)
    moved_from: str = ""


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
    renamed = renaming(stored, rollouts, covers, now())
    stored = renamed.over(stored)
    states = declared_states(rollouts, stored, renamed.holds) + removed_states(rollouts, stored, covers, unread)
    if not states:
        return ()
    observer = EnvironmentObserver(
        environment, backends, refused, now, shapes=shapes, abreast=abreast, unreadable_is_offline=True
    )
    records = {name: held.record for name, held in stored.items()}
    surveys = observer.survey(states, stored, whole=True)
    others, taken = tuple(beside), dict[tuple[str, str], str]()
    for turn in observer.turns(states, surveys):
        observer.look(turn, surveys, records, lambda: others, taken)
    moved = renamed.moved
    return tuple(
        _ahead(environment, observer, state, shapes, moved.get(state.rollout.name, ""), now()) for state in states
    )


def _ahead(
    environment: Environment,
    observer: EnvironmentObserver,
    state: RolloutState,
    shapes: Mapping[str, PureHalf],
    moved_from: str,
    now: datetime,
) -> RolloutPreview:
    shape = shapes.get(state.rollout.backend_kind)
    found = RolloutPreview(state, moved_from=moved_from)
    if state.error or state.look is None or state.removed or shape is None:
        return found
    try:
        following = outlook(
            environment,
            state.rollout,
            state.look,
            shape,
            shape.lower,
            observer.holds_before(state),
            now,
            observer.sendings,
        )
        return RolloutPreview(state, steps(state.look, shape.lower), following, moved_from)
    except Exception as error:  # noqa: BLE001 - the last guard: the others go on
        state.fail(error if isinstance(error, OtactlError) else defect(error))
        return found
