"""Checks everything before a start that cannot be undone; every check is named after what it forbids.

1. A check returns a hold or nothing; it never reads and never sends.
2. `may_create` and `may_fill` run before a unit is created, so a missing image or target costs no task; `may_start`
   runs every check.
3. What cannot be read holds, and the hold names the missing permission. What was not checked holds too: a start needs
   facts of the same pass.
4. Devices are compared by their one identity, whatever name each manifest has for them and whichever group holds them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from otactl.model import ImageFacts, Observation, RoleFacts, Rollout, TargetFacts
from otactl.model.actions import Hold, UnitDeclaration
from otactl.planning.firmware_signature import signature_holds
from otactl.planning.start_context import StartContext
from otactl.planning.start_waits import ReadyRule
from otactl.wording import count

INCOMPLETE = "checks_are_incomplete"
NAMES = 3
_PART = "part of "
_NEXT_IMAGE = "push it with `otactl image push`"


def may_create(ctx: StartContext) -> tuple[Hold, ...]:
    """Return everything wrong with signature, image and role."""
    unit, seen = ctx.declared, ctx.at.seen
    holds = [*signature_holds(unit.firmware, ctx.at.environment.firmware)]
    if (seen.image is None or seen.role is None) and not (seen.offline or seen.expected):
        return (*holds, _unlooked("image and role"))
    if seen.image is not None:
        holds += _image_holds(unit, seen.image, ctx.at.environment.region)
    if seen.role is not None:
        holds += _role_holds(unit, seen.role)
    return tuple(holds)


def may_fill(ctx: StartContext) -> tuple[Hold, ...]:
    """Return what is wrong with the targets of a unit: missing, not checked, busy, or one device twice."""
    unit, seen, rollout = ctx.declared, ctx.at.seen, ctx.at.rollout
    facts = {t.key: t for t in seen.targets}
    unread = [_name(key) for key in unit.members if key not in facts]
    targets = [facts[key] for key in unit.members if key in facts]
    holds = [_missing(target, rollout) for target in targets if not target.exists]
    holds += [_busy(target) for target in targets if target.busy_with]
    if unread and not (seen.offline or seen.expected):
        holds.append(_unlooked(f"the facts of {_some(unread)}"))
    return (*holds, *_twice(targets))


def _missing(target: TargetFacts, rollout: Rollout) -> Hold:
    place = rollout.place_of(target.key)
    text = f"{_name(target.key)}{f' ({place})' if place else ''} does not exist in this account and Region"
    return _stall("target_is_missing", f"{text}; {target.hint or 'fix the manifest'}")


def _busy(target: TargetFacts) -> Hold:
    return Hold(
        reason="target_is_busy",
        message=f"{_name(target.key)} still has other work; waiting for it: {target.busy_with}; to stop waiting, end "
        "that at its service",
    )


def _twice(targets: Collection[TargetFacts]) -> list[Hold]:
    """Return devices that a unit would reach twice: named twice, or in two of its multicast groups (rule 4).

    A service whose groups are of things makes one execution a thing.
    """
    first: dict[str, str] = {}
    twice: dict[tuple[str, str], list[str]] = {}
    for target in targets:
        if target.key.startswith("thingGroup:"):
            continue
        for device in target.devices:
            if (other := first.setdefault(device, target.key)) != target.key:
                twice.setdefault((other, target.key), []).append(device)
    holds = []
    for (one, other), devices in twice.items():
        both = f"{_name(one)} and {_name(other)}"
        if one.startswith("group:"):
            text = f"{both} both hold {_some(devices)}, which would be sent to twice; take it out of one of them"
        else:
            text = f"{both} are one device (id {devices[0]}); keep one of them"
        holds.append(_stall("duplicate_target", text))
    return holds


def may_start(ctx: StartContext) -> tuple[Hold, ...]:
    """Return everything that forbids a start: image, role, and each target inside."""
    unit, seen, rollout = ctx.declared, ctx.at.seen, ctx.at.rollout
    holds = list(may_create(ctx))
    facts = {t.key: t for t in seen.targets}
    rf_region = unit.backend.radio_region
    for key in unit.members or facts:  # where the service selects devices, none is named: what was read counts
        target = facts.get(key)
        if target is not None:
            missing = not target.exists
            holds += [_missing(target, rollout)] if missing else _target_holds(target, rf_region, ctx.ready_rule)
        elif key in ctx.inside and not (seen.offline or seen.expected):
            holds.append(_unlooked(f"the facts of {_name(key)}"))
    holds += _twice([t for t in seen.targets if t.key in unit.members])
    return (*holds, *busy_holds(unit, seen, ctx.busy))


def keys_of(unit: UnitDeclaration, seen: Observation) -> tuple[str, ...]:
    """Return every key by which a target of a unit, or a device inside one, may be named.

    The unit's own first (rule 4).
    """
    wanted = set(unit.members)
    more = {key for t in _own(unit, seen) for key in t.keys}
    return (*unit.members, *sorted(more - wanted))


def parts_of(unit: UnitDeclaration, seen: Observation) -> tuple[str, ...]:
    """Return the keys that say, of a started unit, that it holds a part of a larger target."""
    return tuple(sorted({_PART + t.within for t in _own(unit, seen) if t.within}))


def _own(unit: UnitDeclaration, seen: Observation) -> list[TargetFacts]:
    """Return the facts of a unit's targets; of all where it names none, since the service selects them."""
    return [t for t in seen.targets if not unit.members or t.key in unit.members]


def busy_holds(unit: UnitDeclaration, seen: Observation, busy: Mapping[str, str]) -> tuple[Hold, ...]:
    """Wait for targets that units of other rollouts hold: one hold a unit, whichever names its devices go by."""
    shared: dict[str, str] = {}
    around = sorted({t.within for t in _own(unit, seen) if t.within})
    inside = [_PART + t.key for t in _own(unit, seen) if t.is_group]
    for key in (*keys_of(unit, seen), *around, *inside):
        if key in busy:
            shared.setdefault(busy[key], key)
    return tuple(
        Hold(
            reason="target_is_busy",
            message=f"{_name(key.removeprefix(_PART))} is held by {unit_id} until its session has ended",
        )
        for unit_id, key in shared.items()
    )


def _some(names: Collection[str]) -> str:
    """Return the first few of some names, and how many more."""
    shown = ", ".join(list(names)[:NAMES])
    return f"{shown} and {len(names) - NAMES} more" if len(names) > NAMES else shown


def _unlooked(what: str) -> Hold:
    return Hold(reason=INCOMPLETE, message=f"{what} were not checked in this pass; the next pass checks them")


def _stall(reason: str, message: str) -> Hold:
    return Hold(reason=reason, message=message, stalled=True)


def _image_holds(unit: UnitDeclaration, image: ImageFacts, region: str) -> list[Hold]:
    firmware = unit.firmware
    where = image.where or firmware.image
    if image.unreadable:
        return [_stall("image_is_unreadable", f"{where}: {image.unreadable}")]
    if not image.exists:
        remedy = _NEXT_IMAGE if not image.where else "upload it to the service"
        return [_stall("image_is_missing", f"{where} does not exist; {remedy}")]
    holds = []
    if image.size_bytes != firmware.size_bytes:
        text = f"{where} has {image.size_bytes} bytes, the manifest says {firmware.size_bytes}; {_NEXT_IMAGE}"
        holds.append(_stall("image_size_differs", text))
    if image.sha256 is None:
        text = f"the store shows no sha256 of {where}, so its bytes are not proved; {_NEXT_IMAGE}"
        holds.append(_stall("image_digest_is_unproved", text))
    elif image.sha256 != firmware.sha256:
        text = f"{where} has sha256 {image.sha256}, the manifest says {firmware.sha256}; {_NEXT_IMAGE}"
        holds.append(_stall("image_digest_differs", text))
    if image.unproved:
        text = f"{image.unproved}: so it is not proved that {where} is what devices get; name it, or fix the manifest"
        holds.append(_stall("image_digest_is_unproved", text))
    if image.region is not None and image.region != region:
        text = f"the bucket of {where} is in {image.region}, the service reads it in {region}; use a bucket there"
        holds.append(_stall("image_region_differs", text))
    return holds


def _role_holds(unit: UnitDeclaration, role: RoleFacts) -> list[Hold]:
    name = unit.backend.role
    if role.unreadable:
        return [_stall("role_is_unreadable", f"{name}: {role.unreadable}")]
    if not role.exists:
        return [_stall("role_is_missing", f"{name} does not exist; provision it with `pulumi up`")]
    holds = []
    if role.trusts == "no":
        text = f"{name}: {role.why}; fix its trust policy with `pulumi up`"
        holds.append(_stall("role_does_not_trust_service", text))
    if role.reads == "no":
        holds.append(_stall("role_may_not_read_image", f"{name}: {role.why}; fix its policy with `pulumi up`"))
    if role.missing_actions:
        text = f"{name} lacks {', '.join(role.missing_actions)}; fix its policy with `pulumi up`"
        holds.append(_stall("role_lacks_permission", text))
    return holds


def _name(key: str) -> str:
    """Return a key such as `group:…` as people write it."""
    kind, _, rest = key.partition(":")
    return f"{kind} {rest}"


def _target_holds(target: TargetFacts, rf_region: str | None, rule: ReadyRule) -> list[Hold]:
    if target.not_ready_because:
        text = f"{_name(target.key)}: {target.not_ready_because}"
        return [Hold(reason="target_is_not_ready", message=text)]
    if target.busy_with:
        return [_busy(target)]
    if rf_region and target.region is not None and target.region != rf_region:
        text = f"{_name(target.key)} is in {target.region}, the rollout says {rf_region}; fix the manifest"
        return [_stall("target_region_differs", text)]
    if target.requested is None or target.ready is None:
        unknown = target.key.partition(":")[0] in ("group", "thingGroup")
        return [_unlooked(f"the device counts of {_name(target.key)}")] if unknown else []
    if not target.members_complete:
        return [_unlooked(f"the devices in {_name(target.key)}, whose list is behind its count,")]
    if target.requested == 0:
        return [_stall("target_is_empty", f"{_name(target.key)} has no devices; add some, or remove it from the wave")]
    if target.ready < target.requested and not rule.suffices(target.ready, target.requested):
        return [_not_ready(target, target.ready, target.requested, rule)]
    return []


def _not_ready(target: TargetFacts, ready: int, requested: int, rule: ReadyRule) -> Hold:
    """Return a group that is waited for, with who is missing and the ways to wait no longer."""
    text = (
        f"{_name(target.key)}: {ready} of {count(requested, 'device is', 'devices are')} ready for multicast; waiting"
    )
    if target.waiting:
        text += f" for {_some([target.names.get(device, device) for device in target.waiting])}"
    text += "; to start with those that are ready set strategy.startWhenReady: {percent: …, after: …}"
    if target.removal_command:
        text += f", or take a device out: {target.removal_command}"
    return Hold(reason="target_is_not_ready", message=text, limit=rule.limit)
