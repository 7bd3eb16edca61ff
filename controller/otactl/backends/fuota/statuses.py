"""Maps AWS IoT Wireless statuses to our phases and outcomes; no other module has its status strings.

1. Both tables are total over the SDK's own enums (a test compares them): a new status turns the build red, and at run
   time it is `UNKNOWN`, never a guess.
2. `FuotaDone` is not success (developer guide, "FUOTA task status"): it is also reached when the role cannot read the
   image, or no device answered. Success is read per device.
3. `Initial` on a device of a task that is done means it never answered: a timeout.
"""

from __future__ import annotations

from otactl.model import Outcome, Reason, UnitPhase

TASK_PHASES: dict[str, UnitPhase] = {
    "Pending": UnitPhase.OPEN,
    "FuotaSession_Waiting": UnitPhase.SCHEDULED,
    "In_FuotaSession": UnitPhase.RUNNING,
    "FuotaDone": UnitPhase.ENDED,
    "Delete_Waiting": UnitPhase.DELETING,
}

DEVICE_OUTCOMES: dict[str, tuple[Outcome, Reason | None]] = {
    "Initial": (Outcome.WAITING, None),
    "Package_Not_Supported": (Outcome.FAILED, Reason.PACKAGE_UNSUPPORTED),
    "FragAlgo_unsupported": (Outcome.FAILED, Reason.PACKAGE_UNSUPPORTED),
    "Not_enough_memory": (Outcome.FAILED, Reason.NO_MEMORY),
    "FragIndex_unsupported": (Outcome.FAILED, Reason.INDEX_UNSUPPORTED),
    "Wrong_descriptor": (Outcome.FAILED, Reason.DESCRIPTOR),
    "SessionCnt_replay": (Outcome.FAILED, Reason.SESSION_REPLAY),
    "MissingFrag": (Outcome.FAILED, Reason.MISSING_FRAGMENTS),
    "MemoryError": (Outcome.FAILED, Reason.NO_MEMORY),
    "MICError": (Outcome.FAILED, Reason.INTEGRITY),
    "Successful": (Outcome.SUCCEEDED, None),
    "Device_exist_in_conflict_fuota_task": (Outcome.FAILED, Reason.CONFLICT),
}

# Manifest field -> member of Create/Get/UpdateFuotaTask; rfRegion sits one level deeper, under LoRaWAN.
FIELD_MEMBERS: dict[str, str] = {
    "name": "Name",
    "description": "Description",
    "image": "FirmwareUpdateImage",
    "role": "FirmwareUpdateRole",
    "redundancyPercent": "RedundancyPercent",
    "fragmentSizeBytes": "FragmentSizeBytes",
    "fragmentIntervalMs": "FragmentIntervalMS",
    "descriptor": "Descriptor",
}


def task_phase(status: object) -> UnitPhase:
    """Return our phase of a task's status; one we do not know is UNKNOWN."""
    return TASK_PHASES.get(str(status), UnitPhase.UNKNOWN)


def device_outcome(status: object, ended: bool) -> tuple[Outcome, Reason | None]:
    """Return our outcome of a device's status; no status, or Initial, on a task that is done is a timeout."""
    if status is None or status == "Initial":
        return (Outcome.FAILED, Reason.TIMEOUT) if ended else (Outcome.WAITING, None)
    return DEVICE_OUTCOMES.get(str(status), (Outcome.UNKNOWN, Reason.UNKNOWN))
