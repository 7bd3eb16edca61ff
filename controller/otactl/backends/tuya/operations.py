"""Every call otactl makes through Tuya's gateway: what the key of the environment has to be allowed.

The transport refuses what is not here, so the list cannot lag behind the code. The gateway has 21 OTA operations
(domain file, menu page [V]); Modify and Delete of packages and modules are nobody's business here.
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
