"""What `plan` says of rollouts whose manifests left Git."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from controller import homes, removed
from controller.errors import OtactlError, TransientError
from controller.look import as_seen
from controller.model import Environment, Observation, Record, Rollout, Survey
from controller.ports import Backend
from controller.report.plan import PlannedRollout
from controller.situation import Shape
from controller.unread import Unread


def removed_ones(
    records: Mapping[str, Record], rollouts: Sequence[Rollout], covers: Callable[[Record], bool], unread: Unread
) -> list[Rollout]:
    """Those rollouts, by what their records keep of them; one that `unread` may declare is not known to be gone."""
    names = {r.name for r in rollouts}
    gone = (
        r
        for name, r in sorted(records.items())
        if name not in names and covers(r) and not unread.may_keep(name, r.source)
    )
    return [rollout for record in gone if (rollout := removed.declared(record)) is not None]


def what_is_left(
    environment: Environment, rollout: Rollout, record: Record, shape: Shape | None, backend: Backend | None,
    survey: Survey | None, now: datetime, error: str,
) -> PlannedRollout | None:  # fmt: skip
    """What the services still hold of one; None when nothing is left."""
    if shape is None or not removed.unsettled(record, survey, shape.capabilities):
        return None
    told = PlannedRollout(name=rollout.name, environment=rollout.environment, digest=rollout.generation)
    try:
        if survey is None or backend is None:
            raise TransientError(error or f"{rollout.backend_kind} was not asked", retry_after=0)
        elsewhere = homes.moved(record, environment) is not None
        seen = Observation() if elsewhere else backend.observe(*as_seen(rollout, record), survey)
    except OtactlError as failure:
        known = next((h.message for h in record.holds), "")
        text = f"its manifest left Git, and what is left of it was not looked at: {failure}"
        return msgspec.structs.replace(told, notes=(text, *((known,) if known else ())))
    look = removed.look_at(environment, rollout, record, seen, shape, now)
    return msgspec.structs.replace(told, holds=look.plan.holds) if look.plan.holds else None
