"""Holds a unit for devices that another rollout sent the same content last, unless it is to be sent again.

A device to which this rollout has sent since `strategy.resend` was set is not sent it once more by that.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl.model import Observation, Rollout, iso
from otactl.model.actions import Hold, UnitDeclaration
from otactl.planning.context import PlanContext
from otactl.planning.sent_content import NAMED, SentContent, SentContents, key_of, selection
from otactl.planning.start_context import StartContext
from otactl.state.resend_permission import to_resend

_SINGLE = ("device:", "devEui:")


def sent_already(ctx: StartContext) -> tuple[Hold, ...]:
    """Return the holds of devices of a unit that another rollout sent this very content last, one for each rollout."""
    rollout, unit = ctx.at.rollout, ctx.declared
    found: dict[tuple[str, str], dict[str, SentContent]] = {}
    reached = _reached(unit, ctx.at.seen)
    for key, only_blind in reached.items():
        last = _sent_by_another(rollout, key, ctx.at.sendings, only_blind=only_blind)
        if last is not None:
            found.setdefault((last.beside, last.rollout), {})[key] = last
    number = sum(not only_blind for only_blind in reached.values())
    return tuple(_hold(rollout, unit, name, sent, number) for (_, name), sent in sorted(found.items()))


def _sent_by_another(
    rollout: Rollout, key: str, sendings: SentContents, *, only_blind: bool = False
) -> SentContent | None:
    """Return what another rollout sent a target last, if it was this very content and is not to be sent again."""
    last = sendings.foreign(rollout, key)
    if last is None or (only_blind and not last.blind):
        return None
    mine = sendings.of(rollout.name).last(rollout.backend_kind, key) if rollout.resend_since is not None else None
    unused = rollout.resend_since is not None and (mine is None or rollout.may_resend(mine.at))
    return None if unused else last


def without_sent(at: PlanContext, only: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return the devices of a retry that no other rollout sent this content since, and a remark on the others.

    All of them where another rollout sent to every one: then none is left to retry, and the hold says why.
    """
    ids = {t.key: f"device:{t.vendor_id}" for t in at.seen.targets if t.vendor_id and not t.is_group}
    sent = {k: s for k in only if (s := _sent_by_another(at.rollout, ids.get(k, k), at.sendings)) is not None}
    if not sent or len(sent) == len(only):
        return only, ""
    others = ", ".join(sorted({f"{s.rollout} ({s.unit_id})" for s in sent.values()}))
    names = ", ".join(_name(k) for k in sorted(sent))
    text = f"; not {names}, which rollout {others} sent this content last: to send it again, {to_resend(at.rollout)}"
    return tuple(k for k in only if k not in sent), text


def _reached(unit: UnitDeclaration, seen: Observation) -> dict[str, bool]:
    """Return the keys of what a unit would reach; True for a group whose devices are known and listed too (rule 4)."""
    if not unit.members:
        return {selection(unit.generation): False}
    facts = {t.key: t for t in seen.targets}
    looked_into = any(facts[m].members for m in unit.members if m in facts)
    found: dict[str, bool] = {}
    for member in unit.members:
        known = facts.get(member)
        if known is not None and (known.updated or known.excluded_because):
            continue  # nothing is sent to it
        if member.startswith(_SINGLE):
            found[f"device:{known.vendor_id}" if known is not None and known.vendor_id else member] = False
            continue
        inside = known.members if known is not None and known.members else () if looked_into else seen.devices
        found |= dict.fromkeys((key_of(d) for d in inside), False)
        found[member] = bool(inside)
    return found


def _hold(rollout: Rollout, unit: UnitDeclaration, name: str, sent: Mapping[str, SentContent], number: int) -> Hold:
    newest = max(sent.values(), key=lambda s: s.at)
    others = len({s.unit_id for s in sent.values()}) - 1
    have = sorted(_name(key) for key, s in sent.items() if s.took)
    where = f" of environment {newest.beside}" if newest.beside else ""
    text = (
        f"rollout {name}{where} sent this content last to {len(sent)} of the {number} targets of wave {unit.wave} "
        f"({_some(sorted(_name(k) for k in sent))}): {newest.unit_id} at {iso(newest.at)}"
        f"{f' and {others} more units' if others else ''}; "
        f"{f'{len(have)} have it already ({_some(have)})' if have else 'none is known to have it'}. "
    )
    if not newest.beside:
        text += f"If {name} was renamed to {rollout.name}, set metadata.renamedFrom: {name}; "
    text += f"to send it again, {to_resend(rollout)}"
    return Hold(reason="content_was_sent_already", message=text, stalled=True)


def _name(key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "selection":
        return "the devices its service selects"
    return rest if kind in ("device", "devEui") else f"{kind} {rest}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
