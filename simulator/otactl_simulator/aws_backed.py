"""Runs moto for S3, IAM and STS in this process: its apps, its accounts, its reset.

1. A request is answered in one go, in the thread of the simulator's loop. S3's conditional writes hold for that reason:
   moto 5.2.5 checks `If-Match` and stores in two steps, and between them two of eight writers both read that
   they had created one key. It is quicker, too: 3 ms a call where handing it to a thread and back took 6.
2. Each service has an app of its own. moto's dispatcher by host looks through its 180 modules for each request.
"""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from a2wsgi.wsgi import build_environ
from moto.iam.access_control import PermissionResult
from moto.iam.models import get_account_id_from, iam_backends
from moto.moto_server.werkzeug_app import BackendRequest, create_backend_app
from moto.s3.models import FakeBucket, FakeKey, FakeMultipart, s3_backends
from moto.sts.models import sts_backends
from werkzeug.test import run_wsgi_app

from otactl_simulator.asgi import Scope
from otactl_simulator.wire.serialise import Response

if TYPE_CHECKING:
    from moto.backends import SERVICE_NAMES

_ALLOWED = ("s3", "iam", "sts")
_S3_SUBRESOURCES = {
    "versioning": "BucketVersioning",
    "location": "BucketLocation",
    "policy": "BucketPolicy",
    "encryption": "BucketEncryption",
    "publicAccessBlock": "PublicAccessBlock",
    "lifecycle": "BucketLifecycleConfiguration",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "POST": "Post", "HEAD": "Head"}


def _unjudged(self: FakeBucket, action: str, resource: str) -> Any:  # noqa: ARG001 - moto's signature
    return PermissionResult.NEUTRAL


# moto takes every condition but StringEquals for met, so a TLS-only bucket would answer 403 to everyone. Bucket
# policies are judged by `guard`, with the real evaluator, when callers are judged at all.
setattr(FakeBucket, "get_permission", _unjudged)  # noqa: B010 - a method of another's class


_reading = threading.local()


def _versioned(self: FakeBucket) -> bool:
    return self.versioning_status == "Enabled" or (
        self.versioning_status == "Suspended" and getattr(_reading, "version", False)
    )


# moto refuses (400) to show a version once versioning is suspended; S3 keeps every version it has, and shows it.
setattr(FakeBucket, "is_versioned", property(_versioned))  # noqa: B010 - a property of another's class


class _WholeBody(BackendRequest):
    """Leaves the body of a PUT as it is: Python's and curl's clients call the bytes of an upload a form."""

    @property
    def want_form_data_parsed(self) -> bool:
        """Return whether the body is read as a form."""
        return self.method != "PUT" and super().want_form_data_parsed


@functools.cache
def _app(service: str) -> Any:
    app = create_backend_app(cast("SERVICE_NAMES", service))
    if service == "s3":
        app.request_class = _WholeBody
    return app


def moto_answer(service: str, scope: Scope, body: bytes) -> Response:
    """Return moto's answer to a request: status, headers, body; 501 for a service it does not provide here."""
    if service not in _ALLOWED or scope["path"].startswith("/moto-api"):
        text = b"the simulator serves s3, iam and sts by moto, and no other service"
        return 501, {"content-type": "text/plain"}, text
    _reading.version = scope["method"] == "HEAD" and b"versionId=" in scope["query_string"]
    environ = {**build_environ(scope, io.BytesIO(body)), "CONTENT_LENGTH": str(len(body))}
    parts, status, headers = run_wsgi_app(_app(service), environ, buffered=True)
    return int(status.split()[0]), {name.lower(): value for name, value in headers}, b"".join(parts)


def account_of(access_key: str) -> str:
    """Return the account an access key is of: a role's session, a user's key, else moto's default account."""
    for account, backends in list(sts_backends.items()):
        for backend in list(backends.values()):
            if any(role.access_key_id == access_key for role in backend.assumed_roles):
                return str(account)
    return str(get_account_id_from(access_key))


def has_object(bucket: str, key: str) -> bool:
    """Return whether S3 holds an object under a key."""
    owner = s3_backends.bucket_accounts.get(bucket)
    return owner is not None and key in s3_backends[owner[1]][owner[0]].get_bucket(bucket).keys


def reset_moto() -> None:
    """Forget every bucket, role and session."""
    for backend in (*_backends(s3_backends), *_backends(iam_backends), *_backends(sts_backends)):
        backend.reset()


@contextmanager
def set_aside() -> Iterator[None]:
    """Yield an empty moto for the block, then restore what was there: another simulator of this process may hold it.

    moto's reset closes every object it ever made, so the list it does that by is set aside too.
    """
    kept: list[tuple[Any, Any]] = [(every, dict(every)) for every in (s3_backends, iam_backends, sts_backends)]
    kept.append((s3_backends.bucket_accounts, dict(s3_backends.bucket_accounts)))
    tracked: list[tuple[Any, list[Any]]] = [
        (kind, vars(kind)["instances_tracked"]) for kind in (FakeKey, FakeMultipart)
    ]
    _put(kept, [(kind, []) for kind, _ in tracked], empty=True)
    try:
        yield
    finally:
        reset_moto()
        _put(kept, tracked)


def _put(kept: list[tuple[Any, Any]], tracked: list[tuple[Any, list[Any]]], *, empty: bool = False) -> None:
    for place, before in kept:
        place.clear()
        place.update({} if empty else before)
    for kind, objects in tracked:
        kind.instances_tracked = objects


def _backends(accounts: Any) -> list[Any]:
    """Return every regional backend of every account: moto's own nested maps."""
    return [regional for account in list(accounts.values()) for regional in list(account.values())]


def operation_of(service: str, method: str, path: str, query: str, body: bytes) -> str:
    """Return the operation's name, for the log and faults: a query service's Action, else from S3's request shape."""
    if service != "s3":
        asked = parse_qs(body.decode("latin-1")) or parse_qs(query)
        return asked.get("Action", ["?"])[0]
    given = parse_qs(query, keep_blank_values=True)
    verb = _VERBS.get(method, method)
    for name, noun in _S3_SUBRESOURCES.items():
        if name in given:
            return f"{verb}{noun}"
    parts = path.strip("/").split("/", 1)
    if len(parts) == 2 and parts[1]:
        return f"{verb}Object"
    if not parts[0]:
        return "ListBuckets"
    return {"GET": "ListObjectsV2", "PUT": "CreateBucket"}.get(method, f"{verb}Bucket")
