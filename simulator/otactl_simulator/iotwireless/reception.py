"""Decides what one device receives of a session, and whether the real decoder rebuilds the image.

1. Draws are seeded by simulator, task and device, so a run can be repeated and devices lose independently.
2. Rebuilding is decided by TS004's own rows (`otactl.lorawan`), not by a formula.
3. A decoder that holds fewer lost fragments than were lost ends its session, however much parity follows.
4. A device that knows index 0 only refuses a session of another one (`fragIndexUnsupported`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from otactl.lorawan.parity_columns import parity_columns
from otactl_simulator.iotwireless.state import Device

# Behaviour of a device (fleet.py) -> the status it reports, whatever it heard. SDK enum FuotaDeviceStatus.
REFUSALS: dict[str, str] = {
    "noPackage": "Package_Not_Supported",
    "fragAlgoUnsupported": "FragAlgo_unsupported",
    "notEnoughMemory": "Not_enough_memory",
    "fragIndexUnsupported": "FragIndex_unsupported",
    "wrongDescriptor": "Wrong_descriptor",
    "sessionReplay": "SessionCnt_replay",
}
ENDINGS: dict[str, str] = {"memoryError": "MemoryError", "micError": "MICError", "falseMissingFrag": "MissingFrag"}
BEHAVIOURS = frozenset((*REFUSALS, *ENDINGS, "silent"))
SUCCESS, MISSING, NO_ANSWER, CONFLICT = (
    "Successful",
    "MissingFrag",
    "Initial",
    "Device_exist_in_conflict_fuota_task",
)


@dataclass(frozen=True)
class Session:
    """What goes on air: M uncoded and R parity fragments of one size, in the fragmentation session of an index."""

    fragments: int
    parity: int
    fragment_bytes: int
    index: int = 1


def refusal(device: Device, session: Session) -> str | None:
    """Return why a device refuses the session at its set-up, if it does."""
    knows_index = session.index == 0 and device.behaviour == "fragIndexUnsupported"
    if device.behaviour in REFUSALS and not knows_index:
        return REFUSALS[device.behaviour]
    caps = device.caps
    too_many = session.fragments > caps.get("maxFragments", session.fragments)
    too_large = session.fragment_bytes > caps.get("maxFragmentSize", session.fragment_bytes)
    size = session.fragments * session.fragment_bytes
    if too_many or too_large or size > caps.get("memoryBytes", size):
        return "Not_enough_memory"
    return None


def outcome(device: Device, session: Session, seed: str) -> str:
    """Return the status a device reports after the session; Initial when it never answers."""
    if device.behaviour == "silent":
        return NO_ANSWER
    refused = refusal(device, session)
    if refused is not None:
        return refused
    rebuilt = _rebuilds(device, session, seed)
    if rebuilt and device.behaviour in ENDINGS:
        return ENDINGS[device.behaviour]
    return SUCCESS if rebuilt else MISSING


def takes(device: Device, session: Session, seed: str, status: str) -> bool:
    """Return whether a device that reports a status holds the image: one that tells MissingFrag falsely does, too."""
    if status == SUCCESS:
        return True
    return device.behaviour == "falseMissingFrag" and status == MISSING and _rebuilds(device, session, seed)


def _rebuilds(device: Device, session: Session, seed: str) -> bool:
    if device.loss <= 0:
        return True
    draw = random.Random(seed)  # noqa: S311 - a repeatable radio, not a secret
    drawn, loss = draw.random, device.loss
    lost = [i for i in range(session.fragments) if drawn() < loss]
    missed = [i for i in range(session.parity) if drawn() < loss]
    if len(lost) > device.caps.get("maxLost", len(lost)):
        return False
    return parity_columns(session.fragments, session.parity).recovers(lost, missed)
