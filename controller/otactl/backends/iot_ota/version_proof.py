"""Decides the success of an OTA update by the version that each of its things reports.

1. While the job runs, the things that took the image and have not reported the version are claims (version_claims).
   Their executions are listed, and their versions read, only while the wave passes if every claim is true.
2. Once the job has ended the version of every thing is read, except of those that were canceled before they had the
   image. `within` counts from the job's end. Under an abort, and for a revision that is not declared any more, no
   thing is waited for.
3. Versions that cannot be read decide nothing: the unit runs on, and is overdue.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from otactl.backends.aws.device_versions import VersionReader
from otactl.backends.iot_ota.executions import Judged, queued_by, took
from otactl.backends.iot_ota.reads import DETAILS, JobReader, moment
from otactl.errors import StalledError
from otactl.model import (
    Attempt,
    DeviceResult,
    JsonObject,
    Outcome,
    Reason,
    Rollout,
    Unit,
    UnitPhase,
    VersionClaims,
    WaveRecord,
)
from otactl.verdicts import version_claims
from otactl.verdicts.version_claims import Proof
from otactl.verdicts.version_proof import ReportedVersions, confirmed
from otactl.verdicts.wave_verdict import needs_proof, passed


class JobProof:
    """Confirms the things of jobs."""

    def __init__(self, reader: JobReader, versions: VersionReader) -> None:
        self._reader, self._versions = reader, versions

    def running(
        self,
        unit: Unit,
        attempt: Attempt,
        wave: WaveRecord | None,
        rollout: Rollout,
        proof: Proof,
        until: datetime | None = None,
    ) -> Unit:
        """Return a unit that runs, with its claims as waiting (rule 1).

        Things count that had an execution at `until`, all without it.
        """
        confirm, version = proof.confirm, proof.version
        succeeded, known, now = unit.tally.get(Outcome.SUCCEEDED, 0), attempt.claims, self._reader.now()
        if unit.phase is not UnitPhase.RUNNING or not succeeded or not needs_proof(wave, attempt, unit, rollout, now):
            return version_claims.counted(unit, version_claims.unread(known, succeeded))
        released = passed(wave, rollout)
        if released and known.read and not known.open and unit.progress == version_claims.as_taken(attempt.progress):
            return version_claims.counted(unit, known)  # the same as in the pass before
        mine = took(queued_by(self._reader.executions(unit.unit_id), until))
        at_once = None if confirm.version.index_query is not None else version_claims.AT_ONCE
        asked = version_claims.to_read(mine, known, at_once, released=released)
        reported: dict[str, str | None] | None = None
        try:
            reported = self._versions.reported(asked, confirm.version, version) if asked else {}
        except StalledError as error:
            unit = version_claims.unreadable(unit, error)
        claims = version_claims.after(mine, known, reported, version, released=released)
        lacks = max(succeeded - len(mine), 0)  # the list is behind the counts
        return version_claims.counted(unit, msgspec.structs.replace(claims, open=claims.open + lacks))

    def ended(
        self, unit: Unit, found: Judged, attempt: Attempt, rollout: Rollout, proof: Proof, job: JsonObject
    ) -> Unit:
        """Return a unit whose job has ended, with its results, or running on while things may still report (rule 2)."""
        results, confirm, version = found.results or (), proof.confirm, proof.version
        names = tuple(r.device for r in results if not (unit.canceled_by_us and r.reason is Reason.CANCELED))
        try:
            reported = self._versions.reported(names, confirm.version, version)
        except StalledError as error:
            if proof.declared:
                return version_claims.unreadable(msgspec.structs.replace(unit, phase=UnitPhase.RUNNING), error)
            reported = {}
        now = self._reader.now()
        final = version_claims.is_final(proof, attempt, rollout, ended_at(job), now, canceled=unit.canceled_by_us)
        before = self._before(unit.unit_id, results, reported, version) if final else {}
        proved = confirmed(unit, results, ReportedVersions(versions=reported, before=before), version, final=final)
        if proved.phase is UnitPhase.ENDED:
            return proved
        mine = {r.device: found.took[r.device] for r in results if r.device in found.took}
        return msgspec.structs.replace(proved, claims=version_claims.after(mine, VersionClaims(), reported, version))

    def _before(
        self, update_id: str, results: tuple[DeviceResult, ...], reported: dict[str, str | None], version: str
    ) -> dict[str, str]:
        """Return what devices ran before, of those that report another version: one call each, once their time is over.

        Of many only the first are asked, as for the words of those that failed.
        """
        other = [
            r.device
            for r in results
            if r.outcome is Outcome.SUCCEEDED and reported.get(r.device) not in (None, version)
        ]
        found = ((d, self._reader.updated_by(update_id, d)) for d in other[:DETAILS])
        return {device: before for device, before in found if before}


def ended_at(job: JsonObject) -> datetime | None:
    """Return when a job ended, as far as it shows it."""
    return next((m for n in ("completedAt", "lastUpdatedAt") if (m := moment(job.get(n)))), None)
