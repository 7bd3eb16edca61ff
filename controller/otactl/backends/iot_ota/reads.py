"""Reads OTA updates, their jobs and executions into the model.

1. What is not there is None, not an error. A record without its job is broken, a job without its record is still read:
   it carries on.
2. Executions are read by page only when the job has ended, and for devices that are long overdue.
3. A list that does not show what the job counts is behind (or the job is), and is no result yet (_ota_executions).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.iot_ota.calls import job_id, target_key
from otactl.backends.iot_ota.executions import (
    Judged,
    by_hand,
    disagreement,
    newest,
    queued_by,
    result,
    thing_of,
    took,
)
from otactl.backends.iot_ota.failure_codes import failure_reason
from otactl.backends.iot_ota.statuses import COUNTS, JOB_PREFIX, MOVING, app_version
from otactl.backends.transport.shown_urls import without_credentials
from otactl.model import DeviceResult, JsonObject, Outcome, Reason, TargetFacts

PAGE = 250
DETAILS = 20  # failed devices whose own words are read


class JobReader:
    """All plain reads of the backend."""

    def __init__(self, transport: AwsClient) -> None:
        self._transport = transport

    def now(self) -> datetime:
        """Return the service's time."""
        return self._transport.now()

    def get(self, operation: str, parameters: JsonObject) -> JsonObject:
        """Return one read of AWS IoT."""
        return self._transport.call("iot", operation, parameters, repeatable=True)

    def pages(self, operation: str, member: str, parameters: JsonObject) -> Iterator[JsonObject]:
        """Yield every item of a list, page after page."""
        token: object = None
        while True:
            asked: JsonObject = {**parameters, "maxResults": PAGE}
            if token:
                asked["nextToken"] = token
            answer = self.get(operation, asked)
            yield from cast("list[JsonObject]", answer.get(member) or [])
            token = answer.get("nextToken")
            if not token:
                return

    def record(self, update_id: str) -> JsonObject | None:
        """Return the OTA update, or None."""
        try:
            return cast("JsonObject", self.get("GetOTAUpdate", {"otaUpdateId": update_id})["otaUpdateInfo"])
        except NotFoundError:
            return None

    def job(self, update_id: str) -> JsonObject | None:
        """Return the job behind an OTA update, or None."""
        try:
            return cast("JsonObject", self.get("DescribeJob", {"jobId": job_id(update_id)})["job"])
        except NotFoundError:
            return None

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource; none when it is gone."""
        try:
            tags = list(self._tag_pages(arn))
        except NotFoundError:
            return {}
        return {str(t["Key"]): str(t.get("Value", "")) for t in tags}

    def _tag_pages(self, arn: str) -> Iterator[JsonObject]:
        token: object = None
        while True:
            asked: JsonObject = {"resourceArn": arn, **({"nextToken": token} if token else {})}
            answer = self.get("ListTagsForResource", asked)
            yield from cast("list[JsonObject]", answer.get("tags") or [])
            token = answer.get("nextToken")
            if not token:
                return

    def results(
        self,
        update_id: str,
        job: JsonObject,
        things: tuple[str, ...],
        *,
        final: bool,
        every: bool = False,
        stopped: int | None = None,
        until: datetime | None = None,
    ) -> Judged:
        """Return what became of each thing of a job that has ended.

        Of `things`, those it was started with, one without an execution was taken out; one with an execution beside
        them was there when the job was created, whatever a list of its group showed. `final` takes what is listed
        although the job counts otherwise, `every` reads the own words of all that failed, and not of a few. `stopped`
        says that we canceled it, and how many executions were canceled before. After `until` no execution counts.
        """
        listed = self.executions(update_id)
        odd = disagreement(listed, counts(job), things)
        if odd and not final:
            return Judged(results=None, concerns=odd)
        found: dict[str, DeviceResult] = {}
        counted = 0
        canceled = by_hand(listed, stopped) if stopped is not None else frozenset()
        then = queued_by(listed, until)
        for name, item in newest(then).items():
            shown = result(item)
            if shown.outcome is Outcome.FAILED and shown.reason is Reason.UNKNOWN and (every or counted < DETAILS):
                counted += 1
                shown = self._with_words(update_id, shown)
            if name in canceled:
                shown = msgspec.structs.replace(shown, by_hand=True, detail="canceled by hand")
            found[name] = shown
        for name in things:
            gone = DeviceResult(device=name, outcome=Outcome.FAILED, reason=Reason.REMOVED, name=name)
            found.setdefault(name, gone)
        return Judged(results=tuple(found[name] for name in sorted(found)), took=took(then), concerns=odd)

    def executions(self, update_id: str) -> list[JsonObject]:
        """Return every execution of a job, as it is listed."""
        return list(self.pages("ListJobExecutionsForJob", "executionSummaries", {"jobId": job_id(update_id)}))

    def reasons(self, update_id: str) -> dict[Reason, int]:
        """Return why the devices that failed by now did, in their own words: a call for each of them."""
        asked: JsonObject = {"jobId": job_id(update_id), "status": "FAILED"}
        listed = self.pages("ListJobExecutionsForJob", "executionSummaries", asked)
        counted = (self._with_words(update_id, result(item)).reason for item in newest(listed).values())
        return dict(Counter(reason or Reason.UNKNOWN for reason in counted))

    def _with_words(self, update_id: str, result: DeviceResult) -> DeviceResult:
        said = self._details(update_id, result.device)
        return DeviceResult(
            device=result.device,
            outcome=result.outcome,
            reason=failure_reason(said) or result.reason,
            name=result.name,
            detail=_words(said),
        )

    def signed(self, job: str, which: str = "signedObject") -> str:
        """Return where a signing job wrote its object, or read its `source`, as an S3 URI; empty when there is none."""
        if not job:
            return ""
        try:
            answer = self._transport.call("signer", "DescribeSigningJob", {"jobId": job}, repeatable=True)
        except NotFoundError:
            return ""
        place = cast("JsonObject", cast("JsonObject", answer.get(which) or {}).get("s3") or {})
        return f"s3://{place['bucketName']}/{place.get('key', '')}" if place.get("bucketName") else ""

    def words(self, update_id: str, thing: str) -> str:
        """Return what a device wrote into its execution: its reason, or where its self test stands."""
        return _words(self._details(update_id, thing))

    def updated_by(self, update_id: str, thing: str) -> str:
        """Return the version that carried an execution out, which is the one before.

        Empty when the device did not tell.
        """
        return app_version(str(self._details(update_id, thing).get("updatedBy") or ""))

    def _details(self, update_id: str, thing: str) -> JsonObject:
        asked: JsonObject = {"jobId": job_id(update_id), "thingName": thing}
        try:
            execution = cast("JsonObject", self.get("DescribeJobExecution", asked)["execution"])
        except NotFoundError:
            return {}
        details = cast("JsonObject", execution.get("statusDetails") or {})
        return cast("JsonObject", details.get("detailsMap") or {})

    def overdue(self, update_id: str, status: str, since: timedelta) -> tuple[str, ...]:
        """Return things of a status that have not moved for so long."""
        asked: JsonObject = {"jobId": job_id(update_id), "status": status}
        try:
            listed = list(self.pages("ListJobExecutionsForJob", "executionSummaries", asked))
        except NotFoundError:
            return ()
        names = []
        for item in listed:
            summary = cast("JsonObject", item.get("jobExecutionSummary") or {})
            moved = next((m for n in ("lastUpdatedAt", "queuedAt") if (m := moment(summary.get(n)))), None)
            if moved is not None and self.now() - moved >= since:
                names.append(thing_of(item))
        return tuple(sorted(names))

    def other_updates(self, thing: str, own: str) -> tuple[str, ...]:
        """Return OTA jobs other than our own that wait for a thing or run on it: nothing orders them."""
        found = set()
        for status in ("QUEUED", "IN_PROGRESS"):
            try:
                listed = self.pages(
                    "ListJobExecutionsForThing", "executionSummaries", {"thingName": thing, "status": status}
                )
                found |= {str(item.get("jobId")) for item in listed}
            except NotFoundError:
                return ()
        return tuple(sorted(j for j in found if j.startswith(JOB_PREFIX) and j != own))

    def thing(self, key: str, name: str) -> TargetFacts:
        """Return a thing before a start: whether it is there."""
        try:
            self.get("DescribeThing", {"thingName": name})
        except NotFoundError:
            return TargetFacts(key=key, exists=False)
        return TargetFacts(key=key, exists=True, vendor_id=name)

    def group(self, key: str, name: str) -> TargetFacts:
        """Return a thing group before a start: whether it is there, and every thing in it or in a group below it."""
        try:
            self.get("DescribeThingGroup", {"thingGroupName": name})
            asked: JsonObject = {"thingGroupName": name, "recursive": True}
            things = tuple(self._names("ListThingsInThingGroup", asked))
        except NotFoundError:
            return TargetFacts(key=key, exists=False)
        return TargetFacts(
            key=key, exists=True, vendor_id=name, requested=len(things), ready=len(things), members=things
        )

    def things_in(self, name: str) -> tuple[str, ...]:
        """Return every thing in a group or in a group below it; none where the group is gone."""
        try:
            return tuple(self._names("ListThingsInThingGroup", {"thingGroupName": name, "recursive": True}))
        except NotFoundError:
            return ()

    def _names(self, operation: str, parameters: JsonObject) -> Iterator[str]:
        token: object = None
        while True:
            asked: JsonObject = {**parameters, "maxResults": PAGE, **({"nextToken": token} if token else {})}
            answer = self.get(operation, asked)
            yield from (str(name) for name in cast("list[object]", answer.get("things") or []))
            token = answer.get("nextToken")
            if not token:
                return


def _words(said: JsonObject) -> str:
    if "reason" in said:
        return without_credentials(str(said["reason"]))
    return without_credentials(f"self_test: {said['self_test']}") if "self_test" in said else ""


def counts(job: JsonObject) -> dict[str, int]:
    """Return executions by where they stand."""
    details = cast("JsonObject", job.get("jobProcessDetails") or {})
    return {ours: int(cast("int", details.get(theirs) or 0)) for theirs, ours in COUNTS.items()}


def moving(job: JsonObject) -> bool:
    """Return whether devices are still waiting or in progress."""
    return any(counts(job)[name] for name in MOVING) or bool(job.get("isConcurrent"))


def keys_of(targets: object) -> tuple[str, ...]:
    """Return target keys of a list of ARNs."""
    return tuple(sorted(target_key(str(arn)) for arn in targets)) if isinstance(targets, list) else ()


def moment(value: object) -> datetime | None:
    """Return an aware time in UTC."""
    return value.astimezone(UTC) if isinstance(value, datetime) else None
