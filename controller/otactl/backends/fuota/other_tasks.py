"""Finds FUOTA tasks of others on the same groups or devices: a device hears one session at a time.

1. Every listed task that this environment's journal does not know is another's: made by hand, by another owner, by
   another environment. Only tasks known to the journal are left to it, which compares them without a call.
2. A task that is scheduled, on air, or in an unknown status is work of its targets; one that is still open has
   started nothing and is reported. One that is done, or being deleted, is none.
3. The list is thin, so a task costs one read for its status and one a kind of member, a pass and before a start only.
   What was done once stays done, and is not read again by the same process.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from msgspec.structs import replace

from otactl.backends.aws.client import NotFoundError
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.backends.fuota.reads import TaskReader
from otactl.backends.fuota.statuses import task_phase
from otactl.backends.fuota.targets import TargetReader
from otactl.model import Listed, Survey, TargetFacts, UnitPhase, Value

_OVER = (UnitPhase.ENDED, UnitPhase.DELETING)
NAMED = 2


class OtherTask(Value, frozen=True, kw_only=True):
    """One unfinished task of another owner: whom it reaches, and how it is reported."""

    began: bool
    groups: frozenset[str]
    devices: frozenset[str]
    words: str

    def reaches(self, target: TargetFacts) -> bool:
        """Return whether it holds a target, or a device that the target is or has inside."""
        return target.vendor_id in self.groups or not self.devices.isdisjoint(target.devices)


class OtherTasks:
    """Looks for them."""

    def __init__(self, reader: TaskReader, targets: TargetReader) -> None:
        self._reader, self._targets = reader, targets
        self._over: set[str] = set()

    def beside(
        self, targets: tuple[TargetFacts, ...], survey: Survey, own: Collection[str], facts: ImageAndRoleReader
    ) -> tuple[TargetFacts, ...]:
        """Return the targets with what others have to do with them; `own` are the tasks of the rollout that asks."""
        if not any(t.exists for t in targets):
            return targets
        others = [
            task
            for item in survey.listed
            if item.vendor_id not in survey.known and item.vendor_id not in own and item.vendor_id not in self._over
            if (task := facts.once(("other task", item.vendor_id), partial(self._read, item, facts))) is not None
        ]
        return tuple(_with(target, [o for o in others if o.reaches(target)]) for target in targets)

    def _read(self, item: Listed, facts: ImageAndRoleReader) -> OtherTask | None:
        asked: dict[str, object] = {"Id": item.vendor_id}
        try:
            status = self._reader.get("GetFuotaTask", asked).get("Status")
            phase = task_phase(status)
            if phase in _OVER:
                self._over.add(item.vendor_id)
                return None
            listed = self._reader.pages("ListMulticastGroupsByFuotaTask", "MulticastGroupList", asked)
            groups = frozenset(str(group["Id"]) for group in listed)
            by_task = {"FuotaTaskId": item.vendor_id}
            single = self._reader.pages("ListWirelessDevices", "WirelessDeviceList", {**by_task})
            devices = {str(device["Id"]) for device in single}
        except NotFoundError:  # deleted since it was listed
            return None
        devices |= {device for group in groups for device in self._inside(group, facts)}
        words = f"FUOTA task {item.vendor_id} ({item.name or 'without a name'}) is {status}"
        return OtherTask(began=phase is not UnitPhase.OPEN, groups=groups, devices=frozenset(devices), words=words)

    def _inside(self, group: str, facts: ImageAndRoleReader) -> set[str]:
        """Return the devices of a group; none of one that was deleted, which its task may still name."""
        try:
            return {device.id for device in self._targets.devices_of(group, facts)}
        except NotFoundError:
            return set()


def _with(target: TargetFacts, others: list[OtherTask]) -> TargetFacts:
    return replace(
        target,
        busy_with=_some([o.words for o in others if o.began]),
        not_started_with=_some([o.words for o in others if not o.began]),
    )


def _some(words: list[str]) -> str:
    more = f" and {len(words) - NAMED} more tasks" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more
