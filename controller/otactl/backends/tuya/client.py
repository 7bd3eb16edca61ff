"""Signs and sends calls to Tuya's gateway under the call policy, repeats them where that is harmless.

1. Every request, a repetition too, is signed with its own nonce and the service's time; all common parameters are
   sent, though the gateway's samples leave some out ("Common Parameters" page against its curl samples [V]);
   `common` overrides one, or leaves it out with None.
2. `prepare` signs now and `send` sends later: a create is signed before its intent is written, so that a late copy of
   it has left the gateway's window when the settle time ends. What was prepared for a write is sent once, as signed.
3. A throttled request was not carried out, so `call` signs and sends it again; a lost one only where it is repeatable.
4. The gateway's clock counts, learned from its Date header: requests are signed with its time. A repeatable request
   refused for its time is signed again by that clock, once; a second refusal stalls.
5. The query goes in the URL (GET), as the gateway's samples do; one that is longer than servers take in a URL goes as a
   form (POST), which RPC signs alike [V Alibaba, I Tuya].
6. A call that is not in `operations.py` is not sent.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import Self

from otactl.backends.errors import NotFoundError, after_silence
from otactl.backends.transport.call_policy import CallPolicy, PacedClient
from otactl.backends.transport.machine_clock import utc_now
from otactl.backends.transport.rate_limit import SharedPace
from otactl.backends.transport.usage import Stats
from otactl.backends.tuya.config import access_of
from otactl.backends.tuya.credentials import Key, ReadSecret, read_key
from otactl.backends.tuya.errors import FailedError, RefusedError
from otactl.backends.tuya.http import LostError, Wire
from otactl.backends.tuya.operations import READS, SERVICE, WRITES
from otactl.backends.tuya.responses import judged, page_count
from otactl.backends.tuya.schemas import Rows, T, rows_of
from otactl.backends.tuya.signing import canonical, encode, flatten, signature
from otactl.errors import OtactlError, StalledError, TransientError
from otactl.model import Environment
from otactl.model.values import JsonObject, iso

__all__ = ["NotFoundError", "Prepared", "RefusedError", "Stats", "TuyaClient"]

Around = Callable[[str, str, Callable[[], JsonObject]], JsonObject]
# The gateway's own limit is unknown [U]; its twin's lowest is 5 a second (CancelOTATaskByJob).
DEFAULT_RATES = {SERVICE: 5.0}
LONGEST_URL = 4096  # common servers take 8 KiB for the whole request line
MOST_ROWS = 100_000  # CurrentPage times PageSize (Alibaba [V], same assumed here [I])


@dataclass(frozen=True, repr=False)
class Prepared:
    """A signed request; `query` is a secret, `signed_at` is the service's time it carries."""

    action: str
    parameters: Mapping[str, object]
    signed_at: datetime
    method: str
    query: str
    hidden: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Prepared(action={self.action!r}, signed_at={iso(self.signed_at)!r})"


@dataclass(frozen=True)
class _Attempt:
    """What came of sending once: an answer or a failure, and whether it may be sent again."""

    answer: JsonObject | None = None
    error: OtactlError | None = None
    throttled: bool = False
    lost: bool = False
    expired: bool = False


class TuyaClient(PacedClient):
    """Tuya's gateway for one environment."""

    def __init__(
        self,
        environment: Environment,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        seed: int | None = None,
        nonce: Callable[[], str] = lambda: str(uuid.uuid4()),
        common: Mapping[str, str | None] | None = None,
        environ: Mapping[str, str] = os.environ,
        read_secret: ReadSecret | None = None,
        around: Around | None = None,
        stats: Stats | None = None,
        shared: SharedPace | None = None,
    ) -> None:
        self._environment = environment
        self.policy = CallPolicy(
            environment,
            DEFAULT_RATES,
            sleep=sleep,
            monotonic=monotonic,
            now=now,
            seed=seed,
            usage=stats,
            shared=shared,
        )
        self._nonce, self._around = nonce, around
        self._common = dict(common or {})
        self._environ, self._read_secret = environ, read_secret
        self._lock = Lock()
        self._key: Key | None = None
        self._no_key: tuple[str, str] | None = None
        self._wire: Wire | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        if self._wire is not None:
            self._wire.close()

    def call(self, action: str, parameters: Mapping[str, object], *, repeatable: bool) -> JsonObject:
        """Sign and send one call and give its answer.

        Raises TransientError (throttled, no answer, budget spent), ConflictError, StalledError or NotFoundError.
        """
        return self._insist(self.prepare(action, parameters), repeatable=repeatable, throttles=True)

    def prepare(self, action: str, parameters: Mapping[str, object], at: datetime | None = None) -> Prepared:
        """Sign a request with the service's time of this moment, or with the moment `at`; sends nothing.

        Raises: StalledError `RequestInvalid` for parameters that no request can carry.
        """
        _listed(action)
        key, moment, nonce = self._credentials(), at or self.now(), self._nonce()
        named: dict[str, str | None] = {
            "Action": action,
            "Format": "JSON",
            "Version": "2018-01-20",
            "AccessKeyId": key.id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": nonce,
            "Timestamp": iso(moment),
            **self._common,
        }
        try:
            given = flatten({**parameters, **named})
        except TypeError as error:
            raise StalledError("RequestInvalid", f"tuya:{action}: {error}; this is a defect of otactl") from None
        # The signature is of fixed length, so whether the URL is too long is known before the method is signed.
        method = "GET" if len(canonical(given)) + 64 <= LONGEST_URL else "POST"
        signed = signature(method, given, key.secret)
        hidden = (key.secret, key.id, nonce, signed, encode(signed), encode(encode(signed)))
        query = canonical({**given, "Signature": signed})
        return Prepared(action, dict(parameters), moment, method, query, hidden)

    def send(self, prepared: Prepared, *, repeatable: bool = False, not_after: datetime | None = None) -> JsonObject:
        """Send what was prepared: once and as signed, unless it is repeatable; then as `call` does.

        Nothing is sent after `not_after`, by the gateway's time.
        """
        return self._insist(prepared, repeatable=repeatable, throttles=repeatable, not_after=not_after)

    def pages(
        self, action: str, parameters: Mapping[str, object], page_size: int, most_rows: int = MOST_ROWS
    ) -> Iterator[JsonObject]:
        """Yield every page of a list, one answer each.

        Raises: StalledError `ListTooLong`.
        """
        number = 1
        while True:
            if number * page_size > most_rows:
                text = f"tuya:{action}: the gateway shows no more than {most_rows} rows; delete what is done"
                raise StalledError("ListTooLong", text)
            answer = self.call(
                action, {**parameters, "CurrentPage": number, "PageSize": page_size}, repeatable=action in READS
            )
            yield answer
            if number >= page_count(action, answer):
                return
            number += 1

    def rows(self, listing: Rows[T], parameters: Mapping[str, object]) -> tuple[T, ...]:
        """Return a whole list, page by page."""
        if listing.page_size is None:
            return rows_of(listing, self.call(listing.action, parameters, repeatable=True))
        pages = self.pages(listing.action, parameters, listing.page_size)
        return tuple(row for page in pages for row in rows_of(listing, page))

    def _insist(
        self, prepared: Prepared, *, repeatable: bool, throttles: bool, not_after: datetime | None = None
    ) -> JsonObject:
        attempt, corrected, unheard, writes = 0, False, False, prepared.action in WRITES
        while True:
            attempt += 1
            try:
                self.policy.spend(f"{SERVICE}:{prepared.action}", writes=writes)
                self.must_be_in_time(prepared.action, not_after)
            except OtactlError as error:
                raise (after_silence(error) if unheard else error) from None
            came = self._once(prepared, attempt, repeatable)
            if came.answer is not None:
                return came.answer
            if came.throttled:
                self.policy.usage.count_throttled(f"{SERVICE}:{prepared.action}")
            corrects = came.expired and repeatable and not corrected
            again = (came.throttled and throttles) or (came.lost and repeatable) or corrects
            if came.error is not None and (not again or self.policy.is_last(attempt)):
                raise after_silence(came.error) if unheard else came.error
            unheard = unheard or (writes and came.lost)
            corrected = corrected or corrects
            if not corrects:
                self.policy.backoff(attempt)
            prepared = self.prepare(prepared.action, prepared.parameters)

    def _once(self, prepared: Prepared, attempt: int, repeatable: bool) -> _Attempt:
        """Send once. Errors come back as values, so that no chain leads from them to what was sent."""
        wire = self._open()
        try:
            if self._around is None:
                return _Attempt(answer=self._exchange(wire, prepared, repeatable))
            return _Attempt(
                answer=self._around(SERVICE, prepared.action, lambda: self._exchange(wire, prepared, repeatable))
            )
        except LostError as lost:
            text = f"tuya:{prepared.action} got no answer after {attempt} attempts: {lost}"
            return _Attempt(error=TransientError(text, committed=None if lost.sent else False), lost=True)
        except FailedError as failed:
            failure = failed.failure
            return _Attempt(None, failure.error(attempt), failure.throttled, failure.lost, failure.expired)
        except OtactlError as error:
            return _Attempt(error=error)

    def _exchange(self, wire: Wire, prepared: Prepared, repeatable: bool) -> JsonObject:
        reply = wire.send(prepared.method, prepared.query, again=repeatable)
        off = self.policy.learn_time(reply.date)
        age = None if off is None else self.policy.own_now() + off - prepared.signed_at
        writes = prepared.action in WRITES and not repeatable
        return judged(reply, prepared.action, prepared.hidden, wire.where, off=off, age=age, writes=writes)

    def _credentials(self) -> Key:
        with self._lock:
            if self._key is None:
                access = access_of(self._environment)
                if access is None:
                    text = f"environment {self._environment.name} declares no tuya.endpoint and no key for it"
                    raise StalledError("NoEndpoint", text)
                if self._no_key is not None:
                    raise StalledError(*self._no_key)
                try:
                    self._key = read_key(access, self._environ, self._read_secret)
                except StalledError as error:
                    self._no_key = error.reason, str(error)  # for every rollout of this run: not asked for again
                    raise
            return self._key

    def _open(self) -> Wire:
        with self._lock:
            if self._wire is None:
                access = access_of(self._environment)
                self._wire = Wire(access.endpoint if access is not None else "", self._environ)
            return self._wire


def _listed(action: str) -> None:
    if action not in READS and action not in WRITES:
        raise StalledError("CallNotListed", f"{SERVICE}:{action} is not among the calls otactl makes")
