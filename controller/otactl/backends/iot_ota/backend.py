"""Implements the backend port for AWS IoT OTA updates.

1. The list is thin: a page a 250 updates for all rollouts; a record, its job and its tags are read for live ones only.
2. An update is ours by its tags. Names of the form we give are listed once a run, so that an undeclared update is
   reported with its owner.
3. AlreadyExists is our own lost answer until the service shows otherwise: what is there is read, compared, and adopted
   or refused.
4. What an end left behind (jobs without a record, streams of no update) is looked for once a run.
"""

from __future__ import annotations

import re
from functools import partial

import msgspec

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.aws.device_versions import VersionReader
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.backends.aws.other_groups import other_groups
from otactl.backends.aws.tags import unit_is_ours
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.definition import OtaShape
from otactl.backends.iot_ota.fields import observed
from otactl.backends.iot_ota.other_updates import OtherUpdates
from otactl.backends.iot_ota.problems import Concerns
from otactl.backends.iot_ota.reads import JobReader, keys_of
from otactl.backends.iot_ota.role_permissions import role_needs
from otactl.backends.iot_ota.statuses import JOB_PREFIX, job_phase
from otactl.backends.iot_ota.units import UnitReader
from otactl.errors import ConflictError, StalledError, TransientError
from otactl.model import (
    Attempt,
    Environment,
    JsonObject,
    Listed,
    Observation,
    PreflightRequest,
    Record,
    Rollout,
    Stage,
    Survey,
    TargetFacts,
    Unit,
    UnitPhase,
    WaveRecord,
)
from otactl.model.actions import Call, Receipt
from otactl.model.tags import TAG_ENVIRONMENT, TAG_OWNER

LAG = 60.0
ROLE_SERVICE = "iot.amazonaws.com"
OURS = re.compile(r"[a-z][-a-z0-9]*-\d{1,2}-[0-9a-f]{8}")
NAMED = 3  # things whose other work is named; the rest is counted
DOCUMENTS = 50  # updates whose documents are read to tell streams of none
_IN_THE_END = ("CancelJob", "UpdateJob")


class OtaBackend(OtaShape):
    """The backend over a transport."""

    def __init__(self, environment: Environment, transport: AwsClient) -> None:
        super().__init__(environment)
        self._transport = transport
        self._reader = JobReader(transport)
        self._owners: dict[str, str] = {}
        self._looked = False
        self._fresh()

    def _fresh(self) -> None:
        self._facts = ImageAndRoleReader(self._transport)
        self._concerns = Concerns(self._reader, self._facts)
        self._others = OtherUpdates(self._reader, self._facts)
        self._units_of = UnitReader(self._reader, self._concerns, VersionReader(self._transport))

    def survey(self) -> Survey:
        """Read whose account this is, and list every OTA update in it; once a run also what was left behind."""
        self._fresh()
        account = self._transport.identity()
        listed = [self._listed(item) for item in self._reader.pages("ListOTAUpdates", "otaUpdates", {})]
        partial = self._looked or len(listed) > DOCUMENTS
        if not self._looked:
            self._looked = True
            listed += self._left_behind({item.vendor_id for item in listed})
        return Survey(account=account, listed=tuple(listed), partial=partial)

    def marks(self, item: Listed) -> dict[str, str]:
        """Return the tags of one update."""
        return self._concerns.tags(item.arn)

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        """Read the rollout's live updates, and what they left behind."""
        units = self._units(rollout, known, survey)
        named = {*(n for a in known.attempts for n in a.leftovers), *(n for u in units for n in u.leftovers)}
        left = tuple(sorted(n for n in named if self._concerns.is_there(n)))
        return Observation(units=units, leftovers=left)

    def preflight(
        self,
        rollout: Rollout,
        request: PreflightRequest,
        seen: Observation,
        survey: Survey,  # noqa: ARG002 - the port's
    ) -> Observation:
        """Add what the next updates need to start, and who is in the groups that are asked for."""
        spec, starting = OtaUpdateConfig.of(rollout), request.starting
        inside = {key: self._inside(key) for key in request.joined_groups}
        if starting is None:
            return msgspec.structs.replace(seen, inside=inside)
        making = starting.unit is None and not starting.waits
        image = self._facts.image(rollout.firmware.image)
        image = msgspec.structs.replace(image, unproved=self._concerns.unproved(spec, rollout.firmware.image))
        needs = role_needs(spec, self._environment, rollout.firmware.image, image, starting.keys)
        versions = VersionReader(self._transport)
        targets = versions.before_start(self._targets(starting.keys), rollout, str) if making else ()
        return msgspec.structs.replace(
            seen,
            image=image,
            role=self._facts.role(spec.role, ROLE_SERVICE, rollout.firmware.image, needs),
            targets=targets,
            group_sizes=self._sizes(rollout, request) if making else {},
            devices=() if spec.endless and any(t.is_group for t in targets) else _devices(targets),
            inside=inside,
        )

    def _sizes(self, rollout: Rollout, request: PreflightRequest) -> dict[str, int]:
        """Return how many things the groups of the other waves hold, where that is asked for."""
        others = other_groups(rollout, request, self._environment, "thingGroup:")
        groups = (self._reader.group(key, key.partition(":")[2]) for key in others)
        return {t.key: len(t.members) for t in groups if t.exists}

    def _inside(self, key: str) -> tuple[str, ...]:
        """Return the things in a group now, read once a pass for all rollouts."""
        return self._facts.once(("inside", key), partial(self._reader.things_in, key.partition(":")[2]))

    def send(self, call: Call) -> Receipt:
        """Send one call. What is already gone when it is to be deleted is done.

        Raises: ConflictError when what it needs is missing or exists already.
        """
        try:
            answer = self._transport.send(call)
        except NotFoundError as error:
            if call.operation.startswith("Delete"):
                return Receipt(key=call.key)
            raise ConflictError(f"{call.operation}: {error}; the next pass checks again") from error
        except ConflictError:
            if call.operation != "CreateOTAUpdate":
                raise
            return self._adopt(call)
        except StalledError as error:
            if (
                call.operation in _IN_THE_END
                and not call.placeholders
                and self._has_ended(str(call.parameters["jobId"]))
            ):
                raise ConflictError(
                    f"{call.operation}: its job has ended meanwhile; the next pass checks again"
                ) from error
            raise
        if call.operation != "CreateOTAUpdate":
            return Receipt(key=call.key)
        return Receipt(key=call.key, vendor_id=str(answer["otaUpdateId"]), arn=str(answer.get("otaUpdateArn", "")))

    def _adopt(self, call: Call) -> Receipt:
        """Return the receipt of an update that exists already; raises ConflictError if it is another one (rule 3)."""
        update_id = str(call.parameters["otaUpdateId"])
        record = self._reader.record(update_id)
        if record is None:
            raise ConflictError(f"CreateOTAUpdate: {update_id} exists and is not shown yet; the next pass checks again")
        document: JsonObject = {"files": call.parameters["files"]}
        asked = observed({**call.parameters, "otaUpdateFiles": call.parameters["files"]}, None, document)
        shown = observed(record, None, document)
        wrong = sorted(name for name in {*asked, "files.undeclared"} if shown.get(name) != asked.get(name))
        if keys_of(record.get("targets")) != keys_of(call.parameters["targets"]):
            wrong.append("targets")
        if wrong:
            text = f"an OTA update {update_id} exists already, and its {', '.join(wrong)} differ; check whose it is"
            raise StalledError("NameTaken", text)
        return Receipt(key=call.key, vendor_id=update_id, arn=str(record.get("otaUpdateArn", "")))

    def _has_ended(self, name: str) -> bool:
        job = self._reader.job(name.removeprefix(JOB_PREFIX))
        return job is None or job_phase(job.get("status")) is not UnitPhase.RUNNING

    def _listed(self, item: JsonObject) -> Listed:
        update_id, arn = str(item["otaUpdateId"]), str(item.get("otaUpdateArn", ""))
        if OURS.fullmatch(update_id) and update_id not in self._owners:
            marks = self._concerns.tags(arn)
            here = marks.get(TAG_ENVIRONMENT) == self._environment.name
            self._owners[update_id] = marks.get(TAG_OWNER, "") if here else ""
        owner = self._owners.get(update_id)
        return Listed(vendor_id=update_id, name=f"{owner}-{update_id}" if owner else "", arn=arn)

    def _left_behind(self, listed: set[str]) -> list[Listed]:
        """List jobs in progress whose update was deleted (rule 4)."""
        found = []
        for job in self._reader.pages("ListJobs", "jobs", {"status": "IN_PROGRESS"}):
            name = str(job.get("jobId"))
            update_id = name.removeprefix(JOB_PREFIX)
            if name.startswith(JOB_PREFIX) and update_id not in listed:
                end = f"aws iot cancel-job --job-id {name}"
                found.append(
                    Listed(
                        vendor_id=update_id, name="", leftover_of=f"job {name}, without its OTA update", end_command=end
                    )
                )
        streams = [str(s.get("streamId")) for s in self._reader.pages("ListStreams", "streams", {})]
        ours = [s for s in streams if s.startswith(JOB_PREFIX)]
        if ours and len(listed) <= DOCUMENTS:
            used = {self._concerns.stream_of(update_id) for update_id in listed}
            used |= {self._concerns.stream_of(item.vendor_id) for item in found}
            found += [_stream(name) for name in ours if name not in used and self._concerns.is_old(name)]
        return found

    def _units(self, rollout: Rollout, known: Record, survey: Survey) -> tuple[Unit, ...]:
        listed = {item.vendor_id: item for item in survey.listed if not item.leftover_of}
        units: list[Unit] = []
        for wave, attempt in ((w, a) for w in known.waves for a in w.attempts):
            unit = self._unit(attempt, rollout, wave, (attempt.vendor_id or attempt.unit_id) in listed)
            if unit is not None:
                units.append(unit)
        read = {a.unit_id for a in known.attempts}
        prefixes = tuple(f"{self._environment.owner}-{name}-" for name in rollout.names)
        for item in listed.values():
            if item.vendor_id not in read and item.name.startswith(prefixes):
                unit = self._units_of.unit(Attempt(number=1, generation="", unit_id=item.vendor_id), rollout)
                if unit is not None and unit_is_ours(unit, self._environment, *rollout.names):
                    units.append(unit)
        return tuple(units)

    def _unit(self, attempt: Attempt, rollout: Rollout, wave: WaveRecord, is_listed: bool) -> Unit | None:
        if attempt.stage is Stage.ENDED and (rollout.cleanup == "never" or rollout.removed):
            known = attempt.vendor_id or attempt.unit_id
            ended = Unit(unit_id=attempt.unit_id, phase=UnitPhase.ENDED, vendor_id=known)
            return ended if is_listed else None
        if attempt.stage.is_over and not (attempt.stage is Stage.LOST and is_listed):
            return None
        unit = self._units_of.unit(attempt, rollout, wave)
        if unit is None and is_listed:
            # One of two reads is behind. Taking it for gone would send the image again.
            shown = attempt.vendor_id or attempt.unit_id
            text = f"ListOTAUpdates shows {shown}, GetOTAUpdate does not; the next pass checks again"
            raise TransientError(text, retry_after=LAG)
        if attempt.vendor_id is None and unit is not None and unit.arn:
            # Its name alone does not make it ours. An id that our journal holds is, whatever its tags say now.
            return unit if unit_is_ours(unit, self._environment, attempt.rollout or rollout.name) else None
        return unit

    def _targets(self, keys: tuple[str, ...]) -> tuple[TargetFacts, ...]:
        found = []
        for key in keys:
            name = key.partition(":")[2]
            read = self._reader.thing if key.startswith("device:") else self._reader.group
            found.append(self._facts.once(("target", key), partial(read, key, name)))
        others = self._others.on([device for facts in found for device in facts.devices])
        return tuple(msgspec.structs.replace(facts, busy_with=_busy(facts, others)) for facts in found)


def _busy(facts: TargetFacts, others: dict[str, tuple[str, ...]]) -> str:
    """Return other work of a thing, or of the things in a group, in a few words."""
    if not facts.is_group:
        return ", ".join(others.get(facts.vendor_id, ())[:NAMED])
    busy = [thing for thing in facts.members if thing in others]
    more = f" and {len(busy) - NAMED} more things" if len(busy) > NAMED else ""
    return ", ".join(f"{others[thing][0]} on {thing}" for thing in busy[:NAMED]) + more


def _devices(targets: tuple[TargetFacts, ...]) -> tuple[str, ...]:
    """Return the things an update would begin with."""
    singles = {t.vendor_id for t in targets if t.key.startswith("device:") and t.exists}
    return tuple(sorted({*singles, *(name for t in targets for name in t.members)}))


def _stream(name: str) -> Listed:
    end = f"aws iot delete-stream --stream-id {name}"
    return Listed(vendor_id=name, name="", leftover_of=f"stream {name}, of no OTA update", end_command=end)
