"""Indexes devices over all rollouts: every attempt that held one, and what is known of it now.

1. A device is the same in two rollouts of an environment if an identity or a name (a DevEUI) is the same.
2. What is known now is its newest assignment: the newest attempt that held it and was not deleted before its start.
   Within a wave the rules of `status` hold: a refused second copy of the same image is no failure, and a device that a
   suspension took back waits.
3. A device that manifests or waves name and no attempt held has the verdict `notSent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from otactl.model import Attempt, DeviceResult, Outcome, Record, Value, WaveRecord
from otactl.report.page.facts import FleetFacts, RolloutFacts, declared_devices
from otactl.report.wave_summary import newest_results
from otactl.verdicts.device_results import fold

VERDICTS = ("succeeded", "failed", "waiting", "unknown", "notSent")
PROOFS = ("", "reported", "reverted", "spared")
"""How a version is known: by the transfer alone, reported, reported another since, reported before the start."""
_SINGLE = ("device:", "devEui:")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Sent(Value, frozen=True, kw_only=True):
    """What one attempt did to a device; `attempt` is its place in the list of attempts."""

    attempt: int
    outcome: str
    reason: str = ""
    detail: str = ""
    via: str = ""
    proof: str = ""


class AttemptPlace(Value, frozen=True, kw_only=True):
    """One attempt, as devices refer to it; `version` is empty where the record no longer knows what it carried."""

    rollout: int
    wave: str
    number: int
    unit_id: str
    version: str
    image_sha256: str
    stage: str
    start_at: datetime | None
    ended_at: datetime | None


class PageDevice(Value, frozen=True, kw_only=True):
    """One device: what it is called, its labels, each attempt that held it, and what is known now."""

    environment: int
    id: str
    name: str
    labels: tuple[str, ...]
    sent: tuple[Sent, ...]
    verdict: str
    reason: str
    newest: int
    """Place in `sent` of what the verdict is from; -1 for none."""
    wanted: tuple[int, ...]
    """Rollouts that name it and have not sent it anything."""


class DeviceIndex(Value, frozen=True, kw_only=True):
    """Every device of the fleet, by environment and name, and every attempt."""

    environments: tuple[str, ...]
    attempts: tuple[AttemptPlace, ...]
    devices: tuple[PageDevice, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of devices by verdict."""
        found = dict.fromkeys(VERDICTS, 0)
        for device in self.devices:
            found[device.verdict] += 1
        return found


@dataclass(slots=True)
class _Entry:
    """A device while it is being gathered."""

    environment: int
    id: str
    name: str = ""
    labels: dict[str, None] = field(default_factory=dict)
    sent: list[tuple[datetime, Sent]] = field(default_factory=list)
    state: tuple[datetime, str, str, Sent] | None = None
    wanted: dict[int, None] = field(default_factory=dict)


class _Gathering:
    """The devices found so far, by any name."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self._by_name: dict[tuple[int, str], _Entry] = {}

    def of(self, environment: int, identity: str, name: str) -> _Entry:
        """Return the entry of a device, a new one if none has its identity or its name."""
        known = self._by_name
        by_id, by_name = (environment, fold(identity)), (environment, fold(name or identity))
        found = known.get(by_id) or known.get(by_name)
        if found is None:
            found = _Entry(environment, identity)
            self.entries.append(found)
        known.setdefault(by_id, found)
        known.setdefault(by_name, found)
        if name and name != identity:
            if found.id == name:  # first found by its name alone
                found.id = identity
            found.name = name
        return found


def index_devices(facts: FleetFacts) -> DeviceIndex:
    """Return every device of the rollouts, by the rules above."""
    names = tuple(facts.environments)
    gathering = _Gathering()
    attempts: list[AttemptPlace] = []
    for place, each in enumerate(facts.rollouts):
        environment = names.index(each.stored.record.environment)
        attempts += _of_rollout(each, place, environment, len(attempts), gathering)
    for place, each in enumerate(facts.rollouts):
        _name_declared(each, place, names.index(each.stored.record.environment), gathering)
    devices = [_finished(entry, attempts) for entry in gathering.entries]
    devices.sort(key=lambda d: (d.environment, d.name or d.id, d.id))
    return DeviceIndex(environments=names, attempts=tuple(attempts), devices=tuple(devices))


def _of_rollout(
    each: RolloutFacts, place: int, environment: int, first: int, gathering: _Gathering
) -> list[AttemptPlace]:
    """Add the devices of a rollout, and return its attempts, of which `first` is the number of the first one."""
    record, number = each.stored.record, first
    placed: list[AttemptPlace] = []
    for wave in record.waves:
        for generation in dict.fromkeys(a.generation for a in wave.attempts):
            same = [(number + n, a) for n, a in enumerate(wave.attempts) if a.generation == generation]
            _assign(same, environment, gathering)
        placed += [_placed(record, wave, a, place) for a in wave.attempts]
        number += len(wave.attempts)
    return placed


def _assign(attempts: list[tuple[int, Attempt]], environment: int, gathering: _Gathering) -> None:
    """Add the attempts of one revision in one wave to their devices."""
    newest = newest_results([a for _, a in attempts])
    for number, attempt in attempts:
        moment = attempt.start_at or attempt.created_at or attempt.ended_at or _NEVER
        for identity, name, sent in _held(number, attempt):
            entry = gathering.of(environment, identity, name)
            entry.sent.append((moment, sent))
            if sent.outcome == "notSent" or (entry.state is not None and entry.state[0] > moment):
                continue
            last = newest.get(identity)
            unchanged = last is None or sent.outcome == Outcome.WAITING.value
            outcome, reason = (sent.outcome, sent.reason) if unchanged else _words(last)
            entry.state = (moment, outcome, reason, sent)


def _held(number: int, attempt: Attempt) -> Iterator[tuple[str, str, Sent]]:
    """Yield identity, name and fate of each device of an attempt."""
    answered: set[str] = set()
    for result in attempt.results:
        answered.update((fold(result.device), fold(result.name or result.device)))
        outcome, reason = _words(result)
        sent = Sent(
            attempt=number,
            outcome=outcome,
            reason=reason,
            detail=result.detail,
            via=result.via or "",
            proof=_proof(attempt, result.device),
        )
        yield result.device, result.name or "", sent
    for device in attempt.skipped_devices:
        if fold(device) not in answered:
            answered.add(fold(device))
            spared = Sent(attempt=number, outcome=Outcome.SUCCEEDED.value, proof="spared")
            yield device, attempt.names.get(device, ""), spared
    outcome = "waiting" if attempt.live else "notSent" if _never_sent(attempt) else "unknown"
    for device in attempt.devices:
        if fold(device) not in answered:
            answered.update((fold(device), fold(attempt.names.get(device, device))))
            yield device, attempt.names.get(device, ""), Sent(attempt=number, outcome=outcome)
    for key in attempt.members or attempt.targets:
        if key.startswith(_SINGLE) and fold(key) not in answered:
            yield _identity(key), "", Sent(attempt=number, outcome=outcome)


def _never_sent(attempt: Attempt) -> bool:
    return not attempt.was_sent or attempt.never_started


def _proof(attempt: Attempt, device: str) -> str:
    check = attempt.version_check
    if check is None:
        return ""
    return "reverted" if device in check.reverted else "reported" if device in check.confirmed else ""


def _words(result: DeviceResult | None) -> tuple[str, str]:
    if result is None:
        return Outcome.UNKNOWN.value, ""
    reason = result.reason.value if result.reason is not None else ""
    return result.outcome.value, reason


def _placed(record: Record, wave: WaveRecord, attempt: Attempt, place: int) -> AttemptPlace:
    return AttemptPlace(
        rollout=place,
        wave=wave.name,
        number=attempt.number,
        unit_id=attempt.unit_id,
        version=record.version if attempt.generation == record.generation else "",
        image_sha256=attempt.image_sha256,
        stage=attempt.stage.value,
        start_at=attempt.start_at,
        ended_at=attempt.ended_at,
    )


def _name_declared(each: RolloutFacts, place: int, environment: int, gathering: _Gathering) -> None:
    """Add labels, and devices that nothing was sent to yet (rule 3)."""
    for device in declared_devices(each.declared):
        entry = gathering.of(environment, _identity(device.key), device.dev_eui or "")
        entry.labels.update(dict.fromkeys(f"{k}={v}" for k, v in device.labels.items()))
        entry.wanted[place] = None
    for key in _waiting_members(each.stored.record.waves):
        gathering.of(environment, _identity(key), "").wanted[place] = None


def _waiting_members(waves: Iterable[WaveRecord]) -> Iterator[str]:
    for wave in waves:
        yield from (key for key in wave.members if key.startswith(_SINGLE))


def _identity(key: str) -> str:
    return key.partition(":")[2]


def _finished(entry: _Entry, attempts: list[AttemptPlace]) -> PageDevice:
    ordered = sorted(entry.sent, key=lambda held: held[0])
    sent = tuple(each for _, each in ordered)
    sending = {attempts[each.attempt].rollout for each in sent}
    verdict, reason, newest = "notSent", "", -1
    if entry.state is not None:
        _, verdict, reason, last = entry.state
        newest = sent.index(last)
    return PageDevice(
        environment=entry.environment,
        id=entry.id,
        name=entry.name,
        labels=tuple(sorted(entry.labels)),
        sent=sent,
        verdict=verdict,
        reason=reason,
        newest=newest,
        wanted=tuple(place for place in entry.wanted if place not in sending),
    )
