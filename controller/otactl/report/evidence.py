"""Collects the evidence of one rollout from its record, its events and its manifest; says what the rest of it is worth.

1. The record says what was sent and what devices reported; the manifest, if it is the one that was last recorded, says
   gates, approvals and how success is proved. Of another manifest nothing is taken.
2. Of a device that several attempts reached the newest result counts, attempts of other revisions are left out.
3. Devices with the same result share one entry, so that 10,000 of them fit into a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from otactl.model import Attempt, DeviceResult, DriftEntry, Event, Outcome, Record, Rollout, Wave, iso, iso_or_none
from otactl.report.evidence_values import (
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    ApprovalLine,
    AttemptLine,
    ChainLine,
    DeviceGroup,
    DriftEvidence,
    Evidence,
    Firmware,
    GateLine,
    Manifest,
    Producer,
    RunLine,
    VerdictLine,
    WaveLine,
)

_Key = tuple[str, int, str, str | None, str | None, str, str | None]


def collect(
    record: Record,
    events: Iterable[Event],
    rollout: Rollout | None,
    chain: ChainLine | None,
    producer: Producer,
    now: datetime,
) -> Evidence:
    """Gather what the journal records; of `rollout`, the manifest at hand, nothing is taken if it is another."""
    same = rollout if rollout is not None and rollout.source.digest == record.manifest else None
    waves = {w.name: w for w in same.strategy.waves} if same is not None else {}
    return Evidence(
        rollout=record.name,
        environment=record.environment,
        account=record.home.account if record.home is not None else "",
        region=record.home.region if record.home is not None else "",
        phase=record.phase.value,
        written_at=iso(now),
        producer=producer,
        manifest=Manifest(
            sha256=record.manifest, commit=record.commit, path=record.manifest_path, at_hand=same is not None
        ),
        firmware=_firmware(record, same),
        approvals=tuple(
            ApprovalLine(wave=a.wave, role=a.role, by=a.by, digest=a.digest, at=iso(a.at), devices=a.devices)
            for a in (same.approvals if same is not None else ())
        ),
        waves=tuple(
            WaveLine(
                name=w.name,
                gate=_gate(same, waves.get(w.name)),
                verdict=_verdict(record, w.name),
                attempts=tuple(_attempt(a) for a in w.attempts),
            )
            for w in record.waves
        ),
        devices=_devices(record, same),
        drift=tuple(_drift(d) for d in record.drift),
        runs=_runs(events),
        chain=chain,
    )


def statement(evidence: Evidence) -> bytes:
    """Return the in-toto statement: the image as its subject, the evidence as its predicate."""
    name = evidence.firmware.image or f"{evidence.rollout} {evidence.firmware.version}".strip()
    return msgspec.json.encode(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": evidence.firmware.sha256}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": evidence,
        }
    )


def image_digest(record: Record, rollout: Rollout | None) -> str:
    """Return the SHA-256 of the image of the present revision; "" where nothing records it."""
    if rollout is not None and rollout.source.digest == record.manifest:
        return rollout.firmware.sha256
    sent = (a.image_sha256 for a in reversed(record.attempts) if a.generation == record.generation and a.image_sha256)
    return next(sent, "")


def _firmware(record: Record, rollout: Rollout | None) -> Firmware:
    declared = rollout.firmware if rollout is not None else None
    return Firmware(
        version=record.version,
        image=declared.image if declared is not None else "",
        sha256=image_digest(record, rollout),
        size_bytes=declared.size_bytes if declared is not None else None,
        signature=declared.signature if declared is not None else None,
        sbom=declared.sbom if declared is not None else None,
    )


def _gate(rollout: Rollout | None, wave: Wave | None) -> GateLine | None:
    if rollout is None:
        return None
    gate = (wave.gate if wave is not None else None) or rollout.strategy.gate
    return GateLine(
        min_success_percent=gate.min_success_percent,
        min_reported=gate.min_reported,
        max_failures=gate.max_failures,
        silence_after=gate.silence_after,
        soak=gate.soak,
        confidence=float(1 - gate.risk) if gate.risk is not None else None,
    )


def _verdict(record: Record, name: str) -> VerdictLine | None:
    wave = record.wave(name)
    found = wave.verdict_of(record.generation) if wave is not None else None
    if found is None:
        return None
    return VerdictLine(
        passed=found.passed,
        succeeded=found.succeeded,
        failed=found.failed,
        unanswered=found.unanswered,
        total=found.total,
        percent=round(found.percent, 4),
        needed_percent=found.needed_percent,
        weighted_failures=found.weighted,
        reason=found.reason,
        at=iso(found.at),
    )


def _attempt(attempt: Attempt) -> AttemptLine:
    return AttemptLine(
        number=attempt.number,
        unit=attempt.unit_id,
        service_id=attempt.vendor_id,
        generation=attempt.generation,
        image_sha256=attempt.image_sha256,
        stage=attempt.stage.value,
        start_at=iso_or_none(attempt.start_at),
        ended_at=iso_or_none(attempt.ended_at),
        canceled=attempt.canceled_by_us,
    )


def _devices(record: Record, rollout: Rollout | None) -> tuple[DeviceGroup, ...]:
    """Group the devices by their newest result (rules 2 and 3)."""
    found: dict[str, tuple[_Key, str | None]] = {}
    for wave in record.waves:
        for attempt in wave.attempts:
            if attempt.generation != record.generation:
                continue
            at = iso_or_none(attempt.ended_at)
            for device in attempt.skipped_devices:
                key: _Key = (wave.name, attempt.number, "alreadyRan", None, record.version, "reportedVersion", at)
                found[device] = (key, attempt.names.get(device))
            for result in attempt.results:
                version, proof = _proof(record, attempt, result, rollout)
                reason = result.reason.value if result.reason is not None else None
                key = (wave.name, attempt.number, result.outcome.value, reason, version, proof, at)
                found[result.device] = (key, result.name)
    groups: dict[_Key, list[tuple[str, str | None]]] = {}
    for device, (key, name) in sorted(found.items()):
        groups.setdefault(key, []).append((device, name))
    order = {w.name: n for n, w in enumerate(record.waves)}
    return tuple(
        DeviceGroup(
            wave=key[0],
            attempt=key[1],
            outcome=key[2],
            reason=key[3],
            version=key[4],
            proof=key[5],
            at=key[6],
            devices=tuple(device for device, _ in mine),
            names=tuple(name or device for device, name in mine) if any(name for _, name in mine) else (),
        )
        for key, mine in sorted(groups.items(), key=lambda each: (order[each[0][0]], str(each[0])))
    )


def _proof(record: Record, attempt: Attempt, result: DeviceResult, rollout: Rollout | None) -> tuple[str | None, str]:
    """Return the version that a device is held to run, and what proves it."""
    if result.outcome is not Outcome.SUCCEEDED:
        return None, "none"
    check = attempt.version_check
    if check is not None and result.device in check.reverted:
        return None, "none"
    if check is not None and result.device in check.confirmed:
        return record.version, "reportedVersion"
    if rollout is None:
        return record.version, "notRecorded"
    return record.version, "transfer" if rollout.strategy.confirm == "transfer" else "reportedVersion"


def _drift(entry: DriftEntry) -> DriftEvidence:
    return DriftEvidence(
        subject=entry.subject,
        field=entry.field,
        desired=entry.desired,
        observed=entry.observed,
        cause=entry.cause.value,
        status=entry.status.value,
        first_seen=iso(entry.first_seen),
        closed_at=iso_or_none(entry.closed_at),
        closed_by=entry.closed_by,
        commit=entry.commit,
    )


def _runs(events: Iterable[Event]) -> tuple[RunLine, ...]:
    runs: list[RunLine] = []
    for event in events:
        at, last = iso(event.at), runs[-1] if runs else None
        if last is not None and (last.actor, last.commit) == (event.actor, event.commit):
            runs[-1] = msgspec.structs.replace(last, last=at, events=last.events + 1)
        else:
            runs.append(RunLine(actor=event.actor, commit=event.commit, first=at, last=at, events=1))
    return tuple(runs)
