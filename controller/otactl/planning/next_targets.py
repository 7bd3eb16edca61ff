"""Returns the targets that may start next; backends read preflight facts for these only."""

from __future__ import annotations

from otactl.model import NextTargets, PreflightRequest, Record, Rollout, Stage, Unit, UnitPhase
from otactl.planning import joined_devices
from otactl.planning.wave_members import members_of
from otactl.ports import Capabilities
from otactl.verdicts.retry import goes_on, remainder, retry_plan
from otactl.verdicts.wave_verdict import gives_up, judged, undone


def preflight_request(
    rollout: Rollout, known: Record, units: tuple[Unit, ...], can: Capabilities, *, count_groups: bool = False
) -> PreflightRequest:
    """Return what a backend has to read for the decision about these units.

    With `count_groups` also how many devices every wave of a revision has that no run has seen yet.
    """
    return PreflightRequest(
        starting=next_targets(rollout, known, units, can),
        joined_groups=joined_devices.groups(rollout, known),
        count_groups=count_groups and known.generation != rollout.generation,
        our_ids=frozenset(known.vendor_ids),
    )


def next_targets(rollout: Rollout, known: Record, units: tuple[Unit, ...], can: Capabilities) -> NextTargets | None:
    """Return what is about to start; None when nothing is."""
    if rollout.removed:
        return None
    as_now = judged(known, rollout)  # a changed gate may change an old verdict
    wave = undone(as_now, rollout)
    if wave is None:
        return None
    record = as_now.wave(wave.name)
    attempt = record.current if record is not None else None
    here = attempt is not None and attempt.generation == rollout.generation
    over = attempt is not None and attempt.ended  # one that is watched counts as running
    done = record is not None and (not goes_on(record, rollout) or gives_up(record, rollout))
    if here and over and done:
        again = retry_plan(rollout, record)  # else judged and not passed: nothing starts here
        return NextTargets(keys=again.only, unit=None) if again is not None else None
    mine = attempt is not None and (attempt.live or attempt.stage is Stage.FAILED)
    follows = remainder(record, rollout) if record is not None and here and not mine else None
    only = (
        follows.only if follows is not None else attempt.retry_targets if attempt is not None and here and mine else ()
    )
    keys = only or members_of(rollout, wave, record)
    unit = next((u for u in units if attempt and mine and u.vendor_id == attempt.vendor_id), None)
    if rollout.suspend is not None and unit is None:
        return None  # nothing starts, and nothing is there to compare
    before = (UnitPhase.OPEN, UnitPhase.FAILED, *((UnitPhase.SCHEDULED,) if can.starts_explicitly else ()))
    if unit is None or unit.phase in before:
        return NextTargets(keys=keys, unit=unit)
    # Another revision makes room when it has ended, or where it can be asked to start no further devices.
    ending = unit.phase is UnitPhase.ENDED or can.cancels_waiting
    return NextTargets(keys=keys, unit=None, waits=unit.phase is not UnitPhase.ENDED) if ending and not here else None
