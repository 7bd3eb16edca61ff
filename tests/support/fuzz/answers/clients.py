"""Stands where requests leave the machine: below boto3 and below the client of Tuya's gateway.

1. All of the product's and of boto3's reading is in the way of an answer: only sockets are left out.
2. An answer that is not damaged is parsed once and kept, since a run reads dozens of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from otactl.backends.tuya.http import Reply, Wire
from tests.support.fuota_stage import REGION
from tests.support.fuzz.answers.tape import Raw, key_of

NOWHERE = "http://127.0.0.1:9"
SERVICES = ("iotwireless", "iot", "iot-data", "signer", "s3", "iam", "sts")
_COMMON = {
    "Action",
    "Format",
    "Version",
    "AccessKeyId",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureNonce",
    "Timestamp",
    "Signature",
}
Note = Callable[[str, str, Mapping[str, Any], Raw], None]
Respond = Callable[[str, str, Mapping[str, Any]], "Given"]


class Given(NamedTuple):
    """An answer, and the name that it is kept under once it is parsed; "" for one that is not kept."""

    raw: Raw
    name: str = ""


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        """Yield the bytes, as a response of urllib3 does."""
        yield self.read()


class Clients:
    """boto3's clients of one Region, made once; each request of theirs is answered by `through`."""

    def __init__(self, region: str) -> None:
        session = boto3.Session(region_name=region, aws_access_key_id="fuzz", aws_secret_access_key="fuzz")
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        self.kept: dict[str, Any] = {}
        self.through: Callable[[Any], Raw] = lambda _request: Raw(599, {}, b"")
        for service in SERVICES:
            client = session.client(service, endpoint_url=NOWHERE, config=config)
            client.meta.events.register("before-send", self._answer, unique_id="taped")
            self.kept[service] = client
        self.parsed: dict[str, dict[str, Any] | ClientError] = {}

    def _answer(self, request: Any, **_: object) -> AWSResponse:
        raw = self.through(request)
        return AWSResponse(request.url, raw.status, raw.headers, _Body(raw.body))


Read = set[tuple[str, ...]]
"""Members of answers that were looked at: the operation, then names; every item of a list is `[]`."""


@lru_cache(maxsize=1)
def clients() -> Clients:
    """Return the clients of this process."""
    return Clients(REGION)


class Watched(dict[str, Any]):
    """An object of an answer that notes which of its members are looked at."""

    def __init__(self, given: Mapping[str, Any], place: tuple[str, ...], read: Read) -> None:
        super().__init__({name: watched(value, (*place, name), read) for name, value in given.items()})
        self._place, self._read = place, read

    def __getitem__(self, name: str) -> Any:
        """Return a member."""
        self._read.add((*self._place, name))
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member, or the default."""
        self._read.add((*self._place, name))
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a member."""
        self._read.add((*self._place, str(name)))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        """Yield every name."""
        self._read.update((*self._place, name) for name in super().__iter__())
        return super().__iter__()

    def items(self) -> Any:
        """Return every member."""
        self._read.update((*self._place, name) for name in super().__iter__())
        return super().items()

    def values(self) -> Any:
        """Return every value."""
        self._read.update((*self._place, name) for name in super().__iter__())
        return super().values()


def watched(value: Any, place: tuple[str, ...], read: Read) -> Any:
    """Return a value whose objects note what is looked at."""
    if isinstance(value, dict):
        return Watched(value, place, read)
    return [watched(item, (*place, "[]"), read) for item in value] if isinstance(value, list) else value


class Session:
    """What is asked of a boto3 session: `client`; `read` collects the members that are looked at."""

    def __init__(self, clients: Clients, respond: Respond | None, read: Read | None = None) -> None:
        self._clients, self._respond, self._read = clients, respond, read

    def client(self, service: str, **_: object) -> Any:
        """Return a client that is answered by `respond`."""
        return Client(self._clients, service, self._respond, self._read)


class Client:
    """One client of boto3 whose operations are answered by `respond`."""

    def __init__(self, clients: Clients, service: str, respond: Respond | None, read: Read | None) -> None:
        self._clients, self._service, self._respond, self._read = clients, service, respond, read
        self._real = clients.kept[service]
        self.meta = self._real.meta

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        operation = self.meta.method_to_api_mapping[method]

        def call(**parameters: Any) -> dict[str, Any]:
            assert self._respond is not None
            given = self._respond(self._service, operation, parameters)
            kept = self._clients.parsed
            if not given.name or given.name not in kept:
                self._clients.through = lambda _request: given.raw
                try:
                    answer: dict[str, Any] = getattr(self._real, method)(**parameters)
                except ClientError as error:
                    if given.name:
                        kept[given.name] = error
                    raise
                if given.name:
                    kept[given.name] = answer
                return answer
            found = kept[given.name]
            if isinstance(found, ClientError):
                raise ClientError(found.response, found.operation_name)
            return found if self._read is None else watched(found, (operation,), self._read)

        return call


class Recording(Session):
    """A session whose clients send for good; `note` gets each answer.

    `same` keeps answers about images and roles, which are asked for in each pass and cost the most time.
    """

    def __init__(self, clients: Clients, address: str, note: Note, same: dict[tuple[str, str, str], Raw]) -> None:
        super().__init__(clients, None)
        self._address, self._note, self._same, self._wire = address, note, same, URLLib3Session()

    def client(self, service: str, **_: object) -> Any:
        """Return a client that sends."""
        real, note = self._clients.kept[service], self._note

        def through(request: Any) -> Raw:
            request.url = request.url.replace(NOWHERE, self._address)
            came = self._wire.send(request)
            return Raw(came.status_code, dict(came.headers), came.content)

        class Sending:
            meta = real.meta

            def __getattr__(_self, method: str) -> Any:  # noqa: N805 - `self` is the session
                operation = real.meta.method_to_api_mapping[method]

                def call(**parameters: Any) -> Any:
                    def noted(request: Any) -> Raw:
                        known = (service, operation, key_of(parameters))
                        raw = self._same.get(known) or through(request)
                        if service in ("iam", "s3"):
                            self._same[known] = raw
                        note(service, operation, parameters, raw)
                        return raw

                    self._clients.through = noted
                    return getattr(real, method)(**parameters)

                return call

        return Sending()


class Gateway(Wire):
    """A wire to Tuya's gateway that `respond` answers."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.where = "gateway.example"

    def send(self, method: str, query: str, *, again: bool) -> Reply:
        """Answer one request."""
        action, parameters = asked(query)
        return reply(self._respond("tuya", action, parameters).raw)

    def close(self) -> None:
        """Close nothing."""


def asked(query: str) -> tuple[str, dict[str, str]]:
    """Return the action of a request and its own parameters."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    return given["Action"], {name: value for name, value in given.items() if name not in _COMMON}


def reply(raw: Raw) -> Reply:
    """Return an answer as the wire gives it."""
    headers = {name.lower(): value for name, value in raw.headers.items()}
    return Reply(raw.status, headers.get("date", ""), headers.get("location", ""), raw.body)


class NotedWire(Wire):
    """A wire to Tuya's gateway that sends for good; `note` gets each answer."""

    note: Note

    def send(self, method: str, query: str, *, again: bool) -> Reply:
        """Send, and note the answer."""
        came = super().send(method, query, again=again)
        action, parameters = asked(query)
        self.note("tuya", action, parameters, Raw(came.status, {"Date": came.date}, came.body))
        return came
