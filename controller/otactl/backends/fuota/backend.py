"""Implements the backend port for AWS IoT Wireless FUOTA.

1. Reads are minimal: one page a 250 tasks for all rollouts, then task, tags and members of a live task only.
2. Results are read once, when a task is done, by task and by group, and merged: whether the filter by
   task lists the members of its groups is not documented.
3. A task is ours by its tags, never by its name alone.
4. With `confirm: version` a task that is done counts as running until its devices report it (`version_proof`).
5. The data rate the service chose for a session is read back once a group, while it runs.
6. Image and role are checked until the session starts; the service reads them then and shows no result.
"""

from __future__ import annotations

import msgspec

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.aws.device_versions import VersionReader
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.backends.aws.other_groups import other_groups
from otactl.backends.aws.tags import unit_is_ours
from otactl.backends.fuota.definition import FuotaShape
from otactl.backends.fuota.other_tasks import OtherTasks
from otactl.backends.fuota.reads import TaskReader
from otactl.backends.fuota.session_rate import SessionReader
from otactl.backends.fuota.targets import TargetReader
from otactl.backends.fuota.things import ThingReader
from otactl.backends.fuota.version_proof import TaskProof
from otactl.errors import ConflictError, StalledError, TransientError
from otactl.model import (
    Attempt,
    Environment,
    Listed,
    Observation,
    PreflightRequest,
    Record,
    Rollout,
    Stage,
    Survey,
    Unit,
    UnitPhase,
)
from otactl.model.actions import Call, Receipt

LAG = 60.0
ROLE_SERVICE = "iotwireless.amazonaws.com"


class FuotaBackend(FuotaShape):
    """The backend over a transport."""

    def __init__(self, environment: Environment, transport: AwsClient) -> None:
        self._environment = environment
        self._transport = transport
        self._reader = TaskReader(transport)
        self._versions, self._things = VersionReader(transport), ThingReader(transport)
        self._proof = TaskProof(transport, self._versions)
        self._sessions = SessionReader(transport)
        self._targets = TargetReader(self._reader, self._things)
        self._others = OtherTasks(self._reader, self._targets)
        self._facts = ImageAndRoleReader(self._transport)

    def survey(self) -> Survey:
        """Read whose account this is, and list every task in it; drop what was cached for the pass before."""
        self._facts = ImageAndRoleReader(self._transport)
        account = self._transport.identity()
        listed = tuple(
            Listed(vendor_id=str(item["Id"]), name=str(item.get("Name", "")), arn=str(item.get("Arn", "")))
            for item in self._reader.pages("ListFuotaTasks", "FuotaTaskList", {})
        )
        return Survey(account=account, listed=listed)

    def marks(self, item: Listed) -> dict[str, str]:
        """Return the tags of one task."""
        return self._reader.tags(item.arn)

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        """Read the rollout's live tasks."""
        return Observation(units=self._units(rollout, known, survey))

    def preflight(self, rollout: Rollout, request: PreflightRequest, seen: Observation, survey: Survey) -> Observation:
        """Add what the next tasks need to start."""
        starting = request.starting
        if starting is None:
            return seen
        role, uri = rollout.backend.role, rollout.firmware.image
        idle = starting.waits or rollout.suspend is not None or rollout.abort is not None
        targets = () if idle else self._targets.of(starting.keys, starting.unit, self._facts)
        targets = self._others.beside(
            targets, survey, {*request.our_ids, *(u.vendor_id for u in seen.units)}, self._facts
        )
        targets = self._versions.before_start(targets, rollout, self._things.of)
        return msgspec.structs.replace(
            seen,
            devices=tuple(sorted({device for target in targets for device in target.devices})),
            group_sizes=self._sizes(rollout, request),
            succeeded_before=self._before(starting.keys, starting.unit),
            targets=targets,
            image=self._facts.image(uri),
            role=self._facts.role(role, ROLE_SERVICE, uri),
        )

    def _sizes(self, rollout: Rollout, request: PreflightRequest) -> dict[str, int]:
        """Return how many devices the groups of the other waves hold, where that is asked for."""
        others = other_groups(rollout, request, self._environment, "group:")
        groups = self._targets.of(others, None, self._facts)
        return {t.key: max(t.requested or 0, len(t.members)) for t in groups if t.exists}

    def send(self, call: Call) -> Receipt:
        """Send one call. What is already gone when it is to be deleted is done.

        Raises: StalledError `TargetMissing`, or ConflictError when something else is missing.
        """
        try:
            answer = self._transport.send(call)
        except NotFoundError as error:
            if call.operation in ("DeleteFuotaTask", "DisassociateMulticastGroupFromFuotaTask"):
                return Receipt(key=call.key)
            if call.operation.startswith("Associate"):
                raise StalledError("TargetMissing", f"{call.operation}: {error}; fix the targets") from error
            raise ConflictError(f"{call.operation}: {error}; the next pass checks again") from error
        vendor_id, arn = answer.get("Id"), answer.get("Arn")
        return Receipt(
            key=call.key,
            vendor_id=str(vendor_id) if vendor_id is not None else None,
            arn=str(arn) if arn is not None else None,
        )

    def _units(self, rollout: Rollout, known: Record, survey: Survey) -> tuple[Unit, ...]:
        units: list[Unit] = []
        listed = {item.vendor_id: item for item in survey.listed}
        by_name = {item.name: item for item in survey.listed}
        read: set[str] = set()
        owner = self._environment.owner
        for attempt in known.attempts:
            item = listed.get(attempt.vendor_id or "") or by_name.get(f"{owner}-{attempt.unit_id}")
            vendor_id = attempt.vendor_id or (item.vendor_id if item else None)
            if vendor_id is None:
                continue
            read.add(vendor_id)
            if attempt.live:
                unit = self._unit(vendor_id, attempt, rollout)
                if unit is None and vendor_id in listed:
                    # One of two reads is behind. Taking it for gone would make a second task beside the first.
                    text = f"ListFuotaTasks shows {vendor_id}, GetFuotaTask does not; the next pass checks again"
                    raise TransientError(text, retry_after=LAG)
                # An id that our journal holds is ours, whatever anybody wrote into its tags: that is drift.
                if unit is not None and (
                    attempt.vendor_id is not None
                    or unit_is_ours(unit, self._environment, attempt.rollout or rollout.name)
                ):
                    units.append(self._sessions.reported(unit, attempt, rollout))
            elif attempt.stage is Stage.LOST and item is not None:
                unit = self._unit(vendor_id, attempt, rollout)
                units += [unit] if unit is not None else []
            elif attempt.stage is Stage.ENDED and item is not None:
                units.append(Unit(unit_id=attempt.unit_id, phase=UnitPhase.ENDED, vendor_id=vendor_id))
        prefixes = tuple(f"{owner}-{name}-" for name in rollout.names)
        for item in survey.listed:
            if item.vendor_id not in read and item.name.startswith(prefixes):
                fresh = Attempt(number=1, generation="", unit_id=item.name.removeprefix(f"{owner}-"))
                unit = self._unit(item.vendor_id, fresh, rollout)
                if unit is not None and unit_is_ours(unit, self._environment, *rollout.names):
                    units.append(unit)
        return tuple(units)

    def _unit(self, vendor_id: str, attempt: Attempt, rollout: Rollout) -> Unit | None:
        unit = self._reader.unit(vendor_id, attempt, rollout, self._environment.owner)
        return self._proof.of(unit, attempt, rollout) if unit is not None else None

    def _before(self, keys: tuple[str, ...], unit: Unit | None) -> tuple[str, ...]:
        """Return devices that show success before a full task of groups is started."""
        groups = tuple(k.removeprefix("group:") for k in keys if k.startswith("group:"))
        if not groups or unit is None or unit.phase is not UnitPhase.OPEN or not set(keys) & set(unit.members):
            return ()
        return self._targets.succeeded_before(unit.vendor_id, groups, self._facts)
