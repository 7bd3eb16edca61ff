"""Lists the rollouts of a run: those declared, and those removed from Git of which the journal knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from otactl.backends.registry import read_config
from otactl.model import Record, Rollout
from otactl.model.actions import Hold
from otactl.model.unreadable_manifests import UnreadableManifests
from otactl.planning import removed_rollout
from otactl.ports import Stored
from otactl.reconcile.run_report import RolloutState


def declared_states(
    rollouts: Iterable[Rollout], stored: Mapping[str, Stored], holds: Mapping[str, Hold] | None = None
) -> list[RolloutState]:
    """Return a state for each declared rollout; `holds` keep back the records of renamed ones."""

    def held(rollout: Rollout) -> Stored:
        empty = Stored(record=Record(environment=rollout.environment, name=rollout.name), revision=0)
        return stored.get(rollout.name, empty)

    kept = holds or {}
    return [RolloutState(r, held(r), refused=(kept[r.name],) if r.name in kept else ()) for r in rollouts]


def removed_states(
    rollouts: Iterable[Rollout],
    stored: Mapping[str, Stored],
    covers: Callable[[Record], bool],
    unread: UnreadableManifests,
) -> list[RolloutState]:
    """Return a state for each rollout whose manifest was removed from Git, with what its record keeps of it.

    A rollout that `unread` may still declare is left out; `covers` tells whether a manifest's place was read.
    """
    names = {r.name for r in rollouts}
    left = (
        held
        for name, held in sorted(stored.items())
        if name not in names and covers(held.record) and not unread.may_keep(name, held.record.source)
    )
    return [
        RolloutState(rollout, held, removed=True)
        for held in left
        if (rollout := removed_rollout.declared(held.record, read_config)) is not None
    ]
