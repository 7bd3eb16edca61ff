"""Which unit a wave needs: membership, names, declarations. Pure arithmetic over what is declared.

1. Unit id = `<rollout>-<wave>-<attempt>-<digest8>`, at most 56 characters; digest8 is over owner, environment, rollout,
   generation, wave and attempt, so two environments or two contents never share a name.
2. Waves run one after another; a wave's membership follows the manifest until the wave starts, then it is frozen.
3. An attempt keeps what it was made for: a retry stays one, whatever becomes of the results it was made on.
"""

from __future__ import annotations

import itertools

from controller.actions import UnitDeclaration
from controller.frozen import members_of
from controller.model import Environment, Rollout, Wave, WaveRecord, canonical_digest
from controller.retrying import Retrial, adapted

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


def declare(
    rollout: Rollout,
    environment: Environment,
    wave: Wave,
    attempt: int,
    known: WaveRecord | None,
    retry: Retrial | None = None,
) -> UnitDeclaration:
    """Say what the unit of a wave's attempt is to be; `retry` for one that is to be made for some of its devices."""
    generation = rollout.generation
    recorded = next(
        (a for a in (known.attempts if known is not None else ()) if (a.number, a.generation) == (attempt, generation)),
        None,
    )
    only, tries = (retry.only, retry.tries) if retry is not None else ((), 1)
    if recorded is not None:
        only, tries = recorded.only, recorded.tries
    unit = UnitDeclaration(
        unit_id=unit_id(environment.owner, environment.name, rollout.name, generation, wave.name, attempt),
        wave=wave.name,
        attempt=attempt,
        rollout=rollout.name,
        environment=environment.name,
        owner=environment.owner,
        generation=generation,
        firmware=rollout.firmware,
        backend=rollout.backend,
        members=members_of(rollout, wave, known),
        only=only,
        tries=tries,
    )
    return adapted(unit, rollout)
