"""Reads the facts of image and role once a pass for each distinct one; preflight judges them.

1. A read that is refused is a fact too (`unreadable`, naming the permission), not an exception.
2. Only a whole-object SHA-256 that S3 itself computed proves bytes; a composite one of a multi-part upload does not.
3. Fingerprints change when anything behind them changes: version, ETag and checksum; every policy document of a role.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import TypeVar, cast
from urllib.parse import unquote

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.aws.errors import unreadable
from otactl.backends.aws.iam_policy import Answer, Decision, may_do, may_read, trusts
from otactl.errors import StalledError
from otactl.model import ImageFacts, JsonObject, RoleFacts, Value, canonical_digest

T = TypeVar("T")
DELETED = "is deleted"
_REGION = re.compile(r"[A-Za-z0-9-]{1,32}")
_EXPIRES = re.compile(r'expiry-date="([^"]*)", rule-id="([^"]*)"')


class PassCache:
    """Remembers facts for one pass; one fetch for each key, however many ask at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._locks: dict[tuple[str, ...], Lock] = {}
        self._facts: dict[tuple[str, ...], object] = {}

    def get(self, key: tuple[str, ...], fetch: Callable[[], T]) -> T:
        """Return the fact of a key, fetched the first time."""
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._facts:
                self._facts[key] = fetch()
            return cast("T", self._facts[key])


class ImageAndRoleReader:
    """Reads facts for one pass: one set of checks for each distinct image, bucket and role."""

    def __init__(self, transport: AwsClient) -> None:
        self._transport = transport
        self._cache = PassCache()

    def once(self, key: tuple[str, ...], fetch: Callable[[], T]) -> T:
        """Return any other fact that is worth reading once a pass."""
        return self._cache.get(key, fetch)

    def image(self, uri: str) -> ImageFacts:
        """Return the image at an `s3://bucket/key` URI."""
        return self._cache.get(("image", uri), lambda: self._image(uri))

    def role(self, arn: str, service: str, image_uri: str, needs: tuple[tuple[str, str], ...] = ()) -> RoleFacts:
        """Return the role, whether it trusts the service and may read the image, and which of `needs` it surely lacks.

        `needs` are pairs of IAM action and resource; one of s3:GetObjectVersion is asked of the bucket's policy too.
        """
        bucket, key = split_uri(image_uri)
        name = arn.rsplit("/", 1)[-1]
        try:
            role = self._cache.get(("role", name), lambda: _role(self._transport, name))
            bucket_policy = self._cache.get(("policy", bucket), lambda: _bucket_policy(self._transport, bucket))
        except NotFoundError:
            return RoleFacts(exists=False)
        except StalledError as error:
            return RoleFacts(exists=True, unreadable=str(error))
        if role.arn != arn:
            return RoleFacts(exists=False)
        trusting = trusts(role.trust, service)
        partition = arn.split(":")[1]
        bucket_arn = f"arn:{partition}:s3:::{bucket}"
        reading = may_read(role.policies, bucket_policy, bucket_arn, key, arn, boundary=role.boundary)
        lacks = tuple(
            f"{action} on {resource}"
            for action, resource in needs
            if _answer(role, bucket_policy, bucket_arn, key, arn, action, resource).verdict is Decision.NO
        )
        return RoleFacts(
            exists=True,
            missing_actions=lacks,
            trusts=trusting.verdict.value,
            reads=reading.verdict.value,
            why="; ".join(a.why for a in (trusting, reading) if a.verdict.value != "yes"),
            fingerprint=canonical_digest([role.trust, role.policies, bucket_policy, role.boundary]),
            warning=self._cache.get(("simulate", arn, bucket_arn, key), lambda: self._simulated(arn, bucket_arn, key)),
        )

    def _simulated(self, arn: str, bucket_arn: str, key: str) -> str:
        """Return what IAM's simulation says against the role reading the image; empty when nothing."""
        resource = f"{bucket_arn}/{key}"
        asked: JsonObject = {"PolicySourceArn": arn, "ActionNames": ["s3:GetObject"], "ResourceArns": [resource]}
        try:
            answer = self._transport.call("iam", "SimulatePrincipalPolicy", asked, repeatable=True)
        except (NotFoundError, StalledError) as error:
            return f"IAM did not simulate the role: {error}"
        results = answer.get("EvaluationResults")
        said = {str(_object(r).get("EvalDecision")) for r in results} if isinstance(results, list) else set()
        if said <= {"allowed"}:
            return ""
        return f"IAM's simulation says {', '.join(sorted(said))} for s3:GetObject on {resource}"

    def _image(self, uri: str) -> ImageFacts:
        bucket, key = split_uri(uri)
        asked: JsonObject = {"Bucket": bucket, "Key": key, "ChecksumMode": "ENABLED"}
        try:
            head = self._transport.call("s3", "HeadObject", asked, repeatable=True)
            sha256 = whole_sha256(head.get("ChecksumSHA256"))
            versioning, region = self._cache.get(("bucket", bucket), lambda: _bucket(self._transport, bucket))
            if versioning and not head.get("VersionId"):
                raise unreadable("s3", "HeadObject", "VersionId is missing, and the bucket has versioning on")
        except NotFoundError:
            return ImageFacts(exists=False)
        except StalledError as error:
            return ImageFacts(exists=True, unreadable=str(error))
        size, checksum = head.get("ContentLength"), head.get("ChecksumSHA256")
        expires_at, expires_by = expiration(head.get("Expiration"))
        return ImageFacts(
            exists=True,
            size_bytes=size if isinstance(size, int) else None,
            sha256=sha256,
            region=region,
            versioning=versioning,
            fingerprint=f"version={head.get('VersionId')};etag={head.get('ETag')};sha256={checksum}",
            version="" if head.get("VersionId") in (None, "null") else str(head["VersionId"]),
            expires_at=expires_at,
            expires_by=expires_by,
        )

    def version_missing(self, bucket: str, key: str, version: str) -> str:
        """Return what is wrong with a version of an object: empty, that it is deleted, or why it cannot be read."""
        return self._cache.get(("version", bucket, key, version), lambda: self._version(bucket, key, version))

    def _version(self, bucket: str, key: str, version: str) -> str:
        asked: JsonObject = {"Bucket": bucket, "Key": key, "VersionId": version}
        try:
            self._transport.call("s3", "HeadObject", asked, repeatable=True, permission="s3:GetObjectVersion")
        except NotFoundError:
            return DELETED
        except StalledError as error:
            if error.reason == "AnswerInvalid":  # it tells nothing of the version
                raise
            return f"cannot be read: {error}"
        return ""


def expiration(header: object) -> tuple[datetime | None, str]:
    """Read what S3 says of a lifecycle rule that expires an object: when, and the rule's id; (None, "") for nothing."""
    found = _EXPIRES.fullmatch(header) if isinstance(header, str) else None
    if found is None:
        return None, ""
    try:
        moment = parsedate_to_datetime(found[1])
    except ValueError:
        return None, ""
    return moment, unquote(found[2])


class _Role(Value, frozen=True, kw_only=True):
    """A role's documents."""

    arn: str
    trust: JsonObject
    policies: list[JsonObject]
    boundary: JsonObject | None


def _answer(
    role: _Role, bucket_policy: JsonObject | None, bucket_arn: str, key: str, arn: str, action: str, resource: str
) -> Answer:
    if action == "s3:GetObjectVersion":
        return may_read(
            role.policies, bucket_policy, bucket_arn, key, arn, boundary=role.boundary, action="s3:GetObjectVersion"
        )
    return may_do(role.policies, action, resource, arn, boundary=role.boundary)


def _bucket(transport: AwsClient, bucket: str) -> tuple[bool, str]:
    """Return whether versioning is on, and the bucket's Region."""
    status = transport.call("s3", "GetBucketVersioning", {"Bucket": bucket}, repeatable=True).get("Status")
    where = transport.call("s3", "GetBucketLocation", {"Bucket": bucket}, repeatable=True)
    return status == "Enabled", _region(where.get("LocationConstraint"))


def _role(transport: AwsClient, name: str) -> _Role:
    role = _object(transport.call("iam", "GetRole", {"RoleName": name}, repeatable=True).get("Role"))
    return _Role(
        arn=str(role.get("Arn")),
        trust=_document(role.get("AssumeRolePolicyDocument"), "iam", "GetRole", "Role.AssumeRolePolicyDocument"),
        policies=_policies(transport, name),
        boundary=_boundary(transport, role),
    )


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI, literally: what is checked must be what the task sends."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def whole_sha256(checksum: object) -> str | None:
    """Return the SHA-256 of a whole object from what S3 shows; None without one (rule 2).

    Raises: StalledError `AnswerInvalid` for what is no digest.
    """
    if not isinstance(checksum, str) or "-" in checksum:
        return None
    try:
        digest = base64.b64decode(checksum, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise unreadable("s3", "HeadObject", "ChecksumSHA256 is no SHA-256")
    return digest.hex()


def _region(constraint: object) -> str:
    if constraint == "EU":
        return "eu-west-1"  # S3 API reference, GetBucketLocation: the old name
    if constraint and _REGION.fullmatch(str(constraint)) is None:
        raise unreadable("s3", "GetBucketLocation", "LocationConstraint is no Region")
    return str(constraint) if constraint else "us-east-1"


def _policies(transport: AwsClient, name: str) -> list[JsonObject]:
    found: list[JsonObject] = []
    inline = transport.call("iam", "ListRolePolicies", {"RoleName": name}, repeatable=True).get("PolicyNames")
    for policy in inline if isinstance(inline, list) else []:
        answer = transport.call("iam", "GetRolePolicy", {"RoleName": name, "PolicyName": policy}, repeatable=True)
        found.append(_document(answer.get("PolicyDocument"), "iam", "GetRolePolicy", "PolicyDocument"))
    listed = transport.call("iam", "ListAttachedRolePolicies", {"RoleName": name}, repeatable=True)
    attached = listed.get("AttachedPolicies")
    arns = [str(_object(policy).get("PolicyArn")) for policy in attached] if isinstance(attached, list) else []
    return found + [_managed(transport, arn) for arn in arns]


def _managed(transport: AwsClient, arn: str) -> JsonObject:
    policy = _object(transport.call("iam", "GetPolicy", {"PolicyArn": arn}, repeatable=True).get("Policy"))
    asked: JsonObject = {"PolicyArn": arn, "VersionId": policy.get("DefaultVersionId")}
    version = _object(transport.call("iam", "GetPolicyVersion", asked, repeatable=True).get("PolicyVersion"))
    return _document(version.get("Document"), "iam", "GetPolicyVersion", "PolicyVersion.Document")


def _boundary(transport: AwsClient, role: JsonObject) -> JsonObject | None:
    arn = _object(role.get("PermissionsBoundary")).get("PermissionsBoundaryArn")
    return _managed(transport, str(arn)) if arn else None


def _bucket_policy(transport: AwsClient, bucket: str) -> JsonObject | None:
    try:
        answer = transport.call("s3", "GetBucketPolicy", {"Bucket": bucket}, repeatable=True)
    except NotFoundError:
        return None
    return _document(answer.get("Policy"), "s3", "GetBucketPolicy", "Policy")


def _document(value: object, service: str, operation: str, member: str) -> JsonObject:
    """Return a policy as an object: what is none would be a policy that denies nothing."""
    try:
        document = json.loads(unquote(value) if value.startswith("%") else value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise unreadable(service, operation, f"{member} is no JSON object")
    return _object(document)


def _object(value: object) -> JsonObject:
    return {str(k): v for k, v in value.items()} if isinstance(value, dict) else {}
