"""Limits that no rollout may pass by mistake: each refusal has the number, the limit and the way to allow it."""

from __future__ import annotations

from controller.actions import Hold, UnitDeclaration
from controller.model import Environment, Observation, Record, Rollout
from controller.verdicts import passed

FEW = 10  # below so many devices a percentage says nothing


def too_many(unit: UnitDeclaration, rollout: Rollout, environment: Environment, seen: Observation) -> tuple[Hold, ...]:
    """A wave, or a retry, that would begin with more devices than the environment allows."""
    guards = environment.guards
    facts = {t.key: t for t in seen.targets}
    sizes = {k: max(f.requested or 0, len(f.members), 1) for k, f in facts.items()}
    number = sum(sizes.get(key, 1) for key in unit.members)
    where = f"environment {environment.name}"
    if guards.max_affected_devices is not None and number > guards.max_affected_devices:
        text = f"{unit.unit_id} would begin with {number} devices, guards.maxAffectedDevices of {where} allows "
        text += f"{guards.max_affected_devices}; use smaller waves, or raise it there"
        return (Hold(reason="too_many_affected", message=text, stalled=True),)
    total = sum(len(rollout.targets_of(w).keys) for w in rollout.strategy.waves)
    share = 100 * len(unit.members) / total if total else 0.0
    if guards.max_affected_percent is not None and total >= FEW and share > guards.max_affected_percent:
        text = f"{unit.unit_id} would begin with {share:.0f} % of the rollout's {total} targets, "
        text += f"guards.maxAffectedPercent of {where} allows {guards.max_affected_percent:g}; "
        return (Hold(reason="too_many_affected", message=f"{text}use smaller waves, or raise it there", stalled=True),)
    return ()


def declared_targets(rollout: Rollout) -> int:
    """How many targets a rollout declares."""
    return len({key for w in rollout.strategy.waves for key in rollout.targets_of(w).keys})


def shrunk(rollout: Rollout, environment: Environment, record: Record) -> tuple[Hold, ...]:
    """Far fewer targets than before, as a list that was cut off by mistake has them."""
    limit, number = environment.guards.max_shrink_percent, declared_targets(rollout)
    over = all(passed(record.wave(w.name), rollout) for w in rollout.strategy.waves)
    if limit is None or rollout.strategy.allow_shrunk or over or number >= record.targets * (1 - limit / 100):
        return ()
    text = f"{number} targets are declared, {record.targets} were before: guards.maxShrinkPercent of environment "
    text += f"{environment.name} allows {limit:g} % less; if that is meant, say strategy.allowShrunk: true"
    return (Hold(reason="targets_shrunk", message=text, stalled=True),)
