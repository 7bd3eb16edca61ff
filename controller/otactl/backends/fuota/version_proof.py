"""Decides the success of a FUOTA task by the version that each device's thing reports.

1. A session's end is not shown, so `within` counts from the first pass that found the task done, which the journal
   keeps. Under an abort, and for a revision that is not declared any more, no device is waited for.
2. A device reports through the thing associated with it (GetWirelessDevice: ThingName, ThingArn). One without a thing
   is reported by name and waited for like the others: whoever associates it in time has its report counted.
3. MissingFrag is said falsely at times (Lora-net/SWL2001 #101), and a success shown before the start already proves
   nothing: such devices may have the image, so their report is waited for, too.
4. Reads are spent on what is undecided: in a pass the version of who has not reported yet, and a thing's name once in a
   task's life. When no device is left to wait for, or the time is over, all are read once more: a device that went
   back is seen, and the thing of a device without a report is looked up again.
"""

from __future__ import annotations

import msgspec

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.aws.device_versions import VersionReader
from otactl.backends.fuota.things import thing_in
from otactl.errors import StalledError
from otactl.model import (
    Attempt,
    Cause,
    DeviceResult,
    JsonObject,
    Outcome,
    Reason,
    Rollout,
    ServiceFinding,
    Unit,
    UnitPhase,
    VersionCheck,
    VersionConfirm,
)
from otactl.model.tags import TAG_GENERATION
from otactl.verdicts.version_claims import is_final, proof_of
from otactl.verdicts.version_proof import ReportedVersions, confirmed, some

NO_THING = "no thing is associated with it, so it reports no version"


class TaskProof:
    """Confirms tasks that are done."""

    def __init__(self, transport: AwsClient, versions: VersionReader) -> None:
        self._transport, self._versions = transport, versions

    def of(self, unit: Unit, attempt: Attempt, rollout: Rollout) -> Unit:
        """Return the unit as its devices' versions show it; as it is, where none is to be proved or it has not ended.

        Raises StalledError when the versions may not be read: neither success nor failure could be decided then.
        """
        proof = proof_of(rollout, attempt.generation or unit.tags.get(TAG_GENERATION, ""), attempt.version)
        if unit.results is None or proof is None:
            return unit
        known = attempt.version_check or VersionCheck(since=self._transport.now())
        final = is_final(proof, attempt, rollout, known.since, self._transport.now())
        look = _Look(self._transport, self._versions, proof.confirm, proof.version, known)
        doubted = _doubted(unit.results, attempt)
        try:
            return look.judge(unit, unit.results, doubted, final=final)
        except StalledError:
            if proof.declared:
                raise
            nothing = ReportedVersions(versions={})
            return confirmed(unit, unit.results, nothing, proof.version, final=True, doubted=doubted)


class _Look:
    """One look at the devices of one task."""

    def __init__(
        self, transport: AwsClient, versions: VersionReader, confirm: VersionConfirm, version: str, known: VersionCheck
    ) -> None:
        self._transport, self._reader, self._confirm, self._version = transport, versions, confirm, version
        self._known = known
        self._things = dict(known.things)
        self._read: dict[str, str | None] = {}

    def judge(self, unit: Unit, results: tuple[DeviceResult, ...], doubted: frozenset[str], *, final: bool) -> Unit:
        """Decide the results of a unit by the versions that its devices report (rule 4)."""
        names = [r.device for r in results]
        reports = set(self._known.confirmed) - set(self._known.reverted)
        may_have_it = [r.device for r in results if r.outcome is Outcome.SUCCEEDED or r.device in doubted]
        waited = [d for d in may_have_it if d not in reports]
        self._look_at(waited)
        if final:
            self._look_at([d for d in waited if not self._runs_it(d)], again=True)
        if final or all(self._runs_it(d) for d in waited):
            self._look_at([d for d in names if d not in self._read])
        ran = {*self._known.confirmed, *(d for d in self._read if self._runs_it(d))}
        back = {d for d in ran if (not self._runs_it(d) if d in self._read else d in self._known.reverted)}
        silent = {d: NO_THING for d in self._read if d not in self._things}
        assumed: dict[str, str | None] = dict.fromkeys(reports, self._version)
        shown = ReportedVersions(versions={**assumed, **self._read}, ran=frozenset(ran), silent=silent)
        kept = VersionCheck(
            since=self._known.since, things=self._things, confirmed=tuple(sorted(ran)), reverted=tuple(sorted(back))
        )
        judged = confirmed(unit, results, shown, self._version, final=final, doubted=doubted)
        judged = msgspec.structs.replace(judged, version_check=kept)
        if judged.phase is UnitPhase.ENDED:
            return judged
        mute = [r.name or r.device for r in results if r.device in silent]
        return msgspec.structs.replace(judged, findings=(*judged.findings, *_without_thing(mute)))

    def _runs_it(self, device: str) -> bool:
        return self._read.get(device) == self._version

    def _look_at(self, devices: list[str], *, again: bool = False) -> None:
        """Read the versions of devices; with `again` only of those whose thing is another one by now."""
        before = dict(self._things)
        for device in devices:
            if again or device not in self._things:
                self._find_thing(device)
        if again:
            devices = [d for d in devices if self._things.get(d) != before.get(d)]
        if not devices:
            return
        things = tuple(sorted({self._things[d] for d in devices if d in self._things}))
        reported = self._reader.reported(things, self._confirm.version, self._version) if things else {}
        for device in devices:
            thing = self._things.get(device)
            self._read[device] = reported[thing] if thing is not None else None

    def _find_thing(self, device: str) -> None:
        kind, _, rest = device.rpartition(":")
        asked: JsonObject = {
            "Identifier": rest,
            "IdentifierType": "DevEui" if kind == "devEui" else "WirelessDeviceId",
        }
        self._things.pop(device, None)
        try:
            answer = self._transport.call("iotwireless", "GetWirelessDevice", asked, repeatable=True)
        except NotFoundError:
            return
        thing = thing_in(answer)
        if thing is not None:
            self._things[device] = thing


def _doubted(results: tuple[DeviceResult, ...], attempt: Attempt) -> frozenset[str]:
    """Return the devices whose failure may be untrue, so that their version decides (rule 3)."""
    before = frozenset(attempt.already_succeeded)
    return frozenset(
        r.device
        for r in results
        if r.reason is Reason.MISSING_FRAGMENTS or (r.reason is Reason.TIMEOUT and r.device in before)
    )


def _without_thing(names: list[str]) -> tuple[ServiceFinding, ...]:
    if not names:
        return ()
    return (ServiceFinding(field="devices.withoutThing", desired=None, observed=some(names), cause=Cause.VERSION),)
