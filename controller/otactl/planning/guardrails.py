"""Enforces the environment's limits on rollouts; each hold names the number, the limit and how to allow it."""

from __future__ import annotations

from collections.abc import Iterable

from otactl.model import Observation, Rollout, exact
from otactl.model.actions import Hold, UnitDeclaration
from otactl.planning.start_context import StartContext
from otactl.planning.wave_context import RolloutContext
from otactl.verdicts.wave_verdict import passed
from otactl.wording import count

FEW = 10  # below so many devices a percentage says nothing


def too_many(ctx: StartContext) -> tuple[Hold, ...]:
    """Hold a wave, or a retry, of more devices than the environment allows, or of an unknown number.

    Devices are counted by their identity, once each, those inside groups too.
    """
    at, unit = ctx.at, ctx.declared
    guards, where = at.environment.guards, f"environment {at.environment.name}"
    if guards.max_affected_devices is None and guards.max_affected_percent is None:
        return ()
    number = counted(unit.members, at.seen)
    if number is None:
        return () if at.rollout.strategy.allow_uncounted else (_uncounted(unit, where),)
    if guards.max_affected_devices is not None and number > guards.max_affected_devices:
        devices = count(number, "device")
        text = f"{unit.unit_id} would start with {devices}, guards.maxAffectedDevices of {where} allows "
        text += f"{guards.max_affected_devices}; use smaller waves, or raise it there"
        return (Hold(reason="too_many_affected", message=text, stalled=True),)
    total = _fleet(ctx, number)
    limit = guards.max_affected_percent
    if limit is not None and total >= FEW and 100 * number > exact(limit) * total:
        devices = count(total, "device")
        text = f"{unit.unit_id} would start with {100 * number / total:.0f} % of the rollout's {devices}, "
        text += f"guards.maxAffectedPercent of {where} allows {limit:g}; "
        return (Hold(reason="too_many_affected", message=f"{text}use smaller waves, or raise it there", stalled=True),)
    return ()


def counted(keys: Iterable[str], seen: Observation) -> int | None:
    """Count the devices of targets; None where the number is unknown, as for devices that a service selects itself."""
    facts = {t.key: t for t in seen.targets}
    devices: set[str] = set()
    hidden = 0
    for key in keys:
        target = facts.get(key)
        if target is None or not target.is_group:
            devices.add((target.vendor_id if target is not None else "") or key)
            continue
        if target.exists and target.requested is None and not target.members:
            return None
        devices.update(target.members)
        hidden += max(0, (target.requested or 0) - len(target.members))
    return len(devices) + hidden or None


def _uncounted(unit: UnitDeclaration, where: str) -> Hold:
    text = (
        f"how many devices {unit.unit_id} would start with cannot be counted before, and {where} has guards for their "
        "number; name the devices, or set strategy.allowUncounted: true"
    )
    return Hold(reason="affected_is_unknown", message=text, stalled=True)


def _fleet(ctx: StartContext, number: int) -> int:
    """Return how many devices all waves of a rollout have: of a started wave those it started with."""
    at, unit, total = ctx.at, ctx.declared, 0
    for wave in at.rollout.strategy.waves:
        known = at.record.wave(wave.name)
        started = (
            max(
                (a.size + len(a.skipped_devices) for a in known.attempts_since(at.rollout.generation) if a.was_sent),
                default=0,
            )
            if known
            else 0
        )
        keys = at.rollout.targets_of(wave).keys
        here = sum(at.seen.group_sizes.get(key, 1) for key in keys)
        total += max(started, number if wave.name == unit.wave and not unit.only else 0) or here
    return total


def declared_targets(rollout: Rollout) -> int:
    """Return how many targets a rollout declares."""
    return len({key for w in rollout.strategy.waves for key in rollout.targets_of(w).keys})


def shrunk(ctx: RolloutContext) -> tuple[Hold, ...]:
    """Hold a rollout that declares far fewer targets than before, as a truncated list does."""
    rollout, environment, record = ctx.at.rollout, ctx.at.environment, ctx.at.record
    limit, number = environment.guards.max_shrink_percent, declared_targets(rollout)
    over = all(passed(record.wave(w.name), rollout) for w in rollout.strategy.waves)
    if (
        limit is None
        or rollout.strategy.allow_shrunk
        or over
        or 100 * number >= record.target_count * (100 - exact(limit))
    ):
        return ()
    text = f"{number} targets are declared, {record.target_count} were before: guards.maxShrinkPercent of environment "
    text += f"{environment.name} allows {limit:g} % less; if this is intended, set strategy.allowShrunk: true"
    return (Hold(reason="targets_shrunk", message=text, stalled=True),)
