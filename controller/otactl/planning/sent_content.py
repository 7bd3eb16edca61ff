"""Finds what each device was sent last, by any rollout of the journal.

1. A device was sent the content of the newest attempt that reached it. A device whose execution was canceled before it
   started was sent nothing, and a unit that was deleted before its start reached no device.
2. Content is the image, by its sha256; of an attempt recorded without it, the generation.
3. Rollouts removed from Git count like the others: their devices still run what they were sent.
4. A device is known by its service's id; a DevEUI is found by the results that named both. A group counts by the
   devices it had when it was sent to and those it has now; by itself while either is not known.
5. Another environment in the same account and Region may send to the same devices: if the journal holds its records,
   what it sent since counts, too. What it sent before, or of another content, says nothing about what we sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property

import msgspec

from otactl.model import (
    Attempt,
    DeviceResult,
    Observation,
    Outcome,
    Reason,
    Record,
    Rollout,
    Unit,
    Value,
    VersionConfirm,
)

NAMED = 3
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_EUI = "devEui:"
_SINGLE = ("device:", _EUI)


class SentContent(Value, frozen=True, kw_only=True):
    """One sending to one device, or to a group; `took`: the device has it; `blind`: the devices of the group were not
    recorded; `beside` is the environment that sent it, where that is another one.
    """

    rollout: str
    unit_id: str
    at: datetime
    content: str
    generation: str
    version: str = ""
    took: bool = False
    blind: bool = False
    beside: str = ""

    def carried(self, rollout: Rollout) -> bool:
        """Return whether it is what a rollout declares (rule 2)."""
        return self.content == rollout.firmware.sha256 if self.content else self.generation == rollout.generation


class SentContents:
    """The newest sending to each device of an environment, worked out when it is first asked for."""

    def __init__(
        self, records: Mapping[str, Record], beside: Iterable[Record] = (), *, elsewhere: bool = False
    ) -> None:
        """Take records of other environments in the same place as `beside` (rule 5).

        With `elsewhere` all are of such.
        """
        self._records = dict(records)
        self._elsewhere = elsewhere
        self._of: dict[str, SentContents] = {}
        others = {record.key: record for record in beside}
        self._beside = SentContents(others, elsewhere=True) if others else None

    @property
    def records(self) -> Mapping[str, Record]:
        """Return the records it is worked out from, by rollout."""
        return self._records

    def of(self, name: str) -> SentContents:
        """Return what one rollout of its environment sent."""
        if name not in self._of:
            self._of[name] = SentContents({n: r for n, r in self._records.items() if n == name})
        return self._of[name]

    def last(self, backend: str, key: str) -> SentContent | None:
        """Return the newest sending to a target of a service, by its key."""
        return self._newest.get(backend, {}).get(self._named(backend, key))

    def foreign(self, rollout: Rollout, key: str) -> SentContent | None:
        """Return the last sending to a target if another rollout sent what this one declares.

        Of its own environment, or of one beside it since.
        """
        last = self.last(rollout.backend_kind, key)
        if last is not None and last.rollout != rollout.name and last.carried(rollout):
            return last
        since = self._beside.last(rollout.backend_kind, key) if self._beside is not None else None
        is_newer = since is not None and (last is None or last.at < since.at)
        return since if since is not None and is_newer and since.carried(rollout) else None

    def _named(self, backend: str, key: str) -> str:
        """Return the key of a device by its id, for one by what people call it."""
        device = self._called.get(backend, {}).get(key.removeprefix(_EUI)) if key.startswith(_EUI) else None
        return key if device is None else f"device:{device}"

    @cached_property
    def _called(self) -> dict[str, dict[str, str]]:
        """Return ids of devices by what people call them, by service; the texts are the records' own."""
        found: dict[str, dict[str, str]] = {}
        for record in self._records.values():
            for attempt in record.attempts:
                called = [*attempt.names.items(), *((r.device, r.name) for r in attempt.results)]
                for device, name in called:
                    if name and name != device and ":" not in device:
                        found.setdefault(record.backend, {})[name] = device
        return found

    @cached_property
    def _newest(self) -> dict[str, dict[str, SentContent]]:
        """Return the newest sending by service and key; devices that an attempt reached alike share one value."""
        found: dict[str, dict[str, SentContent]] = {}
        for record in self._records.values():
            newest = found.setdefault(record.backend, {})
            for attempt in record.attempts:
                blind = not (attempt.devices or attempt.results)
                at = attempt.sent_at or record.start_pending_since(attempt.unit_id) or _NEVER
                content, generation = attempt.image_sha256, attempt.generation
                sendings = [
                    SentContent(
                        rollout=record.name,
                        unit_id=attempt.unit_id,
                        at=at,
                        content=content,
                        generation=generation,
                        version=attempt.version,
                        took=took,
                        blind=blind,
                        beside=record.environment if self._elsewhere else "",
                    )
                    for took in (False, True)
                ]
                for key, took in self._reached(record, attempt):
                    before = newest.get(key)
                    if before is None or before.at <= at:
                        newest[key] = sendings[took]
        return found

    def _reached(self, record: Record, attempt: Attempt) -> Iterator[tuple[str, bool]]:
        """Yield the targets an attempt reached, and whether each took it (rules 1 and 4)."""
        if attempt.never_started or not (attempt.was_sent or record.start_pending_since(attempt.unit_id)):
            return
        results = {key_of(r.device): r for r in attempt.results}
        spared = {key for key, r in results.items() if r.reason is Reason.CANCELED}
        members = attempt.members or attempt.targets
        devices = {*results, *(key_of(d) for d in attempt.devices)}
        singles = (self._named(record.backend, k) for k in members if k.startswith(_SINGLE))
        for key in {*devices, *singles} - spared:
            yield key, key in results and results[key].outcome is Outcome.SUCCEEDED
        yield from ((key_of(device), True) for device in attempt.updated_uncounted)
        yield from ((key, False) for key in members if not key.startswith(_SINGLE))
        if not members and not attempt.devices:
            yield selection(attempt.generation), False


def key_of(device: str) -> str:
    """Return the target key of a device as results name it."""
    return device if ":" in device else f"device:{device}"


def selection(generation: str) -> str:
    """Return the key of the devices that a service selects itself, which the revision names."""
    return f"selection:{generation}"


def own_words(seen: Observation, record: Record, rollout: Rollout, sendings: SentContents) -> Observation:
    """Return what is seen without answers that devices may have given to a unit of another rollout, sent to them since.

    Where a service shows a device's newest status and not whose it is, such an answer tells nothing of this unit: what
    was recorded before stays. A version that is to be proved tells what a device runs, whoever sent it.
    """
    units = tuple(_own_words(u, record, rollout, sendings) if u.shared else u for u in seen.units)
    return msgspec.structs.replace(seen, units=units)


def _own_words(unit: Unit, record: Record, rollout: Rollout, sendings: SentContents) -> Unit:
    attempt = next((a for a in record.attempts if a.vendor_id == unit.vendor_id), None)
    proved = isinstance(rollout.strategy.confirm, VersionConfirm)
    if attempt is None or unit.results is None or (proved and attempt.generation == rollout.generation):
        return unit
    since = attempt.sent_at or _NEVER
    before = {r.device: r for r in attempt.results}

    def own(result: DeviceResult) -> DeviceResult:
        keys = (key_of(result.device), result.via or "")
        found = [last for key in keys if (last := sendings.last(record.backend, key)) is not None]
        others = [s for s in found if s.rollout != record.name and s.at > since]
        if result.device not in unit.shared or not others:
            return result
        silent = DeviceResult(
            device=result.device,
            outcome=Outcome.FAILED,
            reason=Reason.TIMEOUT,
            name=result.name,
            via=result.via,
            silent=True,
        )
        return before.get(result.device, silent)

    return msgspec.structs.replace(unit, results=tuple(own(r) for r in unit.results))
