"""Detects devices that joined a group of a wave after its unit was created, where the service sends them nothing.

1. Groups are listed once per pass after every declared wave has passed. While a unit that serves later devices itself
   is live, no device is missing.
2. A device has joined when it is in the group now and no unit of this revision was for it. Where the devices that a
   wave was started with are not recorded, no device counts as joined.
3. A group or device that another rollout sent to since belongs to that rollout: an older one never sends again.
4. Joined devices get a wave of their own at the end (`membership`). A device that leaves before it starts is dropped.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from otactl.model import Attempt, Cause, Event, Observation, Record, Rollout, Wave, WaveRecord
from otactl.model.actions import Finding
from otactl.planning.sent_content import NAMED, SentContents
from otactl.verdicts import wave_verdict

GROUP = "thingGroup:"


def groups(rollout: Rollout, record: Record) -> tuple[str, ...]:
    """Return the groups to look into in this pass, by key (rules 1 and 2)."""
    declared = [w for w in rollout.strategy.waves if not w.top_up]
    if rollout.removed or rollout.abort is not None:
        return ()
    if not all(wave_verdict.passed(record.wave(w.name), rollout) for w in declared):
        return ()
    found = {key for w in declared if _is_known(record.wave(w.name), rollout) for key in _groups_of(rollout, w)}
    return tuple(sorted(found))


def noted(
    rollout: Rollout, record: Record, seen: Observation, sendings: SentContents, now: datetime
) -> tuple[Record, tuple[Event, ...]]:
    """Return the record with the devices that joined each wave, and their events. `rollout` is as declared."""
    if not seen.inside:
        return record, ()
    events: list[Event] = []
    had = sent_to(record, rollout.generation)
    taken = set(had)
    for wave in rollout.strategy.waves:
        known = record.wave(wave.name)
        keys = [key for key in _groups_of(rollout, wave) if key in seen.inside]
        if known is None or not keys:
            continue
        since = max((_moment(a, now) for a in known.attempts_since(rollout.generation)), default=now)
        mine = [k for k in keys if not _is_anothers(rollout, k, since, sendings)]
        inside = {f"device:{device}" for key in mine for device in seen.inside[key]}
        new = {k for k in inside - taken if not _has_it(rollout, k, since, sendings)}
        taken |= new
        joined = tuple(sorted(new | (set(known.joined) & had)))
        if more := sorted(new - set(known.joined)):
            events.append(Event(at=now, kind="joined", subject=wave.name, message=_message(wave, mine, more)))
        if joined != known.joined:
            record = record.with_wave(msgspec.structs.replace(known, joined=joined))
    return record, tuple(events)


def findings(rollout: Rollout, record: Record) -> tuple[Finding, ...]:
    """Return the findings of joined devices that no unit is for yet."""
    had = sent_to(record, rollout.generation)
    found = []
    for wave in record.waves:
        waiting = [key.partition(":")[2] for key in wave.joined if key not in had]
        attempts = wave.attempts_since(rollout.generation)
        if waiting and attempts:
            reported = {"devices": len(waiting), "some": list(waiting[:NAMED])}
            found.append(
                Finding(
                    subject=attempts[-1].unit_id,
                    field="devices.joined",
                    desired="none after the start",
                    observed=reported,
                    cause=Cause.MEMBERSHIP,
                    correctable=False,
                )
            )
    return tuple(found)


def sent_to(record: Record, generation: str) -> frozenset[str]:
    """Return the devices that units of this content were for, by key: started with, spared, updated or judged."""
    mine = [a for a in record.attempts if a.generation == generation]
    names = {
        d for a in mine for d in (*a.devices, *a.skipped_devices, *a.updated_uncounted, *(r.device for r in a.results))
    }
    singles = {k for a in mine for k in (*a.members, *a.retry_targets) if k.startswith("device:")}
    return frozenset({f"device:{name}" for name in names} | singles)


def _groups_of(rollout: Rollout, wave: Wave) -> tuple[str, ...]:
    return tuple(key for key in rollout.targets_of(wave).keys if key.startswith(GROUP))


def _is_known(known: WaveRecord | None, rollout: Rollout) -> bool:
    attempts = known.attempts_since(rollout.generation) if known is not None else ()
    serves = rollout.backend.endless and any(a.live for a in attempts)
    return not serves and any(a.devices or a.results for a in attempts)


def _moment(attempt: Attempt, now: datetime) -> datetime:
    return attempt.start_sent_at or attempt.start_at or attempt.ended_at or now


def _is_anothers(rollout: Rollout, group: str, since: datetime, sendings: SentContents) -> bool:
    last = sendings.last(rollout.backend_kind, group)
    return last is not None and last.rollout != rollout.name and last.at > since


def _has_it(rollout: Rollout, device: str, since: datetime, sendings: SentContents) -> bool:
    last = sendings.last(rollout.backend_kind, device)
    put_over = last is not None and (last.carried(rollout) or last.at > since)
    return put_over or sendings.foreign(rollout, device) is not None


def _message(wave: Wave, keys: list[str], devices: list[str]) -> str:
    names = [key.partition(":")[2] for key in devices]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    groups_ = ", ".join(key.partition(":")[2] for key in keys)
    return (
        f"{', '.join(names[:NAMED])}{more} joined {groups_} after wave {wave.name} started; its update does not reach "
        "them, so they get a wave of their own at the end"
    )
