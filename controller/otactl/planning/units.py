"""Declares the unit of a wave's attempt: its name, members and settings. Pure.

1. Its name says whose it is (`unit_id`).
2. Waves run one after another; a wave's membership follows the manifest until the wave starts, then it is frozen.
3. A recorded attempt keeps its purpose, name and number: a retry stays a retry, whatever its results become. An attempt
   is found by its unit id; a number is unique for one owner only.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import msgspec

from otactl.model import Attempt, Environment, Rollout, Wave, WaveRecord
from otactl.model.actions import UnitDeclaration
from otactl.model.unit_id import unit_id
from otactl.planning.wave_members import members_of
from otactl.verdicts.retry import RetryPlan, adapted


def next_number(rollout: Rollout, environment: Environment, wave: Wave, known: WaveRecord | None) -> int:
    """Return the first attempt whose name was never used: going back in Git to old content makes a unit of its own.

    Nor is a number given twice for one content, whoever owned the environment when it was given.
    """
    attempts = known.attempts if known is not None else ()
    used = {name for a in attempts for name in (a.unit_id, *a.previous_unit_ids)}
    numbers = {a.number for a in attempts if a.generation == rollout.generation}
    names = (environment.owner, environment.name, rollout.name, rollout.generation, wave.name)
    return next(n for n in itertools.count(1) if n not in numbers and unit_id(*names, n) not in used)


def declare(
    rollout: Rollout,
    environment: Environment,
    wave: Wave,
    attempt: int | Attempt,
    known: WaveRecord | None,
    retry: RetryPlan | None = None,
    spared: Mapping[str, str] | None = None,
) -> UnitDeclaration:
    """Declare the unit of a wave's attempt: of one that is recorded, or of a new one by its number.

    `retry` is for a new one that is to be made for some of the wave's devices; `spared` are devices that report the
    version now, each with its target.
    """
    recorded = attempt if isinstance(attempt, Attempt) and attempt.generation == rollout.generation else None
    number = attempt.number if isinstance(attempt, Attempt) else attempt
    only, tries = (retry.only, retry.tries) if retry is not None else ((), 1)
    if recorded is not None:
        only, tries = recorded.retry_targets, recorded.try_number
    generation = rollout.generation
    name = (recorded.rollout if recorded is not None else "") or rollout.name
    unit = UnitDeclaration(
        unit_id=unit_id(environment.owner, environment.name, name, generation, wave.name, number),
        wave=wave.name,
        attempt=number,
        rollout=name,
        environment=environment.name,
        owner=environment.owner,
        generation=generation,
        firmware=rollout.firmware,
        backend=rollout.backend,
        members=members_of(rollout, wave, known),
        only=only,
        tries=tries,
        journal=environment.journal_id,
        home=rollout.homes.get(wave.name, ""),
        adopted=recorded is not None and recorded.adopted,
    )
    unit = adapted(unit, rollout)
    had = {*(spared or {}).values(), *(recorded.skipped_devices.values() if recorded is not None else ())} & set(
        unit.members
    )
    members = tuple(key for key in unit.members if key not in had)
    return msgspec.structs.replace(unit, members=members, spared=tuple(sorted(had)))
