"""Which unit a wave needs: membership, names, declarations. Pure arithmetic over what is declared.

1. Unit id = `<rollout>-<wave>-<attempt>-<digest8>`, at most 56 characters; digest8 is over owner, environment, rollout,
   generation, wave and attempt, so two environments or two contents never share a name.
2. Waves run one after another; a wave's membership follows the manifest until the wave starts, then it is frozen.
"""

from __future__ import annotations

import itertools

from controller.actions import UnitDeclaration
from controller.model import Environment, Rollout, Wave, WaveRecord, canonical_digest

UNIT_ID_MAX = 56


def unit_id(owner: str, environment: str, rollout: str, generation: str, wave: str, attempt: int) -> str:
    """Name a wave's attempt, the same on every machine and every run."""
    digest = canonical_digest([owner, environment, rollout, generation, wave, attempt])
    return f"{rollout}-{wave}-{attempt}-{digest[:8]}"


def next_number(rollout: Rollout, environment: Environment, wave: Wave, known: WaveRecord | None) -> int:
    """The first attempt whose name was never used: going back in Git to old content makes a unit of its own."""
    used = {name for a in known.attempts for name in (a.unit_id, *a.former)} if known is not None else set()
    names = (environment.owner, environment.name, rollout.name, rollout.generation, wave.name)
    return next(n for n in itertools.count(1) if unit_id(*names, n) not in used)


def _members(rollout: Rollout, wave: Wave, known: WaveRecord | None) -> tuple[str, ...]:
    """Rule 2. Frozen is what this content was begun with; other content, or a making that failed, freezes nothing."""
    if known is not None and known.members and known.begun(rollout.generation):
        took = {f"device:{device}" for device in known.took(rollout.generation)}
        return tuple(k for k in known.members if k not in took) or known.members
    return rollout.targets_of(wave).keys


def declare(
    rollout: Rollout, environment: Environment, wave: Wave, attempt: int, known: WaveRecord | None
) -> UnitDeclaration:
    """Say what the unit of a wave's attempt is to be."""
    generation = rollout.generation
    return UnitDeclaration(
        unit_id=unit_id(environment.owner, environment.name, rollout.name, generation, wave.name, attempt),
        wave=wave.name,
        attempt=attempt,
        rollout=rollout.name,
        environment=environment.name,
        owner=environment.owner,
        generation=generation,
        firmware=rollout.firmware,
        backend=rollout.backend,
        members=_members(rollout, wave, known),
    )
