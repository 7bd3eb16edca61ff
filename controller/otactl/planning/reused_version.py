"""Holds a wave whose devices report the declared version, but took other bytes under that very version.

1. Devices that report the declared version are skipped, and count as updated. That proves their bytes only while one
   version names one image.
2. What the journal sent to a device last tells its bytes, if the device took it. What it was sent with another version,
   or by another actor, says nothing: then the report counts.
"""

from __future__ import annotations

from otactl.model.actions import Hold
from otactl.planning.sent_content import SentContent
from otactl.planning.wave_context import WaveContext
from otactl.wording import count


def holds(ctx: WaveContext) -> tuple[Hold, ...]:
    """Return the hold of devices that would be skipped with other bytes than the declared ones."""
    at = ctx.at
    found: dict[str, SentContent] = {}
    for target in at.seen.targets:
        for device in target.devices if target.updated else target.updated_members:
            last = at.sendings.last(at.rollout.backend_kind, f"device:{device}")
            if last is not None and last.took and _is_reused(last, ctx):
                found[device] = last
    if not found:
        return ()
    version, first = at.rollout.firmware.version, min(found)
    devices = count(len(found), "device reports", "devices report")
    text = (
        f"wave {ctx.wave.name}: {devices} {version} and took other bytes under this version "
        f"({at.seen.names.get(first, first)}{', …' if len(found) > 1 else ''}, from {found[first].unit_id}), so the "
        "version does not tell them apart; give the image a version of its own, and declare that in spec.firmware"
    )
    return (Hold(reason="version_has_other_bytes", message=text, stalled=True),)


def _is_reused(last: SentContent, ctx: WaveContext) -> bool:
    rollout = ctx.at.rollout
    return bool(last.content) and last.version == rollout.firmware.version and not last.carried(rollout)
