"""What `plan` says of rollouts whose manifests left Git."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from otactl.drift import unit_home
from otactl.errors import OtactlError, TransientError
from otactl.model import Environment, Observation, Record, Rollout, Survey
from otactl.model.unreadable_manifests import UnreadableManifests
from otactl.planning import removed_rollout
from otactl.planning.assess import as_seen
from otactl.planning.context import Shape
from otactl.ports import Backend
from otactl.report.plan import PlannedRollout


def removed_ones(
    records: Mapping[str, Record],
    rollouts: Sequence[Rollout],
    covers: Callable[[Record], bool],
    unread: UnreadableManifests,
) -> list[Rollout]:
    """Those rollouts, by what their records keep of them; one that `unread` may declare is not known to be gone."""
    names = {r.name for r in rollouts}
    gone = (
        r
        for name, r in sorted(records.items())
        if name not in names and covers(r) and not unread.may_keep(name, r.source)
    )
    return [rollout for record in gone if (rollout := removed_rollout.declared(record)) is not None]


def what_is_left(
    environment: Environment,
    rollout: Rollout,
    record: Record,
    shape: Shape | None,
    backend: Backend | None,
    survey: Survey | None,
    now: datetime,
    error: str,
) -> PlannedRollout | None:
    """What the services still hold of one; None when nothing is left."""
    if shape is None or not removed_rollout.unsettled(record, survey, shape.capabilities):
        return None
    told = PlannedRollout(name=rollout.name, environment=rollout.environment, digest=rollout.generation)
    try:
        if survey is None or backend is None:
            raise TransientError(error or f"{rollout.backend_kind} was not asked", retry_after=0)
        elsewhere = unit_home.moved(record, environment) is not None
        seen = Observation() if elsewhere else backend.observe(*as_seen(rollout, record), survey)
    except OtactlError as failure:
        known = next((h.message for h in record.holds), "")
        text = f"its manifest left Git, and what is left of it was not looked at: {failure}"
        return msgspec.structs.replace(told, notes=(text, *((known,) if known else ())))
    look = removed_rollout.look_at(environment, rollout, record, seen, shape, now)
    return msgspec.structs.replace(told, holds=look.plan.holds) if look.plan.holds else None
