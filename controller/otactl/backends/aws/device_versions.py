"""Reads the version each device reports: from its shadow, an attribute of its thing, or the fleet index.

1. Before a start a target counts as updated when it, or each device of a group, reports the version declared.
2. A group is read whole, since one device that runs a newer version holds the start. Where the manifest allows a
   downgrade, reading stops after `LISTED` devices once one device does not report the version.
3. The fleet index says only who has the version that its query asks for: one that does not name the version declared
   says nothing before a start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import cast

import msgspec

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.aws.errors import unreadable
from otactl.errors import StalledError, TransientError
from otactl.model import JsonObject, Rollout, TargetFacts, VersionConfirm, VersionProof

PAGE = 100
LISTED = 20  # devices of a group that are read, once one was found that does not report the version


class VersionReader:
    """Reported versions, by thing name; None for a device that reports none, or is not there."""

    def __init__(self, transport: AwsClient) -> None:
        self._transport = transport

    def reported(self, things: tuple[str, ...], proof: VersionProof, version: str) -> dict[str, str | None]:
        """Return what each thing reports. The fleet index says only which ones are updated: those report `version`."""
        if proof.index_query is not None:
            found = set(self._indexed(proof.index_query))
            return {thing: version if thing in found else None for thing in things}
        if proof.shadow is not None:
            path = proof.shadow
            return self._each(things, lambda thing: self._shadow(thing, path))
        name = proof.attribute or ""
        return self._each(things, lambda thing: self._attribute(thing, name))

    def before_start(
        self, targets: tuple[TargetFacts, ...], rollout: Rollout, thing_of: Callable[[str], str | None]
    ) -> tuple[TargetFacts, ...]:
        """Return the targets of a start with what they report, where the manifest says how that is reported.

        `thing_of` gives the thing of a device, or None for one that can report nothing.
        """
        confirm, version = rollout.strategy.confirm, rollout.firmware.version
        if not isinstance(confirm, VersionConfirm):
            return targets
        proof = confirm.version
        indexed: frozenset[str] = frozenset()
        if proof.index_query is not None:
            if version not in proof.index_query:
                return targets  # rule 3
            indexed = frozenset(self._indexed(proof.index_query))

        def reports(device: str) -> str | None:
            thing = thing_of(device)
            if thing is None:
                return None
            if proof.index_query is not None:
                return version if thing in indexed else None
            return self.reported((thing,), proof, version)[thing]

        endless = rollout.backend.endless
        whole = not rollout.strategy.allow_downgrade and proof.index_query is None
        return tuple(_target_facts(t, version, reports, endless=endless, every=whole) for t in targets)

    def _each(self, things: tuple[str, ...], read: Callable[[str], object]) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for thing in things:
            try:
                value = read(thing)
            except NotFoundError:
                value = None
            found[thing] = str(value) if value is not None else None
        return found

    def _shadow(self, thing: str, path: str) -> object:
        answer = self._transport.call("iot-data", "GetThingShadow", {"thingName": thing}, repeatable=True)
        # A version written as a number keeps its digits: 2.10 is not 2.1.
        try:
            document: object = json.loads(_body(answer.get("payload")), parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            raise unreadable("iot-data", "GetThingShadow", "payload is no JSON") from None
        for part in ("state", *path.split(".")):
            document = document.get(part) if isinstance(document, dict) else None
        return document

    def _attribute(self, thing: str, name: str) -> object:
        answer = self._transport.call("iot", "DescribeThing", {"thingName": thing}, repeatable=True)
        return cast("JsonObject", answer.get("attributes") or {}).get(name)

    def _indexed(self, query: str) -> Iterator[str]:
        token: object = None
        while True:
            asked: JsonObject = {"queryString": query, "maxResults": PAGE}
            if token:
                asked["nextToken"] = token
            try:
                answer = self._transport.call("iot", "SearchIndex", asked, repeatable=True)
            except NotFoundError as error:  # it says of no thing that it is not there
                raise StalledError("RequestRefused", f"iot:SearchIndex: {error}; switch fleet indexing on") from error
            for thing in cast("list[JsonObject]", answer.get("things") or []):
                yield str(thing.get("thingName"))
            token = answer.get("nextToken")
            if not token:
                return


def _target_facts(
    target: TargetFacts, version: str, reports: Callable[[str], str | None], *, endless: bool, every: bool
) -> TargetFacts:
    """Return a target with what it reports (rules 1 and 2). A group that is served for ever is never done with."""
    replace = msgspec.structs.replace
    if not target.is_group:
        runs = reports(target.vendor_id) if target.exists else None
        return replace(target, version=runs or "", updated=runs is not None and runs == version)
    had: list[str] = []
    runs_now: dict[str, str] = {}
    lacks = 0
    for number, device in enumerate(target.members):
        if lacks and number >= LISTED and not every:
            break
        found = reports(device)
        if found is not None:
            runs_now[device] = found
        if found == version:
            had.append(device)
        else:
            lacks += 1
    whole = bool(had) and not lacks and target.members_complete and not endless
    return replace(target, updated_members=tuple(had), member_versions=runs_now, updated=whole)


def _body(payload: object) -> bytes:
    """Return the bytes of a streamed answer."""
    read = getattr(payload, "read", None)
    if read is None:
        return b"{}"
    try:
        return bytes(read())
    except Exception as error:  # the wire broke while the body was read; the SDK has several kinds of that
        raise TransientError("iot-data:GetThingShadow broke off in its answer", committed=False) from error
