"""Reads what a scenario left: what devices were really sent, the units, the record, the ledgers.

Times, and ids that a service draws, are left out: a fault may delay, but not change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otactl.drift.ledger import PERHAPS_OTACTL
from otactl.journal import S3Journal, SqlJournal
from otactl.model import Attempt, DriftEntry, DriftStatus, Phase, Record, Stage
from otactl.model.record import WaveRecord
from otactl_simulator.world import World
from tests.support.faults.controller import JOURNAL_URL

State = dict[str, Any]
_OVER = {stage.value for stage in Stage if stage.is_over}
_ENDED = ("COMPLETED", "CANCELED")


def records(journal: str, folder: Path) -> dict[str, Record]:
    """Return the records of the journal."""
    opened = SqlJournal(folder / "journal.db") if journal == "sqlite" else S3Journal(JOURNAL_URL)
    with opened:
        return {name: stored.record for name, stored in opened.load_all("prod-eu").items()}


def state(world: World, created: Counter[str], found: Mapping[str, Record]) -> State:
    """Return what there is at the services and in the journal."""
    world.advance()
    ids = {a.vendor_id: a.unit_id for r in found.values() for w in r.waves for a in w.attempts if a.vendor_id}
    return {
        "sent": _sent(world),
        "created": dict(sorted(created.items())),
        "live": _live(world, ids),
        "records": {name: _record(record, ids) for name, record in sorted(found.items())},
    }


def at_rest(left: State) -> bool:
    """Return whether nothing is under way any more."""
    known = [r for r in left["records"].values() if r["waves"]]
    over = all(r["phase"] in (Phase.SUCCEEDED.value, Phase.FAILED.value) for r in known)
    stages = {a["stage"] for r in known for w in r["waves"] for a in w["attempts"]}
    return bool(known) and over and stages <= _OVER and not left["live"]


def _sent(world: World) -> dict[str, object]:
    """Return what each device holds or installed, by the services' own books."""
    snapshot: dict[str, Any] = world.snapshot()
    found: dict[str, object] = {}
    for held in snapshot["iotwireless"].values():
        found |= {d["parameters"]["Name"]: d["image_sha256"][:8] for d in held["devices"]}
    for held in snapshot["iot"].values():
        found |= {t["name"]: {k[:8]: n for k, n in t["installs"].items()} for t in held["things"]}
    for device in snapshot["tuya"]["devices"]:
        found[device["deviceName"]] = {k[:8]: n for k, n in device["installs"].items()}
    return found


def _live(world: World, ids: Mapping[str, str]) -> dict[str, str]:
    """Return the units that the services show and that have not ended."""
    snapshot: dict[str, Any] = world.snapshot()
    found: dict[str, str] = {}
    for held in snapshot["iotwireless"].values():
        for task in held["tasks"]:
            if task["status"] != "Delete_Waiting":
                found[ids.get(task["id"], task["id"])] = task["status"]
    for held in snapshot["iot"].values():
        found |= {u["id"]: u["status"] for u in held["updates"]}
    for job in snapshot["tuya"]["jobs"]:
        if job["status"] not in _ENDED:
            found[ids.get(job["jobId"], job["jobId"])] = job["status"]
    return found


def _record(record: Record, ids: Mapping[str, str]) -> State:
    return {
        "phase": record.phase.value,
        "waves": [_wave(wave) for wave in record.waves],
        "intents": len(record.intents),
        "failure": record.failure.reason if record.failure is not None else "",
        "ledger": sorted(
            (ids.get(e.subject, e.subject), e.field, e.cause.value, _status(e), e.open) for e in record.drift
        ),
    }


def _status(entry: DriftEntry) -> str:
    """Return what became of an entry; one that is closed as perhaps ours was corrected, and the answer was lost."""
    return DriftStatus.CORRECTED.value if entry.closed_by == PERHAPS_OTACTL else entry.status.value


def _wave(wave: WaveRecord) -> State:
    verdict = wave.verdict
    judged = None
    if verdict is not None:
        judged = (verdict.passed, verdict.succeeded, verdict.failed, verdict.total, verdict.reason)
    return {
        "name": wave.name,
        "members": wave.members,
        "released": wave.released,
        "verdict": judged,
        "attempts": [_attempt(a) for a in wave.attempts],
    }


def _attempt(attempt: Attempt) -> State:
    results = sorted((r.device, r.outcome.value, r.reason.value if r.reason else "") for r in attempt.results)
    return {
        "unit": attempt.unit_id,
        "number": attempt.number,
        "known": attempt.vendor_id is not None,
        "skipped": sorted(attempt.skipped_devices),
        "stage": attempt.stage.value,
        "members": attempt.members,
        "canceled": attempt.canceled_by_us,
        "withdrawn": attempt.withdrawn,
        "failure": attempt.failure,
        "missing": attempt.missing_since is not None,
        "results": results,
    }


def without_closed(here: State, end: State) -> State:
    """Return a state without the closed entries of its ledgers that another end does not have.

    What a short list or a stale read lacks is not there for the one read, and each change that was seen is in the
    ledger.
    """
    found = {}
    for name, record in here["records"].items():
        expected = end["records"].get(name, {}).get("ledger", [])
        found[name] = {**record, "ledger": [e for e in record["ledger"] if e[-1] or e in expected]}
    return {**here, "records": found}


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Return where two states differ, in words."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(k for k in other if k not in one)]
        return [d for k in keys for d in differences(one.get(k), other.get(k), f"{where}.{k}".lstrip("."))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = zip(one, other, strict=True)
        return [d for n, (a, b) in enumerate(pairs) for d in differences(a, b, f"{where}[{n}]")]
    return [] if one == other else [f"{where}: undisturbed {one!r}, here {other!r}"]
