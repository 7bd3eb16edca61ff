"""Sends calls to AWS under the call policy, repeats them where that is harmless, and raises errors of our families.

1. One session and one client a service, shared by threads; the SDK retries nothing itself, so every attempt is counted.
2. Endpoints are the environment's, as far as `allowed_hosts` allows them, or boto3's own (`AWS_ENDPOINT_URL…`);
   nothing here knows a simulator.
3. A call that is not in `operations.py` is not sent.
4. The service's clock counts, learned from its Date header: a start 30 minutes ahead is so for the service too.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from otactl import __version__
from otactl.backends.aws.errors import NotFoundError, is_lost, is_throttle, no_credentials, translate, unreadable
from otactl.backends.aws.operations import PASSED, READS, WRITES, permission_for
from otactl.backends.aws.responses import UnreadableError, check_members, watch
from otactl.backends.errors import after_silence
from otactl.backends.transport.allowed_hosts import must_be_aws
from otactl.backends.transport.call_policy import CallPolicy, PacedClient
from otactl.backends.transport.machine_clock import utc_now
from otactl.backends.transport.rate_limit import SharedPace
from otactl.backends.transport.usage import Stats
from otactl.errors import StalledError
from otactl.model import Environment
from otactl.model.actions import Call

if TYPE_CHECKING:
    import boto3

__all__ = ["AwsClient", "NotFoundError", "Stats"]

Answer = dict[str, object]
Around = Callable[[str, str, Callable[[], Answer]], Answer]
# AWS General Reference: 10 calls a second per IoT Wireless operation, account and Region; those of OTA updates and jobs
# are quotas with names whose numbers differ by Region, so the same is assumed.
DEFAULT_RATES = {"iotwireless": 10.0, "iot": 10.0}
_ACCOUNT = re.compile(r"[0-9]{12}")
CLOCKS = ("iotwireless", "iot", "sts")  # the services whose time counts


class AwsClient(PacedClient):
    """AWS for one environment."""

    def __init__(
        self,
        environment: Environment,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        session: boto3.Session | None = None,
        seed: int | None = None,
        around: Around | None = None,
        environ: Mapping[str, str] = os.environ,
        shared: SharedPace | None = None,
    ) -> None:
        """Take this machine's clock as `now`, and as `session` credentials other than those of this process.

        `shared` is the pace of all processes that call.
        """
        self._environ = environ
        self._environment = environment
        self.around = around
        self.policy = CallPolicy(
            environment, DEFAULT_RATES, sleep=sleep, monotonic=monotonic, now=now, seed=seed, shared=shared
        )
        self._lock = Lock()
        self._clients: dict[str, object] = {}
        self._session = session
        self._account: str | None = None

    def send(self, call: Call) -> Answer:
        """Send a planned call and return its answer. Raises: StalledError if it has a placeholder."""
        known = call.complete()
        return self.call(
            known.service,
            known.operation,
            known.parameters,
            repeatable=known.repeatable,
            permission=known.permission,
            not_after=known.not_after,
        )

    def identity(self) -> str:
        """Return the account these credentials are of; asked once, because one transport has one set of credentials.

        Raises: StalledError `AnswerInvalid` for what is no account.
        """
        if self._account is None:
            found = str(self.call("sts", "GetCallerIdentity", {}, repeatable=True).get("Account", ""))
            if _ACCOUNT.fullmatch(found) is None:
                raise unreadable("sts", "GetCallerIdentity", "Account is not 12 digits")
            self._account = found
        return self._account

    def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, object],
        *,
        repeatable: bool,
        permission: str = "",
        not_after: datetime | None = None,
    ) -> Answer:
        """Send one call and give its answer; no attempt is made after `not_after`.

        Raises TransientError (throttled, no answer, budget spent), ConflictError, StalledError or NotFoundError. What a
        write whose answer was lost meets when it is repeated does not say that the first attempt failed.
        """
        needed = permission or permission_for(service, operation)
        if (service, operation) in PASSED:
            needed = f"{needed} and {PASSED[service, operation]}"
        _must_be_listed(service, operation)
        attempt, unheard, writes = 0, False, (service, operation) in WRITES
        while True:
            attempt += 1
            try:
                self.policy.spend(f"{service}:{operation}", writes=writes)
                self.must_be_in_time(operation, not_after)
                return self._send(service, operation, parameters)
            except Exception as error:
                again = is_throttle(error) or (is_lost(error) and repeatable)
                if is_throttle(error):
                    self.policy.usage.count_throttled(f"{service}:{operation}")
                if not again or self.policy.is_last(attempt):
                    off = self.policy.offset(_date(getattr(error, "response", None)))
                    found = translate(error, service, operation, needed, attempt, off)
                    raise (after_silence(found) if unheard else found) from error
                unheard = unheard or (writes and is_lost(error))
                self.policy.backoff(attempt)

    def _send(self, service: str, operation: str, parameters: Mapping[str, object]) -> Answer:
        client = self._client(service)
        method = getattr(client, _snake(operation))

        def send() -> Answer:
            answer: Answer = method(**parameters)
            return answer

        answer = send() if self.around is None else self.around(service, operation, send)
        if service in CLOCKS:
            self.policy.learn_time(_date(answer))
        check_members(service, operation, answer)
        _must_lead_on(parameters, answer)
        return answer

    def _client(self, service: str) -> object:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> object:
        from botocore.config import Config

        environment = self._environment
        for each in {service, "sts"} if environment.assumed_role is not None else {service}:
            must_be_aws(each, environment.endpoints.get(each), self._environ)
        try:
            if self._session is None:
                self._session = self._open()
            client = self._session.client(
                service,
                region_name=environment.region,
                endpoint_url=environment.endpoints.get(service),
                config=Config(
                    retries={"total_max_attempts": 1},
                    connect_timeout=10,
                    read_timeout=60,
                    max_pool_connections=32,
                    user_agent_extra=f"otactl/{__version__}",
                    s3={"addressing_style": "path"} if service == "s3" else None,
                ),
            )
            watch(client)
        except Exception as error:
            raise translate(error, service, "client", "", 1) from error
        return client

    def _open(self) -> boto3.Session:
        """Return a session whose credentials were looked for: what fails in that is no failure of a call."""
        import boto3

        try:
            session = boto3.Session(region_name=self._environment.region)
            found = session.get_credentials()
            if found is not None:
                found.get_frozen_credentials()
        except Exception as error:
            raise no_credentials(error, "credentials") from error
        role = self._environment.assumed_role
        return session if role is None else _assumed(session, role, self._environment)


def _assumed(session: boto3.Session, role: str, environment: Environment) -> boto3.Session:
    """Return a session of the assumed role whose credentials renew themselves before they expire."""
    import boto3
    from botocore.credentials import RefreshableCredentials
    from botocore.session import get_session

    sts = session.client("sts", region_name=environment.region, endpoint_url=environment.endpoints.get("sts"))

    def refresh() -> dict[str, str]:
        given = sts.assume_role(RoleArn=role, RoleSessionName=f"otactl-{environment.name}")["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    inner = get_session()
    # botocore has no public way to hand a session renewable credentials; its own assume-role provider does this too.
    vars(inner)["_credentials"] = RefreshableCredentials.create_from_metadata(refresh(), refresh, "sts-assume-role")
    return boto3.Session(botocore_session=inner, region_name=environment.region)


def _must_be_listed(service: str, operation: str) -> None:
    if (service, operation) not in READS and (service, operation) not in WRITES:
        raise StalledError("CallNotListed", f"{service}:{operation} is not among the calls otactl makes")


def _date(answer: object) -> object:
    """Return the Date header of an answer or a refusal; None if it has none."""
    metadata = answer.get("ResponseMetadata") if isinstance(answer, dict) else None
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, dict) else None
    return headers.get("date") if isinstance(headers, dict) else None


def _must_lead_on(parameters: Mapping[str, object], answer: Answer) -> None:
    """Refuse a list whose next page is the one that was asked for: it would be read for ever."""
    for name in ("NextToken", "nextToken"):
        if answer.get(name) and answer[name] == parameters.get(name):
            raise UnreadableError(f"{name} leads back to the page that was asked for")


def _snake(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))
