"""Takes what stops over from newer manifests, for an environment that keeps its last good ones.

1. Only what stops is taken: an abort, a suspension, a removal; an approval that was withdrawn, and any other permission
   (`strategy.resend`, `strategy.allow…`, an accepted drift); a freeze, a deny window, a lower guard, a required
   signature, a revoked key. What would let more happen waits until every manifest is sound.
2. Allow windows are taken where each of the newer ones lies within an older one, or where there were none. Windows that
   only moved are not: neither set is the narrower.
3. A rollout counts as removed only where every manifest with an error names its own, and none renames it.
4. A rollout that only the newer ones have is taken where it is stopped, and otherwise left alone until they are sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from otactl.manifest.unreadable import UnreadableDocument
from otactl.model import Environment, FirmwarePolicy, Rollout, Strategy, Window
from otactl.model.environment import Guards, RequireSignature, SigningKey
from otactl.model.values import duration

N = TypeVar("N", int, float)
REMOVED_KEY = "newer manifests do not name it any more"


def stopped_rollouts(
    older: Sequence[Rollout], newer: Sequence[Rollout], broken: Sequence[UnreadableDocument]
) -> tuple[Rollout, ...]:
    """Return the older rollouts of an environment, with what stops of the newer ones that could be read."""
    found: dict[str, Rollout] = {each.renamed_from: each for each in newer if each.renamed_from is not None}
    found |= {each.name: each for each in newer}
    named = all(each.is_named for each in broken)
    kept = [_stopped(each, found) for each in older if each.name in found or not named or _is_broken(each.name, broken)]
    added = [each for each in _new(older, newer) if each.abort is not None or each.suspend is not None]
    return (*kept, *added)


def left_alone(
    older: Sequence[Rollout], newer: Sequence[Rollout], broken: Sequence[UnreadableDocument]
) -> tuple[UnreadableDocument, ...]:
    """Return the newer rollouts that wait until every manifest is sound, as if theirs had the first error (rule 4)."""
    return tuple(
        UnreadableDocument(each.source.file, "Rollout", each.name, each.environment, broken[0].problems)
        for each in _new(older, newer)
        if each.abort is None and each.suspend is None
    )


def stopped_environment(older: Environment, newer: Environment | None) -> Environment:
    """Return the older environment, with what stops of the newer one; None where that could not be read."""
    if newer is None:
        return older
    return msgspec.structs.replace(
        older,
        freezes=_joined(older.freezes, newer.freezes),
        guards=_lower(older.guards, newer.guards),
        firmware=_required(older.firmware, newer.firmware),
    )


def _new(older: Sequence[Rollout], newer: Sequence[Rollout]) -> tuple[Rollout, ...]:
    known = {each.name for each in older}
    return tuple(each for each in newer if each.name not in known and each.renamed_from not in known)


def _is_broken(name: str, broken: Sequence[UnreadableDocument]) -> bool:
    return any(each.kind == "Rollout" and name in (each.name, each.renamed_from) for each in broken)


def _stopped(older: Rollout, newer: Mapping[str, Rollout]) -> Rollout:
    now = newer.get(older.name)
    if now is None:
        return older
    return msgspec.structs.replace(
        older,
        abort=now.abort or older.abort,
        suspend=now.suspend or older.suspend,
        windows=_narrower(older.windows, now.windows),
        approvals=tuple(each for each in older.approvals if each in now.approvals),
        resend=older.resend and now.resend,
        strategy=_permitted(older.strategy, now.strategy),
        drift=msgspec.structs.replace(
            older.drift, ignore=tuple(each for each in older.drift.ignore if each in now.drift.ignore)
        ),
    )


def _permitted(older: Strategy, newer: Strategy) -> Strategy:
    """Return the older strategy with those of its permissions that the newer one gives, too."""
    return msgspec.structs.replace(
        older,
        allow_downgrade=older.allow_downgrade and newer.allow_downgrade,
        allow_shrunk=older.allow_shrunk and newer.allow_shrunk,
        allow_uncounted=older.allow_uncounted and newer.allow_uncounted,
    )


def _narrower(older: tuple[Window, ...], newer: tuple[Window, ...]) -> tuple[Window, ...]:
    open_before = tuple(each for each in older if each.kind == "allow")
    open_now = tuple(each for each in newer if each.kind == "allow")
    narrower = open_now and all(any(_within(each, other) for other in open_before) for each in open_now)
    allowed = open_now if narrower or not open_before else open_before
    denied = (each for each in (*older, *newer) if each.kind == "deny")
    return tuple(dict.fromkeys((*allowed, *denied)))


def _within(window: Window, other: Window) -> bool:
    """Return whether all that an allow window permits is permitted by another one, as far as their texts show it."""
    return (
        (window.schedule, window.time_zone) == (other.schedule, other.time_zone)
        and duration(window.duration) <= duration(other.duration)
        and window.overrun in ("doNotStart", other.overrun)
    )


def _joined(older: tuple[Window, ...], newer: tuple[Window, ...]) -> tuple[Window, ...]:
    return tuple(dict.fromkeys((*older, *newer)))


def _lower(older: Guards, newer: Guards) -> Guards:
    return Guards(
        max_affected_devices=_least(older.max_affected_devices, newer.max_affected_devices),
        max_affected_percent=_least(older.max_affected_percent, newer.max_affected_percent),
        max_shrink_percent=_least(older.max_shrink_percent, newer.max_shrink_percent),
    )


def _least(one: N | None, other: N | None) -> N | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _required(older: FirmwarePolicy | None, newer: FirmwarePolicy | None) -> FirmwarePolicy | None:
    if older is None or newer is None:
        return older or newer
    now = {(key.name, key.public_key): key for key in newer.require_signature.keys}
    keys = tuple(_usable(key, now.get((key.name, key.public_key))) for key in older.require_signature.keys)
    return FirmwarePolicy(require_signature=RequireSignature(keys=keys))


def _usable(older: SigningKey, newer: SigningKey | None) -> SigningKey:
    revoked = older.revoked or (newer.revoked if newer is not None else REMOVED_KEY)
    return msgspec.structs.replace(older, revoked=revoked)
