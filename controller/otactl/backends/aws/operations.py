"""Lists every call otactl makes to AWS, with the IAM action it needs; least privilege is derived from it.

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
    ("iotwireless", "GetMulticastGroupSession"): "iotwireless:GetMulticastGroupSession",
    ("iot", "ListOTAUpdates"): "iot:ListOTAUpdates",
    ("iot", "GetOTAUpdate"): "iot:GetOTAUpdate",
    ("iot", "ListTagsForResource"): "iot:ListTagsForResource",
    ("iot", "ListJobs"): "iot:ListJobs",
    ("iot", "DescribeJob"): "iot:DescribeJob",
    ("iot", "GetJobDocument"): "iot:GetJobDocument",
    ("iot", "ListJobExecutionsForJob"): "iot:ListJobExecutionsForJob",
    ("iot", "ListJobExecutionsForThing"): "iot:ListJobExecutionsForThing",
    ("iot", "DescribeJobExecution"): "iot:DescribeJobExecution",
    ("iot", "ListStreams"): "iot:ListStreams",
    ("iot", "DescribeStream"): "iot:DescribeStream",
    ("iot", "DescribeThing"): "iot:DescribeThing",
    ("iot", "DescribeThingGroup"): "iot:DescribeThingGroup",
    ("iot", "ListThingsInThingGroup"): "iot:ListThingsInThingGroup",
    ("iot", "SearchIndex"): "iot:SearchIndex",
    ("iot-data", "GetThingShadow"): "iot:GetThingShadow",
    ("signer", "DescribeSigningJob"): "signer:DescribeSigningJob",
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "GetObject"): "s3:GetObject",
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
    ("secretsmanager", "GetSecretValue"): "secretsmanager:GetSecretValue",
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
}
WRITES |= {
    ("iot", name): f"iot:{name}"
    for name in (
        "CreateOTAUpdate",
        "DeleteOTAUpdate",
        "UpdateJob",
        "CancelJob",
        "DeleteJob",
        "TagResource",
        "UntagResource",
    )
}
WRITES |= {("s3", "PutObject"): "s3:PutObject"}

# What only `otactl image push` calls, with the rights of who pushes: no part of reconciling.
PUSHES = (("s3", "PutObject"),)

# These hand a role on; the caller needs this for it.
PASSED: dict[tuple[str, str], str] = {
    ("iotwireless", "CreateFuotaTask"): "iam:PassRole",
    ("iotwireless", "UpdateFuotaTask"): "iam:PassRole",
    ("iot", "CreateOTAUpdate"): "iam:PassRole",
    ("iot", "UpdateJob"): "iam:PassRole",
}


def permission_for(service: str, operation: str) -> str:
    """Return the IAM action of a call; KeyError for one otactl does not make."""
    key = (service, operation)
    return READS[key] if key in READS else WRITES[key]
