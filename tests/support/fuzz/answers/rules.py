"""Judges a run whose answers were damaged, against the same run with the true ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from zlib import crc32

import msgspec

from otactl.backends.tuya.schemas import (
    FIRMWARES,
    JOBS_BY_FIRMWARE,
    MODULE_VERSIONS,
    TASKS_BY_JOB,
    CreatedJob,
    FirmwareInfo,
    JobInfo,
    JobRow,
    ModuleVersion,
    TaskInfo,
)
from otactl.errors import OtactlError
from otactl.model import Outcome, Record
from tests.support.fuzz.answers.clients import Read
from tests.support.fuzz.answers.damage import Damage, Input, parsed
from tests.support.fuzz.answers.play import Played, play, records_of
from tests.support.fuzz.answers.scenes import BUDGET, Scene, scenes
from tests.support.fuzz.kind import must

DECIDES = frozenset(
    (
        "CreateFuotaTask",
        "StartFuotaTask",
        "DeleteFuotaTask",
        "CreateOTAUpdate",
        "DeleteOTAUpdate",
        "CancelJob",
        "DeleteJob",
        "CreateOTAStaticUpgradeJob",
        "CreateOTAVerifyJob",
        "CancelOTATaskByJob",
        "CancelOTATaskByDevice",
        "ConfirmOTATask",
    )
)
"""Writes that a run with a damaged answer sends only if it had sent the same without."""
ONCE = frozenset(("CreateOTAStaticUpgradeJob", "CreateOTAVerifyJob"))
"""Those of them that do harm when they are sent again as they were."""
LONGEST = 3000
AGAIN = 4
"""One in so many inputs is followed by a pass with true answers."""
_MAPS = frozenset(("additionalParameters", "detailsMap", "attributes", "srcVersions"))
"""Members whose keys are not the service's: another key there is another value."""
_CALL = re.compile(r"\b(iotwireless|iot|iot-data|signer|s3|iam|sts|tuya):[A-Z]\w+")


@lru_cache(maxsize=256)
def undamaged(service: str, name: str) -> tuple[Scene, Played]:
    """Return a recorded run, and what becomes of it without damage."""
    scene = next(s for s in scenes(service) if s.name == name)
    return scene, play(scene)


@lru_cache(maxsize=4)
def looked_at(service: str) -> Read:
    """Return the members that any recorded run of a service looks at, of answers of AWS."""
    read: Read = set()
    for scene in scenes(service):
        undamaged(service, scene.name)  # what is parsed for the first time is not watched
        play(scene, read=read)
    return read


def _unread(service: str, scene: Scene, damage: Damage) -> bool:
    """Return whether a damage is one that no reader can see: a member that is not known, or not looked at."""
    call = scene.tape.calls[damage.call]
    document = parsed(call.raw)
    if damage.how == "extra":
        return isinstance(document, dict) and not _MAPS & set(damage.path)
    if damage.how not in ("drop", "null", "set") or not isinstance(document, dict) or len(document) < 2:
        return False
    if call.service == "tuya":
        names = [str(part).lower() for part in damage.path if isinstance(part, str)]
        return bool(names) and names[-1] not in _known_to_tuya() and isinstance(damage.path[-1], str)
    found = document
    for part in damage.path:
        found = found[part]
    if damage.how == "set" and not (isinstance(found, str) and isinstance(damage.value, str)):
        return False
    place = (call.operation, *("[]" if isinstance(part, int) else part for part in damage.path))
    read = looked_at(service)
    return (
        call.service in ("iot", "iotwireless") and bool(damage.path) and not any(p[: len(place)] == place for p in read)
    )


@lru_cache(maxsize=1)
def _known_to_tuya() -> frozenset[str]:
    kinds: tuple[type[msgspec.Struct], ...] = (TaskInfo, JobInfo, JobRow, FirmwareInfo, ModuleVersion, CreatedJob)
    fields = {f.encode_name.lower() for kind in kinds for f in msgspec.structs.fields(kind)}
    lists = {
        word.lower()
        for rows in (FIRMWARES, JOBS_BY_FIRMWARE, TASKS_BY_JOB, MODULE_VERSIONS)
        for word in (rows.container, rows.key)
    }
    return frozenset({*fields, *lists, "success", "code", "errormessage", "total", "pagecount"})


def judge(service: str, given: Input) -> str:
    """Judge one run; return whether it was the same, refused something, or came out otherwise."""
    scene, whole = undamaged(service, given.scene)
    try:
        found = play(scene, given.damages)
    except OtactlError as error:
        _words(str(error))
        return "refused"
    for text in _texts(found):
        _words(text)
    must(found.calls <= BUDGET, f"{found.calls} calls")
    _nothing_more(found, whole, "it", given.damages)
    _devices_are_true(scene, found, whole)
    if crc32(repr(given).encode()) % AGAIN == 0:
        _next_run_is_true(service, scene, whole, found, given.damages)
    if all(_unread(service, scene, damage) for damage in given.damages):
        must(same_end(found, whole), "it came out otherwise, and no reader can see the damage")
    if same_end(found, whole):
        return "same"
    errors = any(True for _ in _errors(found))
    return "refused" if errors else "held"


def _nothing_more(found: Played, whole: Played, who: str, damages: tuple[Damage, ...] = ()) -> None:
    """Check what was sent; a name that only the damaged answer gives goes into calls as it came."""
    for call in found.sent:
        if call[1] not in DECIDES or call in whole.sent:
            continue
        given = json.loads(call[2])
        values = {d.value for d in damages if isinstance(d.value, str | int | float)}
        values |= {str(value) for value in values}
        like = [json.loads(c[2]) for c in whole.sent if c[:2] == call[:2]]
        same = any(_same_but(given, true, values) for true in like)
        must(same, f"{who} sent {call[1]} with {call[2][:300]}, which no true answer led to")


def _same_but(given: Any, true: Any, values: set[Any]) -> bool:
    """Return whether parameters are the true ones, but for values that an answer was damaged with."""
    if isinstance(given, dict) and isinstance(true, dict):
        return given.keys() == true.keys() and all(_same_but(given[k], true[k], values) for k in given)
    if isinstance(given, list) and isinstance(true, list):
        return len(given) == len(true) and all(map(_same_but, given, true, [values] * len(given)))
    return bool(given == true or (isinstance(given, str | int | float) and given in values))


def _devices_are_true(scene: Scene, found: Played, whole: Played) -> None:
    """Check that only those succeeded and passed that did before the pass, or do in it without damage."""
    true, before = whole.records, records_of(scene.journal)
    for name, record in found.records.items():
        known = [records[name] for records in (true, before) if name in records]
        more = _succeeded(record) - set().union(*map(_succeeded, known))
        must(not more, f"{sorted(more)[:3]} count as succeeded, and no true answer says so")
        passed = _passed(record) - set().union(*map(_passed, known))
        must(not passed, f"wave {sorted(passed)} passed, and did not without damage")


def _next_run_is_true(service: str, scene: Scene, whole: Played, found: Played, damages: tuple[Damage, ...]) -> None:
    """Run again with true answers, where those of a recorded pass fit what was sent: nothing wrong was recorded."""
    every = scenes(service)
    number = every.index(scene)
    if found.sent == whole.sent and number + 1 < len(every) and every[number + 1].now == scene.now:
        scene = every[number + 1]
    elif found.sent:
        return
    true = undamaged(service, scene.name)[1]
    again = play(scene, journal=found.journal)
    again.sent = [call for call in again.sent if call not in found.sent or call[1] in ONCE]
    _nothing_more(again, true, "the next pass with true answers", damages)
    _devices_are_true(scene, again, true)


def same_end(found: Played, whole: Played) -> bool:
    """Return whether two runs sent and recorded the same."""
    return found.journal.records == whole.journal.records and found.sent == whole.sent


def _succeeded(record: Record) -> set[str]:
    shown = {f"{r.device} by {a.unit_id}" for a in record.attempts for r in a.results if r.outcome is Outcome.SUCCEEDED}
    return shown | {f"{d} before {a.unit_id}" for a in record.attempts for d in a.skipped_devices}


def _passed(record: Record) -> set[str]:
    passed = (w for w in record.waves if w.released or (w.verdict is not None and w.verdict.passed))
    return {f"{w.name} {w.verdict_generation}" for w in passed}


def _errors(found: Played) -> Iterator[str]:
    yield from (f"{e.reason}: {e.message}" for e in found.report.errors)
    yield from (r.error for r in found.report.rollouts if r.error)


def _texts(found: Played) -> Iterator[str]:
    yield from _errors(found)
    yield from (h.message for r in found.report.rollouts for h in r.holds)
    yield from found.report.notes
    for record in found.records.values():
        if record.failure is not None:
            yield f"{record.failure.reason}: {record.failure.message}"
        yield from (h.message for h in record.holds)
        yield from (c.message for c in record.conditions)
    for events in found.journal.events.values():
        yield from (e.message for e in events)


def _words(text: str) -> None:
    must("defect of otactl" not in text, text)
    must(len(text.splitlines()) <= 1, f"not one line: {text[:200]!r}")
    must(len(text) <= LONGEST, f"{len(text)} characters: {text[:200]!r}")
    if "AnswerInvalid" in text:
        must(_CALL.search(text), f"no call is named: {text}")
