"""Lists what the controller and the planner may do: exactly their calls. OTA updates are in ota_permissions.

1. The owner mark scopes what changes a task: a task without it, or with another's, is not the controller's to touch.
2. The Tuya key is the controller's alone: Tuya knows no key that only reads, and who opens a pull request chooses what
   runs as the planner. A key of KMS is used through Secrets Manager, for that one secret.

Source: AWS service authorization reference of IoT Wireless, S3, IAM, Secrets Manager; user guide of Secrets Manager,
"Secret encryption and decryption" (kms:ViaService, the encryption context SecretARN).
"""

from __future__ import annotations

from collections.abc import Sequence

from . import ota_permissions
from .iam_documents import (
    ACCOUNT_READS,
    BUCKET_READS,
    GROUP_READS,
    IOT_WIRELESS,
    MEMBER_WRITES,
    OWNER_TAG,
    POLICY_READS,
    ROLE_READS,
    TASK_READS,
    TASK_WRITES,
    Document,
    Names,
    Statement,
    allow,
    document,
)


def planner(names: Names) -> Document:
    """Return what `otactl plan` may do, and nothing else."""
    proof, updates = _proof(names), ota_permissions.reads(names)
    return document([*_reads(names), *proof, *updates, *_journal(names, writes=False)])


def controller(names: Names) -> Document:
    """Return what `otactl reconcile` may do: what plan reads, and the calls that change a task or an update."""
    updates = [*ota_permissions.reads(names), *ota_permissions.writes(names)]
    journal = _journal(names, writes=True)
    return document(
        [*_reads(names), *_writes(names), *_proof(names), *updates, *journal, *_tuya_secret(names), *_manifests(names)]
    )


def _wireless(actions: Sequence[str]) -> list[str]:
    return [f"iotwireless:{a}" for a in actions]


def _reads(names: Names) -> list[Statement]:
    settings = names.settings
    buckets = [names.bucket(c.bucket) for c in settings.channels]
    roles = [names.role_arn(names.update_role(c)) for c in settings.channels]
    policies = [f"arn:{settings.partition}:iam::{owner}:policy/*" for owner in (settings.account, "aws")]
    return [
        *(_wireless_reads(names) if settings.options.fuota else []),
        # With ListBucket a missing image (404) differs from a forbidden one (403).
        allow("CheckBuckets", [f"s3:{a}" for a in BUCKET_READS], buckets),
        allow("CheckImages", ["s3:GetObject"], [names.images(c) for c in settings.channels]),
        *([allow("CheckRoles", [f"iam:{a}" for a in ROLE_READS], roles)] if settings.options.fuota else []),
        allow("CheckRolePolicies", [f"iam:{a}" for a in POLICY_READS], policies),
    ]


def _wireless_reads(names: Names) -> list[Statement]:
    return [
        allow("ReadTasks", _wireless(TASK_READS), [names.wireless("FuotaTask")]),
        # These take no resource, or filter by one in their parameters.
        allow("ReadAccount", _wireless(ACCOUNT_READS), ["*"]),
        allow("ReadGroups", _wireless(GROUP_READS), [names.wireless("MulticastGroup")]),
        allow("ReadDevices", ["iotwireless:GetWirelessDevice"], [names.wireless("WirelessDevice")]),
    ]


def _writes(names: Names) -> list[Statement]:
    settings = names.settings
    if not settings.options.fuota:
        return []
    tasks = names.wireless("FuotaTask")
    ours = {f"aws:ResourceTag/{OWNER_TAG}": settings.owner}
    unowned = {f"aws:ResourceTag/{OWNER_TAG}": "true"}
    marked = {f"aws:RequestTag/{OWNER_TAG}": settings.owner}
    moves = [action for actions in MEMBER_WRITES.values() for action in actions]
    return [
        # A task that is not there yet has no ARN: the mark it will carry is what can be asked for.
        allow("MakeOurTasks", ["iotwireless:CreateFuotaTask"], ["*"], StringEquals=marked),
        allow("ChangeOurTasks", _wireless((*TASK_WRITES, *moves)), [tasks], StringEquals=ours),
        allow("TagOurTasks", ["iotwireless:TagResource"], [tasks], StringEquals=ours),
        # An owner mark stripped by hand is put back; a task that carries another's stays another's.
        allow("MarkTasks", ["iotwireless:TagResource"], [tasks], StringEquals=marked, Null=unowned),
        *(allow(f"Move{kind}s", _wireless(actions), [names.wireless(kind)]) for kind, actions in MEMBER_WRITES.items()),
        allow(
            "PassUpdateRoles",
            ["iam:PassRole"],
            [names.role_arn(names.update_role(c)) for c in settings.channels],
            StringEquals={"iam:PassedToService": IOT_WIRELESS},
        ),
    ]


def _proof(names: Names) -> list[Statement]:
    """Return what options.proveVersions adds: the versions that the things of LoRaWAN devices report.

    With options.iotOta they may be read already. A shadow may hold more than a version, so it is an option.
    """
    options = names.settings.options
    if not options.prove_versions or options.iot_ota:
        return []
    return [
        allow("ReadVersions", ["iot:DescribeThing", "iot:GetThingShadow"], [names.iot("thing/*")]),
        allow("SearchThings", ["iot:SearchIndex"], [names.iot("index/AWS_Things")]),
    ]


def _journal(names: Names, *, writes: bool) -> list[Statement]:
    bucket = names.settings.options.journal_bucket
    if not bucket:
        return []
    actions = ["s3:GetObject", "s3:PutObject"] if writes else ["s3:GetObject"]
    return [
        allow("KeepJournal" if writes else "ReadJournal", actions, [f"{names.bucket(bucket)}/*"]),
        # Without it a missing object is answered 403, and a new journal would look like a forbidden one.
        allow("ListJournal", ["s3:ListBucket"], [names.bucket(bucket)]),
    ]


def _tuya_secret(names: Names) -> list[Statement]:
    """Return the permission to read the secret with the key (rule 2)."""
    secret = names.settings.options.tuya_secret
    if secret is None:
        return []
    read = allow("ReadTuyaSecret", ["secretsmanager:GetSecretValue"], [secret.arn])
    through = {
        "kms:ViaService": names.via("secretsmanager"),
        "kms:EncryptionContext:SecretARN": secret.arn,
    }
    decrypt = allow("DecryptTuyaSecret", ["kms:Decrypt"], [secret.key], StringEquals=through)
    return [read, decrypt] if secret.key else [read]


def _manifests(names: Names) -> list[Statement]:
    """Return the permission to read manifests from the bucket that workers fetch them from."""
    workers = names.settings.options.workers
    bucket, prefix = workers.source_bucket if workers is not None else ("", "")
    if not bucket:
        return []
    below = {"StringEquals": {"s3:prefix": [prefix]}} if prefix else {}
    return [
        allow("ListManifests", ["s3:ListBucket"], [names.bucket(bucket)], **below),
        allow("ReadManifests", ["s3:GetObject"], [f"{names.bucket(bucket)}/{prefix}*"]),
    ]
