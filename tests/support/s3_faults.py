"""What the tests of a journal on S3 share: boto3's own client with a hand on it, moments to meddle, what to look at.

`Wire` lets a test die, lose an answer or let others in before and after any call; everything goes over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from otactl.journal import S3Journal, open_journal
from otactl.journal.s3_format import MAX_TAIL
from otactl.ports import Commit, Journal
from tests.support.journal_contract import ENVIRONMENT, NOW, change, record

# A fresh process that commits two records whose events move out: head, segment, events, segment, head.
CALLS = ["get", "get", "put events", "put segments", "put heads"]
LONG = [str(n) for n in range(MAX_TAIL + 1)]


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


class Wire:
    """boto3's own client; `before` and `after` get the number of each call, counted from 1, and what it is."""

    def __init__(
        self,
        before: Callable[[int, str], None] = lambda _number, _operation: None,
        after: Callable[[int, str], None] = lambda _number, _operation: None,
    ) -> None:
        self.client = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
        self.before, self.after = before, after
        self.seen: list[str] = []

    def forget(self) -> None:
        """Count from 1 again."""
        self.seen.clear()

    def get_object(self, **given: object) -> dict[str, Any]:
        return self._call("get", self.client.get_object, given)

    def put_object(self, **given: object) -> dict[str, Any]:
        kind = str(given["Key"]).removesuffix(".json.gz").split("/")
        return self._call(
            f"put {next(k for k in kind if k in ('heads', 'segments', 'events', 'journal'))}",
            self.client.put_object,
            given,
        )

    def list_objects_v2(self, **given: object) -> dict[str, Any]:
        return self._call("list", self.client.list_objects_v2, given)

    def _call(self, operation: str, method: Callable[..., dict[str, Any]], given: dict[str, object]) -> dict[str, Any]:
        self.seen.append(operation)
        number = len(self.seen)
        self.before(number, operation)
        try:
            return method(**given)
        finally:
            self.after(number, operation)  # after a refusal too


def quick(place: str, **changes: Any) -> S3Journal:
    return S3Journal(place, **{"sleep": lambda _seconds: None, **changes})


def opened(place: str, wire: Wire) -> S3Journal:
    """A journal as a fresh process opens it; calls are counted and meddled with from now on."""
    meddling, quiet = (wire.before, wire.after), Wire()
    wire.before, wire.after = quiet.before, quiet.after
    journal = S3Journal(place, client=wire, sleep=lambda _seconds: None)
    wire.forget()
    wire.before, wire.after = meddling
    return journal


def both(version: str, expected: int = 1) -> tuple[Commit, ...]:
    return change(expected, "next", name="a", version=version), change(expected, "next", name="b", version=version)


def moment(journal: Journal) -> tuple[set[tuple[int, str]], set[int]]:
    """Revisions and versions of both records, and how many events each has beyond what it began with."""
    found = {(s.revision, s.record.version) for s in journal.load_all(ENVIRONMENT).values()}
    began = {"a": MAX_TAIL, "b": 1}
    return found, {len(journal.history(ENVIRONMENT, name)) - count for name, count in began.items()}


def at(number: int, act: Callable[[], object]) -> Callable[[int, str], None]:
    """Do something once, at the call of this number."""

    def reported(count: int, _operation: str) -> None:
        if count == number:
            act()

    return reported


def at_head(act: Callable[[], object]) -> Callable[[int, str], None]:
    """Do something once, at the first write of a head."""
    done: list[str] = []

    def reported(_count: int, operation: str) -> None:
        if operation == "put heads" and not done:
            done.append(operation)
            act()

    return reported


def busy(times: int) -> Callable[[int, str], None]:
    """S3's answer while another write of the same key is under way."""
    left = list(range(times))
    reported = {"Error": {"Code": "ConditionalRequestConflict"}, "ResponseMetadata": {"HTTPStatusCode": 409}}

    def answer(_count: int, operation: str) -> None:
        if operation.startswith("put") and left:
            left.pop()
            raise ClientError(reported, "PutObject")

    return answer


def kill() -> None:
    raise Killed


def lose() -> None:
    raise ConnectionClosedError(endpoint_url="http://127.0.0.1")


def filled(url: str) -> str:
    """A journal with something of everything: merged segments, a long history, leases, a second environment."""
    elsewhere = msgspec.structs.replace(record("a", "us"), environment="prod-us")
    with open_journal(url) as journal:
        lease = journal.acquire(ENVIRONMENT, "cron", NOW)
        journal.commit((change(0, *LONG, name="a"), change(0, "1", name="b"), change(0, name="c")), lease.fencing)
        journal.commit((change(1, "2", name="b", version="2.4.1"),), lease.fencing)
        journal.commit((change(0, name="d"), change(0, name="e"), change(0, name="f")), lease.fencing)
        journal.commit((Commit(record=elsewhere, expected_revision=0, events=change(0, "us").events),), 0)
        journal.acquire("only-a-lease", "cron", NOW)
    return url


def everything(journal: Journal) -> object:
    """What a journal tells through its port."""
    environments = (*journal.environments(), "only-a-lease", "unknown")
    records = {e: journal.load_all(e) for e in environments}
    histories = {(e, n): journal.history(e, n) for e, found in records.items() for n in (*found, "unknown")}
    return records, histories, {e: journal.lease(e) for e in environments}
