"""Every vendor call otactl makes through AWS, with the IAM action it needs: the list least privilege is derived from.

The transport refuses what is not here, so the list cannot lag behind the code.
"""

from __future__ import annotations

READS: dict[tuple[str, str], str] = {
    ("iotwireless", "ListFuotaTasks"): "iotwireless:ListFuotaTasks",
    ("iotwireless", "GetFuotaTask"): "iotwireless:GetFuotaTask",
    ("iotwireless", "ListTagsForResource"): "iotwireless:ListTagsForResource",
    ("iotwireless", "ListMulticastGroupsByFuotaTask"): "iotwireless:ListMulticastGroupsByFuotaTask",
    ("iotwireless", "ListWirelessDevices"): "iotwireless:ListWirelessDevices",
    ("iotwireless", "GetWirelessDevice"): "iotwireless:GetWirelessDevice",
    ("iotwireless", "GetMulticastGroup"): "iotwireless:GetMulticastGroup",
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "GetBucketVersioning"): "s3:GetBucketVersioning",
    ("s3", "GetBucketLocation"): "s3:GetBucketLocation",
    ("s3", "GetBucketPolicy"): "s3:GetBucketPolicy",
    ("iam", "GetRole"): "iam:GetRole",
    ("iam", "ListRolePolicies"): "iam:ListRolePolicies",
    ("iam", "GetRolePolicy"): "iam:GetRolePolicy",
    ("iam", "ListAttachedRolePolicies"): "iam:ListAttachedRolePolicies",
    ("iam", "GetPolicy"): "iam:GetPolicy",
    ("iam", "GetPolicyVersion"): "iam:GetPolicyVersion",
    ("iam", "SimulatePrincipalPolicy"): "iam:SimulatePrincipalPolicy",
    ("sts", "GetCallerIdentity"): "sts:GetCallerIdentity",
}

WRITES: dict[tuple[str, str], str] = {
    ("iotwireless", name): f"iotwireless:{name}"
    for name in (
        "CreateFuotaTask",
        "UpdateFuotaTask",
        "DeleteFuotaTask",
        "StartFuotaTask",
        "AssociateMulticastGroupWithFuotaTask",
        "AssociateWirelessDeviceWithFuotaTask",
        "DisassociateMulticastGroupFromFuotaTask",
        "DisassociateWirelessDeviceFromFuotaTask",
        "TagResource",
        "UntagResource",
    )
} | {("s3", "PutObject"): "s3:PutObject"}

# What only `otactl image push` calls, with the rights of who pushes: no part of reconciling.
PUSHES = (("s3", "PutObject"),)

# CreateFuotaTask and UpdateFuotaTask hand the role on; the caller needs this for it.
PASSED: dict[tuple[str, str], str] = {
    ("iotwireless", "CreateFuotaTask"): "iam:PassRole",
    ("iotwireless", "UpdateFuotaTask"): "iam:PassRole",
}


def permission_for(service: str, operation: str) -> str:
    """The IAM action of a call; KeyError for one otactl does not make."""
    key = (service, operation)
    return READS[key] if key in READS else WRITES[key]
