"""Finds devices that still have the declared revision when a rollout goes back to it.

1. Another revision that was started in between need not have reached every device. One that it did not reach has what
   it took before, and is not sent that again.
2. A version that a device reports, and what another rollout sent it since, count more than our record of it.
3. A device whose execution another actor canceled may have started it, so it is sent the revision again.
4. Groups are sent to whole.
5. With `strategy.resend` devices that took it before that was set are sent it again.
"""

from __future__ import annotations

import msgspec

from otactl.model import Observation, Reason, Record, Rollout, TargetFacts, WaveRecord
from otactl.planning.sent_content import SentContents
from otactl.ports import Capabilities


def noted(
    seen: Observation, record: Record, rollout: Rollout, sendings: SentContents, can: Capabilities
) -> Observation:
    """Return the observation with these devices as updated."""
    generation = rollout.generation
    if can.tells_of_spared or not any(_went_back(wave, generation) for wave in record.waves):
        return seen
    own = SentContents({record.name: record})
    in_doubt = {
        r.device
        for a in record.attempts
        for r in a.results
        if a.generation != generation and r.reason is Reason.CANCELED and (r.by_hand or not a.canceled_by_us)
    }

    def has_it(target: TargetFacts) -> bool:
        if target.is_group or not (target.exists and target.vendor_id):
            return False
        if target.vendor_id in in_doubt or target.version not in ("", rollout.firmware.version):
            return False
        key = f"device:{target.vendor_id}"
        mine, newest = own.last(rollout.backend_kind, key), sendings.last(rollout.backend_kind, key)
        if mine is None or not mine.took or mine.generation != generation or rollout.may_resend(mine.at):
            return False
        return newest is None or newest.rollout == record.name or newest.at <= mine.at

    targets = (msgspec.structs.replace(t, updated=t.updated or has_it(t)) for t in seen.targets)
    return msgspec.structs.replace(seen, targets=tuple(targets))


def _went_back(wave: WaveRecord, generation: str) -> bool:
    """Return whether another revision was started after the declared one was sent."""
    first = next((i for i, a in enumerate(wave.attempts) if a.generation == generation and a.results), None)
    return first is not None and any(a.generation != generation and a.reached for a in wave.attempts[first + 1 :])
