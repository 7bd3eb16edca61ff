"""Plays a recorded run again, with answers damaged, and tells what it sent, wrote and reported."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from otactl.model import Record
from otactl.reconcile.run_report import RunReport
from tests.support.fuzz.answers.clients import Gateway, Given, Read, Session, clients
from tests.support.fuzz.answers.damage import PAGES, Damage, damaged
from tests.support.fuzz.answers.scenes import Scene, backend_of, client_of, copied, reconcile
from tests.support.fuzz.answers.tape import Play, Raw, Taped, first_page, key_of, writes
from tests.support.in_memory_cloud import Memory

STREAMS = ("iot-data",)
"""Services whose answers can be read once."""
GONE = {
    "iam": b"<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>gone</Message></Error></ErrorResponse>",
    "s3": b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>",
    "tuya": b'{"success": false, "code": "iot.ota.NotExist", "errorMessage": "gone"}',
}


@dataclass
class Played:
    """What became of a run."""

    report: RunReport
    journal: Memory
    calls: int
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    """Every write that was sent: service, operation, parameters."""
    answered: tuple[int, ...] = ()
    """Numbers of the answers that were given, on the tape."""

    @property
    def records(self) -> dict[str, Record]:
        """Return the records after the run."""
        return records_of(self.journal)


def records_of(journal: Memory) -> dict[str, Record]:
    """Return the records of a journal."""
    return {name: msgspec.json.decode(raw, type=Record) for name, raw in journal.records.items()}


class Service:
    """Answers from a tape."""

    def __init__(self, scene: Scene, damages: tuple[Damage, ...] = ()) -> None:
        self.scene, self.play = scene, Play(scene.tape)
        self.damages = damages
        self.sent: list[tuple[str, str, str]] = []
        self.answered: dict[int, None] = {}
        self._pages: Counter[str] = Counter()

    def __call__(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Given:
        """Answer one call."""
        if writes(service, operation):
            self.sent.append((service, operation, key_of(parameters)))
        found = self.play.find(service, operation, parameters)
        if found is None:
            return Given(self._further(service, operation, parameters) or _gone(service))
        self.answered[found.index] = None
        raw = self._damaged(found)
        kept = raw is found.raw and service not in STREAMS
        return Given(raw, f"{self.scene.kind}/{self.scene.name}/{found.index}" if kept else "")

    def _damaged(self, call: Taped, turn: int = 0) -> Raw:
        raw = call.raw
        for damage in self.damages:
            first = self.scene.tape.calls[damage.call]
            same = (
                damage.later and call.index > first.index and (first.operation, first.key) == (call.operation, call.key)
            )
            if call.index == damage.call or same:
                try:
                    raw = damaged(raw, damage, turn)
                except (KeyError, IndexError, TypeError):
                    continue  # an earlier damage took its place away
        return raw

    def _further(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Raw | None:
        """Return a page that only a damaged answer has led to."""
        before = first_page(parameters)
        if before == dict(parameters):
            return None
        first = self.play.find(service, operation, before)
        if first is None or not any(d.how in PAGES and d.call <= first.index for d in self.damages):
            return None
        self._pages[operation] += 1
        return self._damaged(first, self._pages[operation])


def _gone(service: str) -> Raw:
    if service in ("iam", "s3"):
        return Raw(404, {"Content-Type": "text/xml"}, GONE[service])
    if service == "tuya":
        return Raw(200, {}, GONE[service])
    body = json.dumps({"message": "gone"}).encode()
    return Raw(404, {"x-amzn-ErrorType": "ResourceNotFoundException", "Content-Type": "application/json"}, body)


def play(
    scene: Scene, damages: tuple[Damage, ...] = (), read: Read | None = None, journal: Memory | None = None
) -> Played:
    """Run one pass, on another journal if one is given; `read` collects which members were looked at.

    Raises what the product raises.
    """
    service, journal = Service(scene, damages), copied(journal or scene.journal)
    client = client_of(scene.environment, Session(clients(), service, read), scene.now)
    wire = Gateway(service) if scene.kind == "tuya" else None
    backend = backend_of(scene.kind, scene.environment, client, wire)
    report = reconcile(scene.kind, scene.environment, scene.rollout, client, backend, journal)
    return Played(report, journal, client.stats.calls, service.sent, tuple(service.answered))
