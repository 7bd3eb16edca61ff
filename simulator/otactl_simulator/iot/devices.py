"""Runs the devices behind the things through a job, by the clock.

1. A device takes one job at a time, the oldest first, as soon as it is notified. `seconds` later it is done; halfway it
   has the image installed and tests itself. It writes into statusDetails what FreeRTOS agents write: a `self_test` of
   receiving, ready, active, a `reason` of "accepted v<version>" or hexadecimal codes, and `updatedBy` (here the
   version that did the update). The codes are those of aws/ota-for-aws-iot-embedded-sdk, ota.h and
   ota_platform_interface.h: no answer to its requests, a signature that does not verify, an image that failed its
   self-test, another image than the one in self-test; `rejects` writes the former agent's "same version".
2. An image it accepts is what it runs from then on; it reports the version in its classic shadow, at `version_path`,
   and in the thing attribute `firmwareVersion`.
3. `installs` counts each image a device installs, whatever became of it; who fails the download installs nothing.
4. An execution that is ended by others meanwhile (canceled, timed out, deleted) is dropped at the device's next step.
5. An image that came over LoRaWAN is taken as that of a job, without one: `seconds` later the device runs it. One that
   does not (`failsSelfTest`) boots what it had and reports that; one that rejects or fails a download has none to try.
   An image whose version the fleet document does not tell calls itself by its digest.
6. Behaviours: see BEHAVIOURS. `rollsBack` runs and reports the new image before it returns; `keepsVersion` says that it
   succeeded and runs what it had all along. `manual` is left to a client of the job data plane: what it runs and
   reports is the client's to say.
7. Only a thing of the fleet document has a device; one created by CreateThing has none until it does.
8. A device is connected all the time, one that is `offline` never.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from otactl_simulator.iot import shadows
from otactl_simulator.iot.device_behavior import Course
from otactl_simulator.iot.state import Execution, Job, Store, Thing
from otactl_simulator.iot.timeline import Agenda

LATE = timedelta(hours=24)
ATTRIBUTE = "firmwareVersion"


@dataclass(frozen=True)
class Behaviour:
    """How a device takes a job: the status it ends with, and what it installs, runs and reports."""

    ends: str = "SUCCEEDED"
    reason: str = ""
    takes: bool = True
    late: bool = False
    installs: bool = True
    runs: bool = True
    reports: bool = True
    returns: bool = False


BEHAVIOURS: dict[str, Behaviour] = {
    "normal": Behaviour(),
    "offline": Behaviour(takes=False),
    "manual": Behaviour(takes=False),
    "late": Behaviour(late=True),
    "rejects": Behaviour("REJECTED", "0x23000000: 0x00000000", installs=False, runs=False),
    "failsDownload": Behaviour("FAILED", "aborted: 0x0000000e", installs=False, runs=False),
    "failsSignature": Behaviour("FAILED", "0x000000e3: 0x00000000", installs=False, runs=False),
    "failsSelfTest": Behaviour("FAILED", "rejected: 0x00000000", runs=False),
    "stuck": Behaviour("", runs=False),
    "rollsBack": Behaviour(returns=True),
    "keepsVersion": Behaviour(runs=False),
    "neverReports": Behaviour(reports=False),
    "quietSuccess": Behaviour("FAILED", "rejected: 0x00000011"),
}


def behaviour_of(thing: Thing) -> Behaviour:
    """Return the behaviour of a thing; without a device it takes nothing (rule 7)."""
    return BEHAVIOURS[thing.behaviour or "manual"]


def connected(thing: Thing) -> dict[str, object]:
    """Return what fleet indexing shows of a thing's connection (rule 8)."""
    since = thing.connected_at if thing.behaviour != "offline" else None
    if since is None:
        return {"connected": False}
    return {"connected": True, "timestamp": int(since.timestamp() * 1000)}


class Devices:
    """Every device, woken when it is notified and when it has time again."""

    def __init__(self, agenda: Agenda, course: Course) -> None:
        self._agenda = agenda
        self._course = course
        course.when_queued.append(lambda store, _job, execution: self.look_again(store, execution.thing))
        course.when_ended.append(lambda store, _job, execution: self.look_again(store, execution.thing))

    def look_again(self, store: Store, thing: str) -> None:
        """Make a device check for work now."""
        self._agenda.at(self._agenda.now(), partial(self._look, store, thing))

    def _look(self, store: Store, name: str) -> None:
        thing = store.things.get(name)
        if thing is None or not behaviour_of(thing).takes:
            return
        now, late = self._agenda.now(), behaviour_of(thing).late
        for job, execution in self._course.pending(store, name):
            if execution.status == "IN_PROGRESS":
                return
            due = execution.queued_at + LATE if late else execution.queued_at
            if due <= now:
                self._take(store, job, execution, thing)
                return
            self._agenda.at(due, partial(self._look, store, name))

    def _take(self, store: Store, job: Job, execution: Execution, thing: Thing) -> None:
        kind = behaviour_of(thing)
        if kind.ends == "REJECTED":
            self._course.end(store, job, execution, kind.ends, {"reason": kind.reason})
            return
        self._course.take(store, job, execution, {"self_test": "receiving", "updatedBy": thing.firmware_version or "0"})
        now, whole = self._agenda.now(), thing.seconds
        self._agenda.at(now + timedelta(seconds=whole / 2), partial(self._test, store, job, execution, now))
        self._agenda.at(now + timedelta(seconds=whole), partial(self._finish, store, job, execution, now))

    def hold(self, store: Store, name: str, image: str, at: datetime) -> None:
        """Set the image that a device has, since a moment (rule 5)."""
        thing = store.things.get(name)
        if thing is None or not (behaviour_of(thing).takes and behaviour_of(thing).installs):
            return
        wait = timedelta(seconds=thing.seconds) + (LATE if behaviour_of(thing).late else timedelta())
        self._agenda.at(at + wait, partial(self._boot, store, thing, image))

    def _boot(self, store: Store, thing: Thing, image: str) -> None:
        kind, before = behaviour_of(thing), (thing.image_sha256, thing.firmware_version)
        if store.things.get(thing.name) is not thing or not kind.ends:
            return
        thing.installs[image] = thing.installs.get(image, 0) + 1
        fresh = (image, store.images.get(image, f"sha256:{image[:12]}"))
        self._run(thing, *(fresh if kind.runs else before), report=kind.reports)
        if kind.returns:
            due = self._agenda.now() + timedelta(seconds=thing.seconds)
            self._agenda.at(due, partial(self._return, store, thing, fresh, before))

    def _works_on(self, store: Store, job: Job, execution: Execution, took: datetime) -> Thing | None:
        """Return the thing, while its device still is at the work it took then (rule 4)."""
        thing = store.things.get(execution.thing)
        still = execution.status == "IN_PROGRESS" and execution.took_at == took
        if thing is None or not still or not self._course.stands(store, job, execution):
            return None
        return thing if behaviour_of(thing).takes else None

    def _test(self, store: Store, job: Job, execution: Execution, took: datetime) -> None:
        thing = self._works_on(store, job, execution, took)
        if thing is None or not behaviour_of(thing).installs:
            return
        if job.image_sha256:
            thing.installs[job.image_sha256] = thing.installs.get(job.image_sha256, 0) + 1
        self._course.report(store, job, execution, {**execution.details, "self_test": "ready"})

    def _finish(self, store: Store, job: Job, execution: Execution, took: datetime) -> None:
        thing = self._works_on(store, job, execution, took)
        if thing is None or not behaviour_of(thing).ends:
            return
        kind, before = behaviour_of(thing), (thing.image_sha256, thing.firmware_version)
        if kind.runs:
            self._run(thing, job.image_sha256, job.image_version, report=kind.reports)
        details = {"reason": kind.reason or f"accepted v{job.image_version}"}
        if not kind.reason:
            details["self_test"] = "active"
        self._course.end(store, job, execution, kind.ends, {**execution.details, **details})
        if kind.returns:
            due = self._agenda.now() + timedelta(seconds=thing.seconds)
            self._agenda.at(due, partial(self._return, store, thing, (job.image_sha256, job.image_version), before))

    def _return(self, store: Store, thing: Thing, left: tuple[str, str], before: tuple[str, str]) -> None:
        if store.things.get(thing.name) is thing and (thing.image_sha256, thing.firmware_version) == left:
            self._run(thing, *before, report=True)

    def _run(self, thing: Thing, image: str, version: str, *, report: bool) -> None:
        """Set the image that a device runs (rule 2); a job without one changes nothing."""
        if not image and not version:
            return
        thing.image_sha256, thing.firmware_version = image, version
        if report:
            tell_version(thing, self._agenda.now())


def tell_version(thing: Thing, now: datetime) -> None:
    """Report the version a device runs, in its shadow and its attribute."""
    thing.attributes[ATTRIBUTE] = thing.firmware_version
    thing.version += 1
    state: object = thing.firmware_version
    for part in reversed(thing.version_path.split(".")):
        state = {part: state}
    if isinstance(state, dict):
        shadows.write(thing, "", state, now)
