"""Builds the policy documents from names alone, so that a preview shows every ARN and tests can read them.

1. No action has a wildcard; a resource has one only for ids that the service assigns.
2. Every list of actions is sorted by what it is for, and a test removes each one to see something fail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .settings import Channel, Github, Settings

Statement = Mapping[str, object]
Document = Mapping[str, object]

IOT_WIRELESS, IOT = "iotwireless.amazonaws.com", "iot.amazonaws.com"
GITHUB_ISSUER = "token.actions.githubusercontent.com"

# What the controller's call list needs (tests hold the two equal). Reads first.
TASK_READS = ("GetFuotaTask", "ListMulticastGroupsByFuotaTask", "ListTagsForResource")
GROUP_READS = ("GetMulticastGroup", "GetMulticastGroupSession")
ACCOUNT_READS = ("ListFuotaTasks", "ListWirelessDevices")
BUCKET_READS = ("GetBucketLocation", "GetBucketPolicy", "GetBucketVersioning", "ListBucket")
ROLE_READS = ("GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies", "SimulatePrincipalPolicy")
POLICY_READS = ("GetPolicy", "GetPolicyVersion")
TASK_WRITES = (
    "DeleteFuotaTask",
    "StartFuotaTask",
    "UntagResource",
    "UpdateFuotaTask",
)
# Each of these is asked for on the task and on the member.
MEMBER_WRITES = {
    "MulticastGroup": ("AssociateMulticastGroupWithFuotaTask", "DisassociateMulticastGroupFromFuotaTask"),
    "WirelessDevice": ("AssociateWirelessDeviceWithFuotaTask", "DisassociateWirelessDeviceFromFuotaTask"),
}
OWNER_TAG = "otactl:owner"


@dataclass(frozen=True)
class Names:
    """Every name and ARN of a stack, from its settings; `prefix` tells a program's components apart."""

    settings: Settings
    prefix: str = ""

    def logical(self, name: str) -> str:
        """Return the name that Pulumi knows a resource by."""
        return f"{self.prefix}{name}"

    @property
    def stem(self) -> str:
        """Return the prefix of all names of the stack; parts are joined by _, which no part contains, so none clash."""
        return f"{self.settings.owner}_{self.settings.stack}"

    def update_role(self, channel: Channel) -> str:
        """Return a channel's FirmwareUpdateRole."""
        return f"{self.stem}_{channel.name}_fuota"

    @property
    def ota_role(self) -> str:
        """Return the service role of AWS IoT OTA updates."""
        return f"{self.stem}_ota-service"

    @property
    def controller_role(self) -> str:
        """Return who reconciles."""
        return f"{self.stem}_controller"

    @property
    def dashed(self) -> str:
        """Return the prefix of names without _; the digest tells owner a-b, stack c from owner a, stack b-c."""
        digest = hashlib.sha256(self.stem.encode()).hexdigest()[:6]
        return f"{self.settings.owner}-{self.settings.stack}-{digest}"

    @property
    def planner_role(self) -> str:
        """Return who plans."""
        return f"{self.stem}_planner"

    def role_arn(self, name: str) -> str:
        """Return a role's ARN."""
        return f"arn:{self.settings.partition}:iam::{self.settings.account}:role/{name}"

    def wireless(self, kind: str) -> str:
        """Return every resource of a kind of AWS IoT Wireless."""
        return self.arn("iotwireless", f"{kind}/*")

    def iot(self, rest: str) -> str:
        """Return a resource of AWS IoT."""
        return self.arn("iot", rest)

    def arn(self, service: str, rest: str) -> str:
        """Anything of a service in the stack's account and Region."""
        return f"arn:{self.settings.partition}:{service}:{self.settings.region}:{self.settings.account}:{rest}"

    def via(self, service: str) -> str:
        """Return how KMS names a service of the stack's Region in kms:ViaService."""
        return f"{service}.{self.settings.region}.{self.settings.domain}"

    def bucket(self, name: str) -> str:
        """Return a bucket's ARN."""
        return f"arn:{self.settings.partition}:s3:::{name}"

    def images(self, channel: Channel) -> str:
        """Return every image of a channel."""
        return f"{self.bucket(channel.bucket)}/{channel.prefix}*"


def size(policy: Document) -> int:
    """Return a document's size as IAM counts it: without white space."""
    return len("".join(json.dumps(policy).split()))


def document(statements: Iterable[Statement]) -> Document:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(sid: str, actions: Sequence[str], resources: Sequence[str], **conditions: Mapping[str, object]) -> Statement:
    """Return an Allow of an identity policy."""
    said: dict[str, object] = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**said, "Condition": conditions} if conditions else said


def service_trust(settings: Settings, service: str, *, conditions: bool) -> Document:
    """Return the trust of one AWS service, with the confused-deputy conditions where the service is known to send them.

    AWS documents aws:SourceAccount and aws:SourceArn for AWS IoT, not for AWS IoT Wireless.
    """
    name = service.split(".")[0]
    said: dict[str, object] = {
        "Sid": "ServiceAssumes",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if conditions:
        here = f"arn:{settings.partition}:{name}:{settings.region}:{settings.account}:*"
        said["Condition"] = {
            "StringEquals": {"aws:SourceAccount": settings.account},
            "ArnLike": {"aws:SourceArn": here},
        }
    return document([said])


def own_service_trust(settings: Settings, service: str) -> Document:
    """Return the trust of a service that acts for this account."""
    condition = {"StringEquals": {"aws:SourceAccount": settings.account}}
    said = {"Sid": "ServiceAssumes", "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return document([{**said, "Condition": condition}])


def people_trust(names: Names, provider: str, github_subjects: Sequence[str], *, container: bool) -> Document:
    """Return the trust of the declared principals, a repository's workflows and, if asked, the stack's container."""
    statements: list[Statement] = []
    settings = names.settings
    if settings.principals:
        statements.append(
            {
                "Sid": "PrincipalsAssume",
                "Effect": "Allow",
                "Principal": {"AWS": list(settings.principals)},
                "Action": "sts:AssumeRole",
            }
        )
    if provider:
        statements.append(
            {
                "Sid": "GithubAssumes",
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{GITHUB_ISSUER}:aud": f"sts.{settings.domain}",
                        f"{GITHUB_ISSUER}:sub": list(github_subjects),
                    }
                },
            }
        )
    if container:
        statements.append(
            {
                "Sid": "ContainerAssumes",
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": settings.account}},
            }
        )
    return document(statements)


def apply_subject(github: Github) -> str:
    """Return the subject of a workflow that may change things: a protected environment if named, else the branch."""
    if github.environment:
        return f"repo:{github.repository}:environment:{github.environment}"
    return f"repo:{github.repository}:ref:refs/heads/{github.branch}"


def plan_subjects(github: Github) -> tuple[str, ...]:
    """Return the subjects of workflows that may read: pull requests, and whoever may change things."""
    return (f"repo:{github.repository}:pull_request", apply_subject(github))


def firmware_read(names: Names, channel: Channel) -> Document:
    """Return what AWS IoT Wireless does with a FirmwareUpdateRole: read an image, its version named or not."""
    return document([allow("ReadImages", ["s3:GetObject", "s3:GetObjectVersion"], [names.images(channel)])])


def bucket_policy(names: Names, channel: Channel) -> Document:
    """TLS only; an image has its digest as key and is never overwritten.

    Source: Amazon S3 user guide, "Enforce conditional writes": PutObject must carry If-None-Match; the parts of a
    multipart upload cannot, so only operations that create an object are asked for it.
    """
    arn = names.bucket(channel.bucket)
    return document(
        [
            _tls_only(arn),
            {
                "Sid": "DenyOverwritingImages",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": [f"{arn}/*sha256/*"],
                "Condition": {
                    "Null": {"s3:if-none-match": "true"},
                    "Bool": {"s3:ObjectCreationOperation": "true"},
                },
            },
        ]
    )


def journal_policy(names: Names, bucket: str) -> Document:
    """TLS only for the journal."""
    return document([_tls_only(names.bucket(bucket))])


def _tls_only(arn: str) -> Statement:
    return {
        "Sid": "DenyPlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
