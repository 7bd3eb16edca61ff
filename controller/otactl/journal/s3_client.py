"""Sends the three S3 calls of a journal (GetObject, conditional PutObject, ListObjectsV2), and maps their errors.

1. Every write carries its condition: `If-None-Match: *` creates a new object, `If-Match` replaces the very one we read.
   S3 answers 412 when it does not hold, 404 when the object to replace is deleted, 409 while another write of the same
   key is under way: `RacedError`, and this attempt wrote nothing.
2. The SDK retries nothing itself. We repeat what was throttled, got no answer or 409; a repeated write has the same
   condition, so it acts at most once, but 412 may then mean our own first try: the caller reads back (s3_store.py).
3. Every failure is one line of ours: what, where, what next; a refusal names the IAM action that is missing.
4. An answer without what S3 always gives (an ETag, whether a list goes on) is of something between here and S3, such
   as a portal: never an empty list, and a write that was answered like that may have been carried out.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from otactl.errors import OtactlError, StalledError, TransientError, UsageError

T = TypeVar("T")
FORM = "s3://BUCKET/PREFIX"
ATTEMPTS = 3
_BACKOFF_SECONDS = 0.2
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()=-]+(/[A-Za-z0-9!_.*'()=-]+)*")
_ACTIONS = {"GetObject": "s3:GetObject", "PutObject": "s3:PutObject", "ListObjectsV2": "s3:ListBucket"}
_THROTTLES = frozenset(("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"))


class RacedError(Exception):
    """The condition of a write did not hold: another one came first, or our own write did whose answer was lost."""


class Client(Protocol):
    """What is used of boto3's S3 client."""

    def get_object(self, **given: object) -> dict[str, Any]:
        """Read one object."""
        ...

    def put_object(self, **given: object) -> dict[str, Any]:
        """Write one object."""
        ...

    def list_objects_v2(self, **given: object) -> dict[str, Any]:
        """List a page of keys."""
        ...


class Place(NamedTuple):
    """Where a journal is."""

    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """Return the URL, as messages show it."""
        return f"s3://{self.bucket}/{self.prefix}"


def place_of(url: str) -> Place:
    """Read `s3://BUCKET/PREFIX`; raises `UsageError` for anything else."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.removesuffix("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"a journal on S3 is written {FORM}; this URL names no bucket")
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        raise UsageError(
            f"a journal on S3 is written {FORM}; the prefix of this URL is not one of letters, digits and !_.*'()=- "
            "between single slashes"
        )
    return Place(bucket, prefix)


class Found(NamedTuple):
    """An object's bytes and its ETag; no bytes when it is still the one that was known."""

    data: bytes
    etag: str


class Bucket:
    """One prefix of one bucket, shared by threads; `calls` counts what was sent, every attempt."""

    def __init__(self, place: Place, client: Client | None, sleep: Callable[[float], None] = time.sleep) -> None:
        self.place = place
        self.client = client if client is not None else _client(place)
        self.calls: Counter[str] = Counter()
        self._sleep = sleep

    def read(self, key: str, known: str = "") -> Found | None:
        """Read an object, None when there is none; nothing is carried over when its ETag is still `known`.

        Raises: StalledError or TransientError when S3 refuses or does not answer.
        """
        given = {"IfNoneMatch": known} if known else {}

        def send() -> Found:
            answer = self.client.get_object(Bucket=self.place.bucket, Key=self._full(key), **given)
            etag = _always(answer, "ETag")
            return Found(answer["Body"].read(), str(etag))

        try:
            return self._call("GetObject", key, send)
        except _Answer as answer:
            if answer.status == 304:
                return Found(b"", known)
            if answer.status == 404 and answer.code != "NoSuchBucket":
                return None
            raise self._error("GetObject", key, answer) from answer.cause

    def create(self, key: str, data: bytes) -> str:
        """Write an object that must not exist; gives its ETag. Raises `RacedError` when it does."""
        return self._put(key, data, {"IfNoneMatch": "*"})

    def replace(self, key: str, data: bytes, etag: str) -> str:
        """Write an object that must still have this ETag; gives its new one. Raises `RacedError` when it has not."""
        return self._put(key, data, {"IfMatch": etag})

    def keep(self, key: str, data: bytes) -> None:
        """Write an object under a name no one else can have: if it is there, an attempt without an answer wrote it.

        Raises: TransientError when it could not be written.
        """
        try:
            self.create(key, data)
        except RacedError as error:
            found = self.read(key)
            if found is None or found.data != data:
                text = f"journal {self.place.url}: {key} could not be written; nothing was changed, run again"
                raise TransientError(text, committed=False) from error

    def keys(self, below: str, limit: int = 0) -> tuple[str, ...]:
        """List the keys that start with `below`, in order, all or the first `limit`; relative to the prefix.

        Raises: StalledError or TransientError when S3 refuses or does not answer.
        """
        start = f"{self.place.prefix}/"
        return tuple(str(each["Key"])[len(start) :] for each in self._listed(below, limit))

    def size(self) -> int:
        """Return the bytes of all objects. Raises: StalledError or TransientError as `keys` does."""
        return sum(int(each["Size"]) for each in self._listed("", 0))

    def _listed(self, below: str, limit: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        given: dict[str, object] = {"MaxKeys": limit} if limit else {}
        start = f"{self.place.prefix}/"
        while True:

            def send(given: dict[str, object] = given) -> dict[str, Any]:
                answer = self.client.list_objects_v2(Bucket=self.place.bucket, Prefix=start + below, **given)
                if _always(answer, "IsTruncated"):
                    _always(answer, "NextContinuationToken")
                return answer

            try:
                answer = self._call("ListObjectsV2", below, send)
            except _Answer as refusal:
                raise self._error("ListObjectsV2", below, refusal) from refusal.cause
            found += answer.get("Contents", ())
            if limit or not answer.get("IsTruncated"):
                return found
            given = {"ContinuationToken": answer["NextContinuationToken"]}

    def _put(self, key: str, data: bytes, condition: dict[str, str]) -> str:
        def send() -> str:
            answer = self.client.put_object(
                Bucket=self.place.bucket, Key=self._full(key), Body=data, ContentType="application/gzip", **condition
            )
            return str(_always(answer, "ETag"))

        try:
            return self._call("PutObject", key, send)
        except _Answer as answer:
            gone = answer.status == 404 and answer.code != "NoSuchBucket"
            if gone or answer.status in (409, 412):
                raise RacedError(key) from answer.cause
            raise self._error("PutObject", key, answer) from answer.cause

    def _call(self, operation: str, key: str, send: Callable[[], T]) -> T:
        """Send, again if that may help. Raises `_Answer` for what S3 said, an `OtactlError` for all else."""
        for attempt in range(1, ATTEMPTS + 1):
            self.calls[operation] += 1
            try:
                return send()
            except Exception as error:
                answer = _answer(error)
                throttled = answer is not None and (answer.code in _THROTTLES or answer.status in (429, 503))
                lost = answer.status >= 500 if answer is not None else _is_lost(error)
                busy = answer is not None and answer.status == 409
                if not throttled and not lost and not (busy and attempt < ATTEMPTS):
                    raise answer or _local(self.place, operation, error) from error
                if attempt == ATTEMPTS:
                    raise self._unanswered(operation, key, error, throttled) from error
            self._sleep(_BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        raise AssertionError(operation)

    def _full(self, key: str) -> str:
        return f"{self.place.prefix}/{key}"

    def _unanswered(self, operation: str, key: str, error: Exception, throttled: bool) -> TransientError:
        where = f"journal {self.place.url}: {_ACTIONS[operation]} of {key}"
        if throttled:
            text = f"{where} is throttled after {ATTEMPTS} attempts; nothing was written, run again"
            return TransientError(text, retry_after=60.0, committed=False)
        if operation != "PutObject":
            text = f"{where} got no answer after {ATTEMPTS} attempts ({type(error).__name__}); run again"
            return TransientError(text, committed=False)
        text = f"{where} got no answer after {ATTEMPTS} attempts ({type(error).__name__}); it may be written, run again"
        return TransientError(text)

    def _error(self, operation: str, key: str, answer: _Answer) -> OtactlError:
        """Return in one line what S3 refused and what to do next (rule 3)."""
        from otactl.aws_sdk import credential_errors

        url, bucket = self.place.url, self.place.bucket
        if answer.code == "NoSuchBucket":
            return UsageError(f"journal {url}: there is no bucket {bucket}; create it, or name another with --journal")
        if credential_errors.is_skewed(answer.code, answer.words):
            return StalledError(credential_errors.WHEN, f"journal {url}: {credential_errors.clock(None)}")
        who = credential_errors.of_code(answer.code)
        if who:
            return StalledError(credential_errors.WHO, f"journal {url}: {who}")
        if answer.status == 403:
            return StalledError(
                "PermissionDenied",
                f"journal {url}: {_ACTIONS[operation]} of {key or 'the prefix'} was refused; {self._grant(operation)}",
            )
        text = f"journal {url}: {_ACTIONS[operation]} of {key} was refused ({answer.code} {answer.words})"
        return StalledError("RequestRefused", f"{text}; check the bucket, its Region and its policy")

    def _grant(self, operation: str) -> str:
        objects, bucket = f"{self.place.bucket}/{self.place.prefix}/*", self.place.bucket
        if operation == "GetObject":  # without ListBucket, S3 answers 403 for an object that is not there
            return f"grant s3:GetObject on {objects} and s3:ListBucket on {bucket} to the caller"
        where = bucket if operation == "ListObjectsV2" else objects
        return f"grant {_ACTIONS[operation]} on {where} to the caller"


class _UnreadableError(Exception):
    """An answer of something else than S3; its words quote nothing of it."""


def _always(answer: dict[str, Any], member: str) -> object:
    """Return a member that every answer of S3 has (rule 4); raises `_UnreadableError`."""
    if answer.get(member) is None:
        raise _UnreadableError(f"it has no {member}")
    return answer[member]


class _Answer(Exception):  # noqa: N818 - an answer that is not yet an error of ours
    """What S3 answered instead of doing it."""

    def __init__(self, status: int, code: str, words: str, cause: Exception) -> None:
        super().__init__(code)
        self.status, self.code, self.words, self.cause = status, code, words, cause


def _answer(error: Exception) -> _Answer | None:
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return None
    body = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _Answer(int(status), str(body.get("Code", "")), " ".join(str(body.get("Message", "")).split()), error)


def _is_lost(error: Exception) -> bool:
    from botocore.exceptions import ConnectionError as WireError
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    return isinstance(error, WireError | HTTPClientError | IncompleteReadError) and not _is_distrusted(error)


def _is_distrusted(error: Exception) -> bool:
    from botocore.exceptions import SSLError

    return isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


def _client(place: Place) -> Client:
    try:
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=16,
            s3={"addressing_style": "path"},
        )
        client: Client = boto3.session.Session().client("s3", config=config)
    except Exception as error:
        raise _local(place, "client", error) from error
    return client


def _local(place: Place, operation: str, error: Exception) -> OtactlError:
    """Return what is wrong on this side.

    A wire error's own text may carry a signed URL, so only its kind is reported.
    """
    from botocore.parsers import ResponseParserError

    from otactl.aws_sdk import credential_errors

    if isinstance(error, OtactlError):
        return error
    where = f"journal {place.url}"
    if isinstance(error, _UnreadableError | ResponseParserError):
        why = str(error) if isinstance(error, _UnreadableError) else "it is no XML of S3"
        text = f"{where}: the answer to {operation} cannot be read: {why}; check what is between here and S3 (a proxy)"
        if operation == "PutObject":
            return TransientError(f"{text}; it may be written, run again")
        return StalledError("AnswerInvalid", text)
    if _is_distrusted(error):
        text = f"{where}: the certificate is not trusted here; give the authority's certificate in AWS_CA_BUNDLE"
        return StalledError("EndpointInvalid", text)
    who = credential_errors.of_sdk(error)
    if who:
        return StalledError(credential_errors.WHO, f"{where}: {who}")
    text = f"{where}: S3 {operation} failed here ({type(error).__name__}); check the AWS settings of this machine"
    return StalledError("RequestFailed", text)
