"""Lists every call otactl makes to Tuya's gateway, which the environment's key must be allowed.

The transport refuses what is not here, so the list cannot lag behind the code. The gateway has 21 OTA operations
(domain file, menu page [V]); Modify and Delete of packages and modules are not used.
"""

from __future__ import annotations

SERVICE = "tuya"

READS = frozenset(
    (
        "ListOTAFirmware",
        "QueryOTAFirmware",
        "QueryOTAJob",
        "ListOTAJobByFirmware",
        "ListOTAJobByDevice",
        "ListOTATaskByJob",
        "ListOTAUnfinishedTaskByDevice",
        "ListOTAModuleVersionsByDevice",
        "ListOTAModuleByProduct",
    )
)

WRITES = frozenset(
    (
        "CreateOTAStaticUpgradeJob",
        "CreateOTAVerifyJob",
        "CancelOTATaskByJob",
        "CancelOTATaskByDevice",
        "ConfirmOTATask",
    )
)
