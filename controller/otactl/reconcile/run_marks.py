"""Records each run in its environment's record: when it ended, by whom, its error and since when.

1. A run with an error always leaves one, and so does the first without an error after it.
2. A run without an error that follows another is recorded once an hour: a quiet run within it writes nothing at all.
3. History shows when the error of runs began, changed, and was over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta

import msgspec

from otactl.model import Event, LastRun, Phase, Record, iso
from otactl.model.unreadable_manifests import UnreadableManifests
from otactl.planning.assess import failed
from otactl.planning.environment import NAME
from otactl.ports import Commit, Stored
from otactl.reconcile.run_report import RolloutState, RunError
from otactl.state.status_conditions import alike

_OVER = (Phase.SUCCEEDED, Phase.ORPHANED, Phase.REMOVED)
EVERY = timedelta(hours=1)


def error_of(errors: Sequence[RunError], states: Sequence[RolloutState]) -> RunError | None:
    """Return the one error that sums a run up: the environment's own, else that of its rollouts."""
    if errors:
        return errors[0]
    wrong = [s for s in states if s.error]
    if not wrong:
        return None
    reasons = {s.reason for s in wrong}
    first = wrong[0]
    more = f" (and {len(wrong) - 1} more rollouts)" if len(wrong) > 1 else ""
    text = f"{first.rollout.name}: {first.error.removeprefix(f'{first.reason}: ')}{more}"
    return RunError(reason=first.reason if len(reasons) == 1 else "RolloutsFailed", message=text)


def mark(environment: str, held: Stored | None, by: str, error: RunError | None, now: datetime) -> Commit | None:
    """Return what to commit for a run that ends now; None when there is nothing new to tell (rule 2)."""
    stored = held or Stored(record=Record(environment=environment, name=NAME), revision=0)
    before = stored.record.last_run
    reason = error.reason if error is not None else ""
    message = error.message if error is not None else ""
    same = before is not None and before.reason == reason and alike(before.error, message)
    if same and before is not None and error is None and abs(now - before.at) < EVERY:
        return None
    run = LastRun(
        at=now,
        by=by,
        since=before.since if same and before is not None else now,
        reason=reason,
        error=message,
        last_good=now if error is None else before.last_good if before is not None else None,
    )
    events = () if same else _events(before, run)
    record = msgspec.structs.replace(stored.record, last_run=run)
    return Commit(record=record, expected_revision=stored.revision, events=events)


def left_alone(unread: UnreadableManifests, declared: Set[str], stored: Mapping[str, Stored]) -> dict[str, str]:
    """Return the rollouts that a manifest with an error is about, each with what is wrong.

    Those it names, and those that were last read from its file and are declared nowhere else.
    """
    found = {name: unread.about(name, "") for name in unread.names}
    found |= {
        name: text
        for name, held in stored.items()
        if name != NAME and name not in declared and (text := unread.about(name, held.record.source))
    }
    return dict(sorted((name, text) for name, text in found.items() if name not in declared))


def unread_marks(
    unread: UnreadableManifests, declared: Set[str], stored: Mapping[str, Stored], now: datetime
) -> tuple[Commit, ...]:
    """Return what to commit about the rollouts that were left alone; of what is over nothing was to be done."""
    commits = []
    for name, text in left_alone(unread, declared, stored).items():
        held = stored.get(name)
        if held is None or held.record.phase in _OVER:
            continue
        record, events = failed(held.record, "ManifestInvalid", text, now)
        if record != held.record:
            commits.append(Commit(record=record, expected_revision=held.revision, events=events))
    return tuple(commits)


def _events(before: LastRun | None, run: LastRun) -> tuple[Event, ...]:
    if run.reason:
        text = f"the run by {run.by} failed: {run.reason}: {run.error}"
    elif before is not None:
        text = f"the run by {run.by} had no error; runs had failed since {iso(before.since)}: {before.reason}"
    else:
        return ()
    return (Event(at=run.at, kind="run", subject=NAME, message=text, data={"reason": run.reason}),)
