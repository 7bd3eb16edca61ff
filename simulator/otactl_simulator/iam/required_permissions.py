"""Maps a request to what it needs of IAM: actions, resources, condition keys.

Source: AWS service authorization reference, "Actions, resources, and condition keys" of IoT Wireless, S3 and IAM. An
operation on two resources is asked for on each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from otactl_simulator.iam.patterns import ContextValue

TagsOf = Callable[[str], Mapping[str, str]]
PASSES_ROLE = ("CreateFuotaTask", "UpdateFuotaTask")
SERVICE = "iotwireless.amazonaws.com"

_FUOTA = {"FuotaTask": "Id"}
_GROUPS = {"FuotaTask": "Id", "MulticastGroup": "MulticastGroupId"}
_DEVICES = {"FuotaTask": "Id", "WirelessDevice": "WirelessDeviceId"}
_WIRELESS: dict[str, Mapping[str, str]] = {
    "GetFuotaTask": _FUOTA,
    "UpdateFuotaTask": _FUOTA,
    "DeleteFuotaTask": _FUOTA,
    "StartFuotaTask": _FUOTA,
    "ListMulticastGroupsByFuotaTask": _FUOTA,
    "AssociateMulticastGroupWithFuotaTask": _GROUPS,
    "DisassociateMulticastGroupFromFuotaTask": _GROUPS,
    "AssociateWirelessDeviceWithFuotaTask": _DEVICES,
    "DisassociateWirelessDeviceFromFuotaTask": _DEVICES,
    "GetMulticastGroup": {"MulticastGroup": "Id"},
    "GetMulticastGroupSession": {"MulticastGroup": "Id"},
    "GetWirelessDevice": {"WirelessDevice": "Identifier"},
}


@dataclass(frozen=True)
class Need:
    """One action on one resource; `words` are the service's own refusal where it does not speak as IAM does."""

    action: str
    resource: str
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    bucket: str | None = None
    words: str = ""


def wireless(
    operation: str, parameters: Mapping[str, object], account: str, region: str, tags_of: TagsOf
) -> list[Need]:
    """Return the needs of a call of AWS IoT Wireless; an operation without a resource type is asked for on `*`."""
    action = f"iotwireless:{operation}"
    asked = _request_tags(parameters)
    named = [
        f"arn:aws:iotwireless:{region}:{account}:{k}/{parameters.get(p)}" for k, p in _resources(operation).items()
    ]
    if operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        named = [str(parameters.get("ResourceArn"))]
    needs = [
        Need(action, arn, {**asked, **{f"aws:ResourceTag/{k}": v for k, v in tags_of(arn).items()}}) for arn in named
    ] or [Need(action, "*", asked)]
    role = parameters.get("FirmwareUpdateRole")
    if operation in PASSES_ROLE and isinstance(role, str):
        needs.append(Need("iam:PassRole", role, {"iam:PassedToService": SERVICE}))
    return needs


def _resources(operation: str) -> Mapping[str, str]:
    return _WIRELESS.get(operation, {})


def _request_tags(parameters: Mapping[str, object]) -> dict[str, ContextValue]:
    tags = parameters.get("Tags")
    found: dict[str, ContextValue] = {}
    if isinstance(tags, list):
        found |= {f"aws:RequestTag/{t['Key']}": str(t["Value"]) for t in tags}
        found["aws:TagKeys"] = [str(t["Key"]) for t in tags]
    return found


_OBJECT = {"HeadObject": "GetObject"}
_BUCKET = {"ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket"}


def s3(operation: str, path: str, query: Mapping[str, object], headers: Mapping[str, str]) -> list[Need]:
    """Return the needs of a call of S3 (path-style)."""
    bucket, _, key = path.strip("/").partition("/")
    if not bucket:
        return [Need("s3:ListAllMyBuckets", "*")]
    arn = f"arn:aws:s3:::{bucket}"
    if not key:
        return [Need(f"s3:{_BUCKET.get(operation, operation)}", arn, bucket=bucket)]
    action = _OBJECT.get(operation, operation)
    if "versionId" in query and action in ("GetObject", "DeleteObject"):
        action += "Version"
    context: dict[str, ContextValue] = {}
    if operation == "PutObject":
        context["s3:ObjectCreationOperation"] = "true"
        context |= {f"s3:{name}": headers[name] for name in ("if-none-match", "if-match") if name in headers}
    return [Need(f"s3:{action}", f"{arn}/{key}", context, bucket=bucket)]


def iam(operation: str, given: Mapping[str, list[str]], account: str) -> list[Need]:
    """Return the needs of a call of IAM."""
    policy, role, source = (given.get(name, [""])[0] for name in ("PolicyArn", "RoleName", "PolicySourceArn"))
    resource = source or (f"arn:aws:iam::{account}:role/{role}" if role else policy) or "*"
    return [Need(f"iam:{operation}", resource)]
