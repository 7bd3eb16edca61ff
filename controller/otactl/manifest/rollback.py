"""Finds the devices that took a revision, and writes the manifest of a rollout that gives them an older one.

1. A device took the revision if any attempt reported its success. It is unsure if none did and one leaves it open: no
   answer yet, silence until a timeout, an unexpected version.
2. The new rollout has firmware, backend block and the way of judging from the older manifest; environment, labels,
   windows and drift mode from the one it takes back. Nothing else is carried over, holds and approvals least of all.
3. Its targets are single devices, whatever the older manifest names: groups also hold devices that took nothing.
4. One device goes first; those that are unsure go last, in waves of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from otactl.backends.registry import BACKENDS
from otactl.model import Attempt, DeviceResult, JsonObject, Outcome, Reason, Record, Rollout, Value

MOST_WAVES = 50
_UNSURE = {
    Reason.TIMEOUT: "silent until the timeout",
    Reason.VERSION: "reports another version, or none",
    Reason.REMOVED: "left the targets before it answered",
}
_JUDGING = ("gate", "retry", "onFailure", "confirm")


class UpdatedDevice(Value, frozen=True, kw_only=True):
    """A device by its target key (`device:…`, `devEui:…`); `note` is what people know it by, and why it is unsure."""

    key: str
    note: str = ""

    @property
    def id(self) -> str:
        """Return the id that its service, or its maker, gives it."""
        return self.key.partition(":")[2]

    @property
    def target(self) -> str | JsonObject:
        """Return the device as a manifest names it."""
        return self.id if self.key.startswith("device:") else {"devEui": self.id}


class UpdatedDevices(Value, frozen=True, kw_only=True):
    """Devices that took a revision, those that may have, and groups that were sent it with unrecorded devices."""

    took: tuple[UpdatedDevice, ...] = ()
    unsure: tuple[UpdatedDevice, ...] = ()
    unknown: tuple[str, ...] = ()


def takers(record: Record, generation: str) -> UpdatedDevices:
    """Sort the devices that were sent a content (rule 1), in the order of the waves."""
    ids = {_fold(r.name or ""): r.device for a in record.attempts for r in a.results}
    took: dict[str, UpdatedDevice] = {}
    unsure: dict[str, UpdatedDevice] = {}
    unknown: dict[str, None] = {}
    for wave in record.waves:
        for attempt in wave.attempts_since(generation):
            for result in attempt.results:
                key = f"device:{result.device}"
                if result.outcome is Outcome.SUCCEEDED:
                    took[key] = UpdatedDevice(key=key, note=_called(result))
                elif (why := _doubt(result)) is not None:
                    unsure[key] = UpdatedDevice(key=key, note=", ".join(filter(None, (_called(result), why))))
            for key in _silent(attempt, record, ids):
                if key.partition(":")[0] in ("device", "devEui"):
                    unsure.setdefault(key, UpdatedDevice(key=key, note="no answer yet"))
                else:
                    unknown[key] = None
    left = {key: taker for key, taker in unsure.items() if key not in took}
    return UpdatedDevices(took=tuple(took.values()), unsure=tuple(left.values()), unknown=tuple(unknown))


def _called(result: DeviceResult) -> str:
    return result.name if result.name and _fold(result.name) != _fold(result.device) else ""


def _doubt(result: DeviceResult) -> str | None:
    """Return why a device that did not succeed may have the revision all the same; None if it has not."""
    if result.outcome is Outcome.WAITING:
        return "no answer yet"
    if result.outcome is Outcome.UNKNOWN:
        return "an answer that otactl does not know"
    return _UNSURE.get(result.reason) if result.reason is not None else None


def _silent(attempt: Attempt, record: Record, ids: dict[str, str]) -> Iterator[str]:
    """Yield the targets of an attempt that was, or may have been, sent to devices, and that have no result."""
    if not (attempt.was_sent or record.start_pending_since(attempt.unit_id)):
        return
    answered, devices = {r.device for r in attempt.results}, set(ids.values())
    through = {r.via for r in attempt.results}
    for key in (f"device:{d}" for d in attempt.devices) if attempt.devices else (attempt.members or attempt.targets):
        known = ids.get(_fold(key.partition(":")[2]), key.partition(":")[2])
        if known not in answered and key not in through:
            yield f"device:{known}" if known in devices else key


def _fold(name: str) -> str:
    return name.lower()


def back(name: str, new: Rollout, written: JsonObject, older: JsonObject, found: UpdatedDevices) -> JsonObject:
    """Return the manifest of the rollout that takes devices back (rules 2 to 4).

    `written` is the manifest of `new` as written, `older` the one to go back to: references of both stay references.
    """
    kind = new.backend_kind
    spec, before = (cast("JsonObject", each["spec"]) for each in (written, older))
    judging = cast("JsonObject", before["strategy"])
    listed = waves(found, kind)
    earlier = [str(w["name"]) for w in cast("list[JsonObject]", judging["waves"])]
    names = [str(w["name"]) for w in listed]
    block = BACKENDS[kind].rollback_block(cast("JsonObject", before[kind]), earlier, new, names)
    strategy: JsonObject = {"waves": listed, **{k: judging[k] for k in _JUDGING if k in judging}}
    made: JsonObject = {
        "environment": spec["environment"],
        "firmware": before["firmware"],
        kind: block,
        "strategy": {**strategy, "allowDowngrade": True},
    }
    if "windows" in spec:
        made["windows"] = spec["windows"]
    mode = cast("JsonObject", spec.get("drift", {})).get("mode")
    if mode is not None:
        made["drift"] = {"mode": mode}
    labels = cast("JsonObject", written["metadata"]).get("labels")
    metadata: JsonObject = {"name": name} if labels is None else {"name": name, "labels": labels}
    return {"apiVersion": written["apiVersion"], "kind": "Rollout", "metadata": metadata, "spec": made}


def waves(found: UpdatedDevices, kind: str) -> list[JsonObject]:
    """Divide the devices (rule 4), in parts that one unit takes."""
    definition = BACKENDS[kind]
    first = (*found.took, *found.unsure)[0]
    took, unsure = found.took[1:], found.unsure if found.took else found.unsure[1:]
    named: list[tuple[str, tuple[UpdatedDevice, ...]]] = [("canary", (first,))]
    for name, group in (("rest", took), ("unsure", unsure)):
        size = definition.target_limit or max(len(group), 1)
        parts = [group[start : start + size] for start in range(0, len(group), size)]
        named += [(name if len(parts) == 1 else f"{name}-{n}", part) for n, part in enumerate(parts, 1)]
    return [{"name": n, "targets": {definition.device_kind: [t.target for t in part]}} for n, part in named]


def name_for(name: str, taken: frozenset[str]) -> str:
    """Return a name for the rollout that takes `name` back, which no other rollout has or had."""
    number = 1
    while True:
        end = "-rb" if number == 1 else f"-rb{number}"
        made = name[: 30 - len(end)].rstrip("-") + end
        if made not in taken:
            return made
        number += 1
