"""Moves tasks through time: waiting, in session, done, deleted.

1. The image is read when the session starts, by assuming the task's role (developer guide): a wrong role or image
   shows only here, as a task that is done with devices that never started.
2. FuotaDone says that the session ended, nothing else. What became of a device stands in its own status.
3. The service opens a group's multicast session itself and chooses its data rate from the fragment size: the slowest
   that carries it (the rule is not published; this is the cautious reading).
4. The session's timeout is a power of two of seconds (TS005); it says nothing about success. FuotaDone is reached when
   it times out, too (developer guide, "FUOTA task status"): whether devices that do not answer hold it until then is
   the switch `silentHoldSession`.
5. A device already held by another task takes no part (FuotaDeviceStatus, added to the SDK in June 2024).
6. Whether deleting a task stops its transmission is a switch; if not, it goes on air to its end, and a device that
   heard it has the image although no task tells so.
7. What a device that rebuilt the image makes of it, and reports, is its thing's (things_port).
8. A multicast session ends with its timeout (developer guide, multicast status), a FUOTA session's with the task's end.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from otactl.lorawan.errors import LorawanError
from otactl.lorawan.regions import region
from otactl_simulator.iam.policy import UnsupportedPolicyError
from otactl_simulator.iotwireless.groups import ready_devices
from otactl_simulator.iotwireless.images_port import Images, ImageUnavailableError
from otactl_simulator.iotwireless.radio import on_air
from otactl_simulator.iotwireless.reception import CONFLICT, NO_ANSWER, Session, outcome, refusal, takes
from otactl_simulator.iotwireless.settings import Settings
from otactl_simulator.iotwireless.state import DELETING, DONE, IN_SESSION, WAITING, Group, Store, Stores, Task
from otactl_simulator.iotwireless.tags import forget
from otactl_simulator.iotwireless.things_port import Things

MIN_TIMEOUT_SECONDS = 64


class Sessions:
    """Moves every task to where it stands at a moment."""

    def __init__(self, stores: Stores, images: Images, things: Things, settings: Settings, seed: int) -> None:
        self._stores = stores
        self._images = images
        self._things = things
        self._settings = settings
        self._seed = seed

    def advance(self, now: datetime) -> None:
        """Bring every task up to `now`, in the order in which things happen."""
        for store in self._stores.all.values():
            waiting = sorted(
                (t for t in store.tasks.values() if t.status == WAITING and t.start_time and t.start_time <= now),
                key=lambda t: t.start_time or now,
            )
            for task in waiting:
                self._finish(store, task.start_time or now)
                self._begin(store, task)
            self._finish(store, now)
            self._remove(store, now)

    def next_change(self) -> datetime | None:
        """Return the earliest start, end or deletion that is still to come."""
        moments = [
            moment
            for store in self._stores.all.values()
            for moment in (
                *(t.start_time for t in store.tasks.values() if t.status == WAITING),
                *(t.session_end for t in store.on_air.values()),
                *(t.delete_at for t in store.tasks.values() if t.status == DELETING),
            )
            if moment is not None
        ]
        return min(moments, default=None)

    def _begin(self, store: Store, task: Task) -> None:
        store.remember(task.id)
        start = task.start_time
        if start is None:
            return
        try:
            image = self._image(store, task)
            session, seconds = on_air(task, len(image), self._regions(store, task), self._settings)
        except (ImageUnavailableError, UnsupportedPolicyError, LorawanError) as error:
            task.log.append(f"{start.isoformat()} ERROR {error}")
            task.status, task.session_end = DONE, start
            task.statuses = dict.fromkeys(self._members(store, task), NO_ANSWER)
            return
        task.status, task.session_end = IN_SESSION, start + timedelta(seconds=seconds)
        task.log.append(f"{start.isoformat()} INFO image transmission is starting: {session}")
        ready = {
            k
            for g in task.groups
            if g in store.groups
            for k in ready_devices(store, store.groups[g], self._settings, start)
        }
        task.image_sha256 = hashlib.sha256(image).hexdigest()
        store.on_air[task.id] = task
        for key in self._members(store, task):
            device = store.devices.get(key)
            if device is None or (task.groups and key not in ready):
                task.statuses[key] = task.outcomes[key] = NO_ANSWER
            elif self._held(store, task, key):
                task.statuses[key] = task.outcomes[key] = CONFLICT
            else:
                seed = f"{self._seed}/{task.draws}/{device.dev_eui or key}"
                task.outcomes[key] = outcome(device, session, seed)
                if takes(device, session, seed, task.outcomes[key]):
                    task.took.append(key)
                refused = None if device.behaviour == "silent" else refusal(device, session)
                task.statuses[key] = refused or NO_ANSWER
        self._open_groups(store, task, session, seconds)
        if self._settings["silentHoldSession"] is True and task.groups and NO_ANSWER in task.outcomes.values():
            task.session_end = start + timedelta(seconds=_timeout(seconds))

    def _image(self, store: Store, task: Task) -> bytes:
        role, uri = self._text(task, "FirmwareUpdateRole"), self._text(task, "FirmwareUpdateImage")
        return self._images.read(role, uri, store.region, sends_source=self._settings["sourceConditions"] is True)

    def _regions(self, store: Store, task: Task) -> list[str]:
        """Return where a task goes on air, as far as task and groups tell."""
        groups = [store.groups[g].rf_region for g in task.groups if g in store.groups]
        return [task.rf_region, *groups]

    def _open_groups(self, store: Store, task: Task, session: Session, seconds: float) -> None:
        timeout = _timeout(seconds)
        for key in task.groups:
            group = store.groups.get(key)
            if group is not None and group.rf_region:
                radio = region(group.rf_region)
                rate = radio.slowest_rate_for(session.fragment_bytes)
                opened: dict[str, object] = {
                    "DlDr": rate.dr,
                    "SessionStartTime": task.start_time,
                    "SessionTimeout": timeout,
                }
                group.session = {**(group.session or {}), **opened}

    def _members(self, store: Store, task: Task) -> list[str]:
        grouped = [k for g in task.groups if g in store.groups for k in store.groups[g].joined]
        return list(dict.fromkeys((*task.devices, *grouped)))

    def _held(self, store: Store, task: Task, key: str) -> bool:
        holding = dict(store.on_air)
        if self._settings["doneHoldsDevices"]:
            holding |= {t.id: t for t in store.tasks.values() if t.status == DONE}
        return any(o.outcomes.get(key) not in (None, CONFLICT) for o in holding.values() if o.id != task.id)

    def _finish(self, store: Store, now: datetime) -> None:
        for task in list(store.on_air.values()):
            stopped = task.status == DELETING and self._settings["deleteStopsSession"] is True
            if task.session_end is None or (task.session_end > now and not stopped):
                continue
            del store.on_air[task.id]
            self._close_groups(store, task)
            if not stopped:
                self._report(store, task, task.session_end)
        for group in store.groups.values():
            if _over(group, now) and not any(group.id in t.groups for t in store.on_air.values()):
                group.session = None

    def _report(self, store: Store, task: Task, end: datetime) -> None:
        """Report what the devices received, at the end of the transmission."""
        for key in task.took:
            device = store.devices.get(key)
            if device is None:
                continue
            device.image_sha256 = task.image_sha256
            if device.thing_arn is not None:
                self._things.took_image(store.account, store.region, device.thing_arn, task.image_sha256, end)
        if task.id in store.tasks:
            store.remember(task.id)
            task.status = DONE if task.status == IN_SESSION else task.status
            task.statuses |= task.outcomes
            task.log.append(f"{end.isoformat()} INFO session ended")

    def _close_groups(self, store: Store, task: Task) -> None:
        for key in task.groups:
            if key in store.groups and not any(key in other.groups for other in store.on_air.values()):
                store.groups[key].session = None

    def _remove(self, store: Store, now: datetime) -> None:
        for task in list(store.tasks.values()):
            if task.status == DELETING and task.delete_at is not None and task.delete_at <= now:
                store.remember(task.id)
                store.before.pop(task.id, None)
                del store.tasks[task.id]
                forget(store, task.arn)

    @staticmethod
    def _text(task: Task, name: str) -> str:
        return str(task.parameters.get(name, ""))


def _timeout(seconds: float) -> int:
    """Return the timeout of a group's session that lasts so long (rule 4)."""
    timeout = MIN_TIMEOUT_SECONDS
    while timeout < seconds:
        timeout *= 2
    return timeout


def _over(group: Group, now: datetime) -> bool:
    """Return whether a group's session has come to its timeout (rule 8)."""
    start, timeout = (group.session or {}).get("SessionStartTime"), (group.session or {}).get("SessionTimeout")
    return isinstance(start, datetime) and isinstance(timeout, int) and start + timedelta(seconds=timeout) <= now
