"""Stands between the controller and the simulator, on the server's side: counts calls, and does one thing wrong.

`created` is what services really did, whether the answer arrived or not.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
from collections import Counter
from collections.abc import MutableMapping
from typing import Any, NamedTuple

from otactl.backends.aws.operations import WRITES
from otactl.backends.tuya.operations import WRITES as TUYA_WRITES
from otactl_simulator.app import Application
from otactl_simulator.asgi import Dropped, Receive, Scope, Send, whole_body
from otactl_simulator.control import PREFIX
from tests.support.faults import bodies
from tests.support.faults.cases import Boundary, Fault, Kind

JOURNAL_BUCKET = "acme-journal"
LATE_SECONDS = 180.0
"""Longer than a lease lives, and than a read may lag."""
PAGE = b"<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>"
_EFFECTS = {Fault.THROTTLE: "throttle", Fault.ERROR_500: "error500", Fault.STALE: "staleRead"}
_TRUE_IDS = {"CreateFuotaTask": "Id", "CreateOTAUpdate": "otaUpdateId", "CreateOTAStaticUpgradeJob": "jobId"}


class Answer(NamedTuple):
    """An answer of the simulator, before it is sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Disturbed(Application):
    """The simulator's application, with one fault in it."""

    run = 0
    counting = False
    recording = False
    count = 0
    at = 0
    fault: Fault | None = None
    pick = 0
    victim = 0
    hit = False

    def start(self, run: int, at: int = 0, fault: Fault | None = None, pick: int = 0) -> None:
        """Count the calls of a run from 1; do `fault` at the call `at`, in the `pick`-th field where it has many."""
        self.run, self.at, self.fault, self.pick = run, at, fault, pick
        self.count, self.hit, self.counting = 0, False, True
        self.boundaries: list[Boundary] = []

    @property
    def created(self) -> Counter[str]:
        """Return the units that services created, by name, and the starts of each; ids that are new count."""
        if "_created" not in vars(self):
            self._created: Counter[str] = Counter()
            self._names: dict[str, str] = {}
        return self._created

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(PREFIX) or not self.counting:
            await super().__call__(scope, receive, send)
            return
        body = await whole_body(receive)
        self.count += 1
        disturbing = self.fault if self.count == self.at else None
        if disturbing is None:
            answer = await self._ask(scope, body)
            if self.recording:
                await self._record(scope, body, answer)
            await _deliver(send, answer, head=scope["method"] == "HEAD")
            return
        self.hit = True
        await self._disturb(disturbing, scope, body, receive, send)

    async def _disturb(self, fault: Fault, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        if fault is Fault.RESET:
            await _reset(receive, send)
            return
        if fault is Fault.PORTAL:
            await _deliver(send, _page(), head=scope["method"] == "HEAD")
            return
        if fault is Fault.LATE:
            self.world.clock.advance(LATE_SECONDS)
        answer = await self._ask(scope, body, _EFFECTS.get(fault, ""))
        if fault is Fault.DIES_BEFORE_ANSWER:
            os.kill(self.victim, signal.SIGKILL)
        if fault in (Fault.DIES_BEFORE_ANSWER, Fault.TIMEOUT):
            while (await receive())["type"] != "http.disconnect":
                pass
        elif fault is Fault.HTML:
            await _deliver(send, _page())
        else:
            if fault in (Fault.TWICE_FIRST, Fault.TWICE_SECOND):
                second = await self._ask(scope, body)
                answer = second if fault is Fault.TWICE_SECOND else answer
            elif fault is Fault.SLOW:
                self.world.clock.advance(LATE_SECONDS)
            else:
                service, operation = self._asked()
                changed = bodies.CHANGES.get(fault)
                if changed is not None:
                    answer = answer._replace(body=changed(service, operation, answer.body, self.pick))
            await _deliver(send, answer, head=scope["method"] == "HEAD")

    async def _ask(self, scope: Scope, body: bytes, effect: str = "") -> Answer:
        """Return the simulator's answer to a request that came in."""
        world, sent = self.world, list[MutableMapping[str, Any]]()

        async def receive() -> MutableMapping[str, Any]:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": body}

        async def keep(message: MutableMapping[str, Any]) -> None:
            await asyncio.sleep(0)
            sent.append(message)

        kept, before = world.faults, len(world.requests)
        world.faults = type(kept)()
        if effect:
            service = "tuya" if b"Action=" in scope["query_string"] else "*"
            world.faults.replace([{"service": service, "operation": "*", "effect": effect}])
        try:
            await self._serve(scope, body, keep)
        except Dropped:
            raise RuntimeError("the simulator dropped a call that no fault asked it to drop") from None
        finally:
            world.faults = kept
        answer = Answer(int(sent[0]["status"]), list(sent[0]["headers"]), bytes(sent[1]["body"]))
        if len(world.requests) > before and answer.status < 300:
            self._remember(answer.body)
        return answer

    def _asked(self) -> tuple[str, str]:
        last = self.world.requests[-1]
        return str(last["service"]), str(last["operation"])

    def _remember(self, body: bytes) -> None:
        last, created = self.world.requests[-1], self.created
        operation, given = str(last["operation"]), last["parameters"]
        if not isinstance(given, dict) or last["errorCode"] is not None:
            return
        if operation in _TRUE_IDS:
            document = json.loads(body)
            key = str(document.get("data", document)[_TRUE_IDS[operation]])
            name = str(given.get("Name") or given.get("otaUpdateId") or sorted(_devices(given)))
            if key not in self._names:
                self._names[key] = name
                created[name] += 1
        elif operation == "StartFuotaTask":
            created[f"start of {self._names.get(str(given['Id']), given['Id'])}"] += 1

    async def _record(self, scope: Scope, body: bytes, answer: Answer) -> None:
        """Note what a call was and what can go wrong at it; a read of AWS is repeated, for what a stale one shows."""
        method, path = str(scope["method"]), str(scope["path"])
        if path.startswith(f"/{JOURNAL_BUCKET}"):
            kind = Kind.JOURNAL_READ if method == "GET" else Kind.JOURNAL_WRITE
            name = f"{method} {'/'.join(path.split('/')[3:4])}"
            self.boundaries.append(Boundary(self.run, self.count, kind, name, method == "GET"))
            return
        service, operation = self._asked()
        writes = (service, operation) in WRITES or operation in TUYA_WRITES
        lists = bodies.can_be_short(operation, answer.body)
        lags = service == "tuya" and not writes
        if service in ("iotwireless", "iot") and not writes:
            before = len(self.world.requests)
            lags = (await self._ask(scope, body, "staleRead")).body != answer.body
            del self.world.requests[before:]
        self.boundaries.append(
            Boundary(
                self.run,
                self.count,
                Kind.WRITE if writes else Kind.READ,
                f"{service}:{operation}",
                body=method != "HEAD" and bool(answer.body),
                fields=bodies.fields(service, operation, answer.body),
                leaves=bodies.leaves(answer.body),
                lags=lags,
                lists=lists,
            )
        )


async def _deliver(send: Send, answer: Answer, *, head: bool = False) -> None:
    """Send an answer; its length is that of its body, unless it is the answer to a HEAD."""
    headers = [(k, v) for k, v in answer.headers if head or k.lower() != b"content-length"]
    if not head and answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


def _page() -> Answer:
    return Answer(200, [(b"content-type", b"text/html")], PAGE)


async def _reset(receive: Receive, send: Send) -> None:
    """Reset the connection: the client gets RST, not an end of file."""
    transport = vars(getattr(send, "__self__"))["transport"]  # noqa: B009 - ASGI has no word for it
    peer: socket.socket = transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _devices(parameters: dict[str, Any]) -> list[str]:
    """Return the devices that a batch of Tuya names."""
    return [str(value) for key, value in parameters.items() if key.startswith("TargetDeviceName")]
