"""Reads one OTA update as a unit: record, job, problems, and its devices' results once it has ended.

1. Creation takes a while and can fail; until it is complete nothing but its status is compared.
2. A unit has ended when its job is COMPLETED, or CANCELED with no device in progress. With `confirm: version` it
   continues until every device that took the image reports it, or the time for it is over (version_proof).
3. A job that is not to be seen right after its record is complete is a read that lags.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import cast

import msgspec

from otactl.backends.aws.device_versions import VersionReader
from otactl.backends.iot_ota import endless_jobs
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.executions import (
    SETTLE,
    disagreement,
    newest,
    no_one_moves,
    result,
    sorted_out,
    tally_of,
)
from otactl.backends.iot_ota.fields import maker, observed
from otactl.backends.iot_ota.problems import LAG, OVERDUE, Concerns
from otactl.backends.iot_ota.reads import JobReader, counts, keys_of, moment
from otactl.backends.iot_ota.statuses import MOVING, OUR_CODES, SUSPEND_CODE, job_phase, record_phase
from otactl.backends.iot_ota.version_proof import JobProof, ended_at
from otactl.model import (
    Attempt,
    Cause,
    Gate,
    JsonObject,
    Outcome,
    Reason,
    Rollout,
    ServiceFinding,
    Stage,
    Unit,
    UnitPhase,
    WaveRecord,
    iso,
)
from otactl.model.tags import TAG_GENERATION, TAG_WAVE
from otactl.verdicts.deadlines import answers_until
from otactl.verdicts.gate import reasons_matter
from otactl.verdicts.version_claims import Proof, proof_of, shown_successes

STUCK = timedelta(hours=1)  # creations take seconds; a larger image to sign takes minutes


class UnitReader:
    """Reads units."""

    def __init__(self, reader: JobReader, concerns: Concerns, versions: VersionReader) -> None:
        self._reader, self._concerns, self._proof = reader, concerns, JobProof(reader, versions)

    def unit(self, attempt: Attempt, rollout: Rollout, wave: WaveRecord | None = None) -> Unit | None:
        """Return the unit of an attempt at a wave; None when neither its record nor its job is there."""
        update_id = attempt.vendor_id or attempt.unit_id
        record, job = self._reader.record(update_id), self._reader.job(update_id)
        if job is not None and job_phase(job.get("status")) is UnitPhase.BROKEN:
            job = None  # being deleted: it serves no device any more
        if record is None:
            return None if job is None else self._without_record(update_id, attempt, rollout, wave, job)
        return self._with_record(update_id, attempt, rollout, wave, record, job)

    def _without_record(
        self, update_id: str, attempt: Attempt, rollout: Rollout, wave: WaveRecord | None, job: JsonObject
    ) -> Unit:
        shown = Unit(unit_id=update_id, phase=UnitPhase.RUNNING, vendor_id=update_id, readable=False)
        if attempt.stage is Stage.ENDED:  # we deleted the record; its job stayed behind
            return _replace(shown, phase=UnitPhase.ENDED)
        return self._running(shown, attempt, rollout, wave, None, job)

    def _with_record(
        self,
        update_id: str,
        attempt: Attempt,
        rollout: Rollout,
        wave: WaveRecord | None,
        record: JsonObject,
        job: JsonObject | None,
    ) -> Unit:
        phase = record_phase(record.get("otaUpdateStatus"))
        arn = str(record.get("otaUpdateArn", ""))
        shown = Unit(
            unit_id=update_id,
            phase=phase,
            vendor_id=update_id,
            arn=arn,
            job_id=str(record.get("awsIotJobId") or ""),
            tags=self._concerns.tags(arn),
            members=keys_of(record.get("targets")),
            start_at=moment(record.get("creationDate")),
            created_at=moment(record.get("creationDate")),
            readable=False,
            journal_id=maker(record),
        )
        if phase is UnitPhase.FAILED:
            return _replace(shown, failure=_error(record), leftovers=self._concerns.leftovers(record))
        if phase is UnitPhase.ENDED:  # its deletion failed
            shown = _replace(shown, failure=_error(record))
        elif phase is not UnitPhase.RUNNING:
            return self._making(shown)
        if attempt.stage is Stage.ENDED:
            return _replace(shown, phase=UnitPhase.ENDED)
        if job is None:
            changed = moment(record.get("lastModifiedDate"))
            young = changed is not None and self._reader.now() - changed < LAG
            return _replace(shown, phase=UnitPhase.SCHEDULED if young else UnitPhase.BROKEN)
        return self._running(shown, attempt, rollout, wave, record, job)

    def _making(self, shown: Unit) -> Unit:
        """Return a creation or deletion under way; one that takes too long is reported."""
        since = shown.created_at
        if shown.phase is not UnitPhase.SCHEDULED or since is None or self._reader.now() - since < STUCK:
            return shown
        started = f"started at {iso(since)}"
        late = ServiceFinding(field="creation", desired="complete", observed=started, cause=Cause.VENDOR)
        text = f"the service has not finished its creation, {started}"
        return _replace(shown, findings=(*shown.findings, late), overdue=text)

    def _running(
        self,
        shown: Unit,
        attempt: Attempt,
        rollout: Rollout,
        wave: WaveRecord | None,
        record: JsonObject | None,
        job: JsonObject,
    ) -> Unit:
        spec = OtaUpdateConfig.of(rollout)
        spec = spec.once if attempt.retry_targets and spec.endless else spec
        phase = job_phase(job.get("status"))
        started = sum(counts(job)[name] for name in MOVING)  # canceling takes a while, too
        canceled = job.get("status") == "CANCELED"
        ghosts = self._ghosts(shown.unit_id, spec, job) if started and attempt.live else ()
        if ghosts:
            phase = UnitPhase.ENDED
        elif phase is UnitPhase.ENDED and canceled and started:
            phase = UnitPhase.RUNNING  # those that began go on
        gate = _gate(shown, rollout)
        until = answers_until(attempt, gate)
        until = until if until is not None and self._reader.now() >= until else None
        if attempt.live and spec.endless:
            judged = wave is not None and wave.verdict_of(rollout.generation) is not None
            listing = partial(self._reader.executions, shown.unit_id)
            outcomes, failures = endless_jobs.tally(counts(job), attempt, gate, until, judged=judged, listing=listing)
        else:
            outcomes, failures = self._tally(shown.unit_id, attempt, job)
        if attempt.live and failures:
            failures = self._reasons(shown, gate, outcomes, failures, due=until is not None)
        concerns = (*shown.findings, *self._concerns.of(shown.unit_id, record, job, rollout.firmware))
        unit = _replace(
            shown,
            overdue=self._concerns.overdue(concerns),
            phase=phase,
            members=keys_of(job.get("targets")),
            canceled_by_us=canceled and _code(job) in OUR_CODES,
            withdrawn=canceled and _code(job) == SUSPEND_CODE,
            stopping=canceled or phase is UnitPhase.ENDED,  # what waits for versions only starts no device either
            fields=observed(record, job, spec.document) if record is not None else {},
            readable=record is not None,
            findings=concerns,
            progress={name: n for name, n in counts(job).items() if n},
            tally=outcomes,
            failures=failures,
            updated_uncounted=self._updated(shown.unit_id) if _grew(attempt, spec, job) else (),
        )
        if not attempt.live:
            return unit
        proof = proof_of(rollout, attempt.generation or unit.tags.get(TAG_GENERATION, ""), attempt.version)
        if proof is not None and proof.declared:
            before = unit.progress
            unit = self._proof.running(unit, attempt, wave, rollout, proof, until if spec.endless else None)
            if spec.endless:
                unit = _replace(unit, progress=endless_jobs.progress(unit, before, outcomes))
        if phase is not UnitPhase.ENDED:
            return unit
        unit = _replace(unit, findings=(*concerns, *ghosts))
        # What we canceled goes on, or follows: those that joined later, too.
        late = until if spec.endless and _code(job) not in OUR_CODES else None
        return self._judged(unit, attempt, rollout, job, proof, late, final=bool(ghosts) or self._is_over(job))

    def _updated(self, update_id: str) -> tuple[str, ...]:
        """Return the things that took the image of a job without an end: no attempt records whom it is for."""
        things = newest(self._reader.executions(update_id)).items()
        return tuple(sorted(name for name, item in things if result(item).outcome is Outcome.SUCCEEDED))

    def _ghosts(self, update_id: str, spec: OtaUpdateConfig, job: JsonObject) -> tuple[ServiceFinding, ...]:
        """Return devices that a job counts as in progress, and does not list any more: no device is left to wait for.

        Looked for once it was canceled some time ago, or was made a day ago; one that goes on for ever has no end.
        """
        if job.get("status") == "CANCELED":
            due = self._is_over(job)
        else:
            made = moment(job.get("createdAt"))
            due = not spec.endless and made is not None and self._reader.now() - made >= OVERDUE
        if not due:
            return ()
        listed = self._reader.executions(update_id)
        return disagreement(listed, counts(job), ()) if no_one_moves(listed, job) else ()

    def _is_over(self, job: JsonObject) -> bool:
        """Return whether its end is long enough ago for every read to show it."""
        ended = ended_at(job)
        return ended is None or self._reader.now() - ended >= SETTLE

    def _tally(self, update_id: str, attempt: Attempt, job: JsonObject) -> tuple[dict[Outcome, int], dict[Reason, int]]:
        """Return its devices by outcome, and those that failed by reason.

        Where it counts more executions than it has things, by the newest of each thing, which costs the list.
        """
        counted = counts(job)
        if attempt.live and 0 < attempt.size < sum(counted.values()):
            return tally_of(newest(self._reader.executions(update_id)).values())
        outcomes, failures = sorted_out(counted)
        return outcomes or ({Outcome.WAITING: attempt.size} if attempt.size else {}), failures

    def _reasons(
        self, shown: Unit, gate: Gate, outcomes: dict[Outcome, int], failures: dict[Reason, int], *, due: bool
    ) -> dict[Reason, int]:
        """Return the failures of a job that runs by reason, in the devices' own words where those decide its gate."""
        if not reasons_matter(gate, outcomes, failures, due):
            return failures
        known: dict[Reason, int] = {reason: n for reason, n in failures.items() if reason is not Reason.UNKNOWN}
        for reason, number in self._reader.reasons(shown.unit_id).items():
            known[reason] = known.get(reason, 0) + number
        return known

    def _judged(
        self,
        unit: Unit,
        attempt: Attempt,
        rollout: Rollout,
        job: JsonObject,
        proof: Proof | None,
        until: datetime | None,
        *,
        final: bool,
    ) -> Unit:
        gates = (rollout.strategy.gate, *(w.gate for w in rollout.strategy.waves if w.gate is not None))
        every = rollout.strategy.retry is not None or any(gate.weights for gate in gates)
        things, stopped = _things(attempt, unit.members), attempt.canceled_before if _code(job) in OUR_CODES else None
        found = self._reader.results(unit.unit_id, job, things, final=final, every=every, stopped=stopped, until=until)
        unit = _replace(unit, findings=(*unit.findings, *(c for c in found.concerns if c not in unit.findings)))
        if found.results is None:
            return _replace(unit, phase=UnitPhase.RUNNING)
        if proof is None:
            return _replace(unit, results=found.results)
        return self._proof.ended(unit, found, attempt, rollout, proof, job)


def _gate(shown: Unit, rollout: Rollout) -> Gate:
    """Return the gate of a unit's wave."""
    wave = next((w for w in rollout.strategy.waves if w.name == shown.tags.get(TAG_WAVE)), None)
    return rollout.gate_of(wave) if wave is not None else rollout.strategy.gate


def _grew(attempt: Attempt, spec: OtaUpdateConfig, job: JsonObject) -> bool:
    """Return whether more things took the image of a job without an end than the last observation showed."""
    before = shown_successes(attempt.progress)
    return spec.endless and attempt.live and counts(job).get("succeeded", 0) > before


def _things(attempt: Attempt, members: tuple[str, ...]) -> tuple[str, ...]:
    """Return the things an attempt was started with, or has in."""
    named = (k.partition(":")[2] for k in attempt.members or members if k.startswith("device:"))
    return tuple(sorted({*named, *attempt.devices}))


def _code(job: JsonObject) -> str:
    """Return why a job was canceled, as whoever did it wrote."""
    return str(job.get("reasonCode") or "")


def _error(record: JsonObject) -> str:
    error = cast("JsonObject", record.get("errorInfo") or {})
    words = ": ".join(" ".join(str(error[n]).split()) for n in ("code", "message") if error.get(n))
    return words or "the service gives no reason"


def _replace(unit: Unit, **changes: object) -> Unit:
    return msgspec.structs.replace(unit, **changes)
