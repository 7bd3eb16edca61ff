"""Creates presigned URLs of S3 as a service does for devices, and identifies who uses one.

1. The service signs with a session of a role; such a URL reads one object with that role's rights, until it expires
   (Amazon S3 user guide, "Download and upload objects with presigned URLs").
2. Signature, expiry and the role's rights are checked for these URLs only: what others sign is moto's affair.
3. The host is the one the device's call came to, path style: there is no other address here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from html import escape
from urllib.parse import parse_qs, quote, unquote

from moto.iam.models import Role
from moto.sts.models import AssumedRole, sts_backends

from otactl_simulator.iam.moto_roles import MotoIamError, role_of
from otactl_simulator.iam.policy import Decision, UnsupportedPolicyError
from otactl_simulator.iam.role_session import RoleSession, find_bucket
from otactl_simulator.wire.serialise import Response

SESSION = "AWSIoTJobsPresign"
_ALGORITHM = "AWS4-HMAC-SHA256"


def session_of(role: Role, region: str) -> AssumedRole:
    """Return a session of a role to sign with, made when there is none."""
    backend = sts_backends[role.account_id][role.partition]
    for known in backend.assumed_roles:
        if (known.session_name, known.role_arn) == (SESSION, role.arn):
            return known
    return backend.assume_role(region, SESSION, role.arn, "", 3600, "")


def presign(session: AssumedRole, region: str, host: str, path: str, version: str, now: datetime, seconds: int) -> str:
    """Return the URL of an object, path style, for a GET by whoever holds it."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    query = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{session.access_key_id}/{stamp[:8]}/{region}/s3/aws4_request",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-Security-Token": session.session_token,
        "X-Amz-SignedHeaders": "host",
        **({"versionId": version} if version else {}),
    }
    encoded = quote(path, safe="/~")
    signature = _signature(str(session.secret_access_key), host, encoded, query)
    return f"http://{host}{encoded}?{_canonical(query)}&X-Amz-Signature={signature}"


def refused(
    method: str, raw_path: str, query: str, headers: Mapping[str, str], key: str, now: datetime
) -> Response | None:
    """Return why a request with one of these URLs is not served; None when it is, or when the URL is none of them."""
    given = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    session = _known(key) if "X-Amz-Signature" in given else None
    if session is None:
        return None
    signature = given.pop("X-Amz-Signature")
    region = given.get("X-Amz-Credential", "////").split("/")[2]
    secret = str(session.secret_access_key)
    if method != "GET" or not hmac.compare_digest(
        signature, _signature(secret, headers.get("host", ""), raw_path, given)
    ):
        text = (
            "The request signature we calculated does not match the signature you provided. Check your key and method"
        )
        return _error("SignatureDoesNotMatch", text)
    made = datetime.strptime(given["X-Amz-Date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    if now > made + timedelta(seconds=int(given["X-Amz-Expires"])):
        return _error("AccessDenied", "Request has expired")
    try:
        allowed = _may_read(session, region, unquote(raw_path), versioned="versionId" in given)
    except (MotoIamError, UnsupportedPolicyError) as error:
        return _error("AccessDenied", str(error))
    return None if allowed else _error("AccessDenied", "Access Denied")


def _known(key: str) -> AssumedRole | None:
    for partitions in list(sts_backends.values()):
        for backend in list(partitions.values()):
            for session in backend.assumed_roles:
                if session.access_key_id == key and session.session_name == SESSION:
                    return session
    return None


def _may_read(session: AssumedRole, region: str, path: str, *, versioned: bool) -> bool:
    name, _, key = path.strip("/").partition("/")
    action = "s3:GetObjectVersion" if versioned else "s3:GetObject"
    role = RoleSession(role_of(session.role_arn), region, SESSION)
    return role.decide(action, f"arn:aws:s3:::{name}/{key}", find_bucket(name)) is Decision.ALLOWED


def _canonical(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query.items()))


def _signature(secret: str, host: str, path: str, query: Mapping[str, str]) -> str:
    """Return AWS Signature Version 4 of a GET that signs nothing but the host."""
    stamp = query.get("X-Amz-Date", "")
    scope = query.get("X-Amz-Credential", "").partition("/")[2]
    request = f"GET\n{path}\n{_canonical(query)}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _error(code: str, message: str) -> Response:
    text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return 403, {"content-type": "application/xml"}, text.encode()
