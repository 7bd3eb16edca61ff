"""The last full check before a start that has no way back; every check is named as the fact it forbids.

1. A check looks at facts and answers a hold or nothing; it never reads and never sends.
2. `may_create` runs before a unit is made, so a missing image costs no task; `may_start` runs all of them.
3. What cannot be read is not assumed to be right: it holds, and names the permission that is missing. What was not
   looked at holds too: a start rests on facts of this very pass.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from controller.actions import Hold, UnitDeclaration
from controller.model import ImageFacts, Observation, RoleFacts, TargetFacts

INCOMPLETE = "checks_are_incomplete"
_NEXT_IMAGE = "push it with `otactl image push`"


def may_create(unit: UnitDeclaration, seen: Observation, region: str) -> tuple[Hold, ...]:
    """Everything wrong with image and role."""
    holds: list[Hold] = []
    if (seen.image is None or seen.role is None) and not (seen.offline or seen.expected):
        return (_unlooked("image and role"),)
    if seen.image is not None:
        holds += _image_holds(unit, seen.image, region)
    if seen.role is not None:
        holds += _role_holds(unit, seen.role)
    return tuple(holds)


def may_start(
    unit: UnitDeclaration,
    inside: Collection[str],
    seen: Observation,
    region: str,
    busy: Mapping[str, str],
    *,
    every: bool = False,
) -> tuple[Hold, ...]:
    """Everything that forbids a start: image, role, and each target inside; `busy` are targets others hold.

    `every` asks for facts of every target, single devices too.
    """
    holds = list(may_create(unit, seen, region))
    facts = {t.key: t for t in seen.targets}
    rf_region = unit.backend.radio_region
    for key in unit.members or facts:  # where the service selects devices, none is named: what was looked at counts
        target = facts.get(key)
        if target is not None:
            holds += _target_holds(target, rf_region)
        elif (every or key.startswith("group:")) and key in inside and not (seen.offline or seen.expected):
            holds.append(_unlooked(_name(key)))
    inside = [f"device:{m}" for t in seen.targets for m in t.members]
    holds += [busy_hold(key, busy[key]) for key in (*unit.members, *inside) if key in busy]
    return tuple(holds)


def busy_hold(key: str, unit_id: str) -> Hold:
    """Wait for a target that another rollout's unit holds."""
    text = f"{_name(key)} is held by {unit_id} until its session has ended"
    return Hold(reason="target_is_busy", message=text)


def _unlooked(what: str) -> Hold:
    return Hold(reason=INCOMPLETE, message=f"{what} not looked at in this pass; the next one does")


def _stall(reason: str, message: str) -> Hold:
    return Hold(reason=reason, message=message, stalled=True)


def _image_holds(unit: UnitDeclaration, image: ImageFacts, region: str) -> list[Hold]:
    firmware = unit.firmware
    where = image.where or firmware.image
    if image.unreadable:
        return [_stall("image_is_unreadable", f"{where}: {image.unreadable}")]
    if not image.exists:
        mend = _NEXT_IMAGE if not image.where else "upload it to the service"
        return [_stall("image_is_missing", f"{where} does not exist; {mend}")]
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
        text = f"{image.unproved}: so it is not proved that {where} is what devices get; name it, or mend the manifest"
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
        text = f"{name}: {role.why}; mend its trust policy with `pulumi up`"
        holds.append(_stall("role_does_not_trust_service", text))
    if role.reads == "no":
        holds.append(_stall("role_may_not_read_image", f"{name}: {role.why}; mend its policy with `pulumi up`"))
    if role.lacks:
        text = f"{name} lacks {', '.join(role.lacks)}; mend its policy with `pulumi up`"
        holds.append(_stall("role_lacks_permission", text))
    return holds


def _name(key: str) -> str:
    """`group:…` as people say it."""
    kind, _, rest = key.partition(":")
    return f"{kind} {rest}"


def _target_holds(target: TargetFacts, rf_region: str | None) -> list[Hold]:
    if not target.exists:
        text = f"{_name(target.key)} does not exist in this account and Region; mend the manifest"
        return [_stall("target_is_missing", text)]
    if target.unready:
        text = f"{_name(target.key)}: {target.unready}"
        return [Hold(reason="target_is_not_ready", message=text)]
    if target.busy:
        return [Hold(reason="target_is_busy", message=f"{_name(target.key)} still has other work: {target.busy}")]
    if rf_region and target.region is not None and target.region != rf_region:
        text = f"{_name(target.key)} is in {target.region}, the rollout says {rf_region}; mend the manifest"
        return [_stall("target_region_differs", text)]
    if target.requested is None or target.ready is None:
        unknown = target.key.partition(":")[0] in ("group", "thingGroup")
        return [_unlooked(f"the device counts of {_name(target.key)}")] if unknown else []
    if target.requested == 0:
        return [_stall("target_is_empty", f"{_name(target.key)} has no devices; add some or take it out of the wave")]
    if target.ready < target.requested:
        text = f"{_name(target.key)}: {target.ready} of {target.requested} devices are ready for multicast; waiting"
        return [Hold(reason="target_is_not_ready", message=text)]
    return []
