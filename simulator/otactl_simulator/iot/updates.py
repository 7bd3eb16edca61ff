"""Serves OTA updates: create, read, list, delete, and their asynchronous creation and deletion.

Rules, from the API reference (CreateOTAUpdate, GetOTAUpdate, ListOTAUpdates, DeleteOTAUpdate) unless said otherwise:

1. An id is unique in an account's Region; a taken one is ResourceAlreadyExistsException, whatever state holds it. A
   CREATE_FAILED record keeps its id until it is deleted [inferred; consistent with public reports].
2. Creation is asynchronous: CREATE_PENDING, CREATE_IN_PROGRESS from half of the switch `otaCreateSeconds` on
   [inferred], then CREATE_COMPLETE, or CREATE_FAILED with errorInfo. The status says nothing about devices.
3. Nothing of an update can be changed: there is no operation for it.
4. A list shows id, ARN and creation date only, newest first [inferred], and can be filtered by status.
5. A deletion needs the job COMPLETED or CANCELED, or forceDeleteAWSJob: InvalidRequestException. deleteStream means a
   stream the service made. Whether the job goes too is the switch `deleteUpdateDeletesJob`; texts disagree.
6. While an update is being created it cannot be deleted: InvalidRequestException [inferred]. While it is being deleted,
   a second deletion is VersionConflictException [inferred: the operation declares it].
7. Deletion takes the switch `otaDeleteSeconds`; then the record is deleted with its tags, and its id is free. One that
   fails (switch `otaDeleteFails`, or the job cannot go) is DELETE_FAILED with errorInfo and can be deleted again. The
   job of a record that never made one is not its to delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from otactl_simulator.clock import Clock
from otactl_simulator.iot.common import page
from otactl_simulator.iot.creation import Creation, Jobs
from otactl_simulator.iot.service_role import CreationError
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.state import Job, OtaUpdate, Store, Stores, invalid, not_found
from otactl_simulator.iot.tags import given_tags
from otactl_simulator.iot.update_rules import check
from otactl_simulator.iot.update_view import info
from otactl_simulator.service import Handler, ModelledError, Request

KIND = "otaupdate"
CREATING = ("CREATE_PENDING", "CREATE_IN_PROGRESS")
_ENDED = ("COMPLETED", "CANCELED")


class Updates:
    """The OTA update operations; what takes time stands in the jobs' agenda, in order with all else."""

    def __init__(self, stores: Stores, clock: Clock, settings: Settings, jobs: Jobs) -> None:
        self._stores = stores
        self._clock = clock
        self._settings = settings
        self._jobs = jobs
        self._agenda = jobs.agenda
        self._creation = Creation(settings, jobs)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateOTAUpdate": self.create,
            "GetOTAUpdate": self.get,
            "ListOTAUpdates": self.list_updates,
            "DeleteOTAUpdate": self.delete,
        }

    def create(self, request: Request) -> dict[str, object]:
        """CreateOTAUpdate: what it refuses at once is in update_rules, the rest in creation."""
        store, wanted, now = self._stores.of(request), request.parameters, self._clock.now()
        identifier = str(wanted["otaUpdateId"])
        arn = store.arn(KIND, identifier)
        if identifier in store.updates:
            text = f"OTA update {identifier} already exists"
            raise ModelledError("ResourceAlreadyExistsException", text, resourceId=identifier, resourceArn=arn)
        check(store, wanted, long_ids=self._settings["longUpdateId"] == "createFails")
        given = {name: value for name, value in wanted.items() if name not in ("otaUpdateId", "tags")}
        update = OtaUpdate(identifier, arn, given, now, now)
        seconds = self._settings.number("otaCreateSeconds")
        update.due = now + timedelta(seconds=seconds)
        self._agenda.at(now + timedelta(seconds=seconds / 2), partial(self._begin, store, update))
        self._agenda.at(update.due, partial(self._complete, store, update))
        store.remember(KIND, identifier, None)
        store.updates[identifier] = update
        store.tags[arn] = given_tags(wanted)
        return {
            "otaUpdateId": identifier,
            "otaUpdateArn": arn,
            "awsIotJobId": update.job_id,
            "awsIotJobArn": store.arn("job", update.job_id),
            "otaUpdateStatus": update.status,
        }

    def get(self, request: Request) -> dict[str, object]:
        """GetOTAUpdate."""
        store, identifier = self._stores.of(request), str(request.parameters["otaUpdateId"])
        update = _read(store, identifier, stale=request.stale)
        if update is None:
            raise not_found(f"OTA update {identifier}")
        return {"otaUpdateInfo": info(store, update, self._settings)}

    def list_updates(self, request: Request) -> dict[str, object]:
        """ListOTAUpdates (rule 4)."""
        store, status = self._stores.of(request), request.parameters.get("otaUpdateStatus")
        known = [*store.updates, *(name for kind, name in store.before if kind == KIND and name not in store.updates)]
        read = [_read(store, identifier, stale=request.stale) for identifier in known]
        found = [update for update in read if update is not None and status in (None, update.status)]
        found.sort(key=lambda update: (update.created_at, update.id), reverse=True)
        listed, token = page(found, request.parameters)
        shown = [{"otaUpdateId": u.id, "otaUpdateArn": u.arn, "creationDate": u.created_at} for u in listed]
        return {"otaUpdates": shown, "nextToken": token}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteOTAUpdate (rules 5, 6, 7)."""
        store = self._stores.of(request)
        update = store.updates.get(str(request.parameters["otaUpdateId"]))
        if update is None:
            raise not_found(f"OTA update {request.parameters['otaUpdateId']}")
        if update.status in CREATING:
            raise invalid(f"OTA update {update.id} is {update.status}; it cannot be deleted before its creation ended")
        if update.status == "DELETE_IN_PROGRESS":
            raise ModelledError("VersionConflictException", f"OTA update {update.id} is being deleted already")
        job, forced = _job(store, update), request.parameters.get("forceDeleteAWSJob") is True
        if job is not None and job.status not in _ENDED and not forced:
            raise invalid(f"job {job.id} is {job.status}; only forceDeleteAWSJob deletes it before it ended")
        self._mark(store, update, "DELETE_IN_PROGRESS")
        update.error = {}
        update.delete_stream = request.parameters.get("deleteStream") is True
        update.due = self._clock.now() + timedelta(seconds=self._settings.number("otaDeleteSeconds"))
        self._agenda.at(update.due, partial(self._remove, store, update))
        return {}

    def _begin(self, store: Store, update: OtaUpdate) -> None:
        if _stands(store, update, "CREATE_PENDING"):
            self._mark(store, update, "CREATE_IN_PROGRESS")

    def _complete(self, store: Store, update: OtaUpdate) -> None:
        if not _stands(store, update, "CREATE_IN_PROGRESS"):
            return
        store.remember(KIND, update.id, update)
        try:
            self._creation.carry_out(store, update, self._agenda.now())
            status = "CREATE_COMPLETE"
        except CreationError as error:
            update.error = {"code": error.code, "message": error.message}
            status = "CREATE_FAILED"
        update.status, update.modified_at, update.due = status, self._agenda.now(), None

    def _remove(self, store: Store, update: OtaUpdate) -> None:
        if not _stands(store, update, "DELETE_IN_PROGRESS"):
            return
        update.due = None
        job = _job(store, update)
        try:
            if self._settings["otaDeleteFails"]:
                raise ModelledError("InternalFailureException", "the deletion failed, as the simulator was asked to")  # noqa: TRY301 - answered below, as the service's own
            if job is not None and self._settings["deleteUpdateDeletesJob"] and job.status != "DELETION_IN_PROGRESS":
                self._jobs.delete(store, job)
        except ModelledError as error:
            self._mark(store, update, "DELETE_FAILED")
            update.error = {"code": error.code, "message": error.message}
            return
        store.remember(KIND, update.id, update)
        if update.delete_stream and update.stream_id in store.streams:
            store.remember("stream", update.stream_id, store.streams[update.stream_id])
            stream = store.streams.pop(update.stream_id)
            store.tags.pop(stream.arn, None)
        del store.updates[update.id]
        store.tags.pop(update.arn, None)

    def _mark(self, store: Store, update: OtaUpdate, status: str) -> None:
        store.remember(KIND, update.id, update)
        update.status, update.modified_at = status, self._agenda.now()


def _read(store: Store, identifier: str, *, stale: bool) -> OtaUpdate | None:
    found = store.as_read(KIND, identifier, store.updates.get(identifier), stale=stale)
    return found if isinstance(found, OtaUpdate) else None


def _stands(store: Store, update: OtaUpdate, status: str) -> bool:
    return store.updates.get(update.id) is update and update.status == status


def _job(store: Store, update: OtaUpdate) -> Job | None:
    return store.jobs.get(update.job_id) if update.made_job else None
