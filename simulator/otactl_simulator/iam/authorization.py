"""Authorizes every request when the switch `enforceCallers` is on, and answers what moto's IAM does not.

Refusals have each service's own shape: AccessDeniedException in JSON, AccessDenied in XML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from urllib.parse import parse_qs, unquote

from otactl_simulator.aws_backed import account_of, has_object
from otactl_simulator.iam import required_permissions
from otactl_simulator.iam.moto_roles import MotoIamError
from otactl_simulator.iam.patterns import UnsupportedPolicyError
from otactl_simulator.iam.policy_simulation import (
    hides_missing,
    may_not_assume,
    refusal,
    simulated,
    token_may_not_assume,
)
from otactl_simulator.service import ModelledError
from otactl_simulator.wire.serialise import Response

_FREE = ("GetCallerIdentity",)


def modelled(key: str, account: str, region: str, needs_of: Callable[[], Sequence[required_permissions.Need]]) -> None:
    """Refuse a call of a simulated service that its caller may not make: raises ModelledError."""
    try:
        why = refusal(key, account, region, needs_of())
    except UnsupportedPolicyError as error:
        why = f"the simulator cannot judge this policy: {error}"
    if why:
        raise ModelledError("AccessDeniedException", why)


def passed_on(
    service: str, operation: str, path: str, query: str, headers: Mapping[str, str], body: bytes, key: str, region: str
) -> Response | None:
    """Return the refusal of a call of S3, IAM or STS that its caller may not make; None when it may."""
    account = account_of(key)
    try:
        why = _why(service, operation, unquote(path), query, headers, body, key, account, region)
    except UnsupportedPolicyError as error:
        why = f"the simulator cannot judge this policy: {error}"
    if not why:
        return None
    if operation == "HeadObject":
        return 403, {}, b""
    said = f"<Code>AccessDenied</Code><Message>{escape(why)}</Message>"
    text = f"<Error>{said}</Error>"
    if service != "s3":
        text = f"<ErrorResponse><Error><Type>Sender</Type>{said}</Error></ErrorResponse>"
    return 403, {"content-type": "text/xml"}, text.encode()


def _why(
    service: str,
    operation: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    key: str,
    account: str,
    region: str,
) -> str:
    given = parse_qs(body.decode("latin-1"), keep_blank_values=True) if service != "s3" else {}
    if service == "sts":
        if operation == "AssumeRole":
            return may_not_assume(key, account, given.get("RoleArn", [""])[0])
        if operation == "AssumeRoleWithWebIdentity":
            return token_may_not_assume(given.get("WebIdentityToken", [""])[0], given.get("RoleArn", [""])[0])
        return (
            ""
            if operation in _FREE
            else refusal(key, account, region, [required_permissions.Need(f"sts:{operation}", "*")])
        )
    if service == "iam":
        return refusal(key, account, region, required_permissions.iam(operation, given, account))
    asked = parse_qs(query, keep_blank_values=True)
    why = refusal(key, account, region, required_permissions.s3(operation, path, asked, headers))
    bucket, _, name = path.strip("/").partition("/")
    if not why and operation in ("HeadObject", "GetObject") and not has_object(bucket, name):
        return "Access Denied" if hides_missing(key, account, region, bucket) else ""
    return why


def answered(service: str, operation: str, body: bytes) -> Response | None:
    """Return what moto's IAM does not answer: SimulatePrincipalPolicy."""
    if (service, operation) != ("iam", "SimulatePrincipalPolicy"):
        return None
    try:
        text = simulated(parse_qs(body.decode("latin-1"), keep_blank_values=True))
    except (MotoIamError, KeyError) as error:
        said = f"<Type>Sender</Type><Code>NoSuchEntity</Code><Message>{escape(str(error))}</Message>"
        return 404, {"content-type": "text/xml"}, f"<ErrorResponse><Error>{said}</Error></ErrorResponse>".encode()
    return 200, {"content-type": "text/xml"}, text.encode()
