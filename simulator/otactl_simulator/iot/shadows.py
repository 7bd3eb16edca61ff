"""Serves device shadows: documents of reported and desired state.

1. An update is merged: what it gives is set, null deletes, null for `desired` or `reported` deletes the section, and
   null for `state` both. A section without a member is left out, an empty object within one is kept. The answer has
   what was given, and its metadata (moto's tests of shadows, which were verified against AWS). The version grows with
   every update; a version given must be the shadow's, else ConflictException.
2. Deleting does not set the version back (developer guide, "Using shadows in devices").
3. A document has at most 8 kB (AWS General Reference, IoT Core quotas), its state at most 8 levels below a section.
4. Inferred or left out: the thing must be in the registry here, which the service does not ask for.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import datetime

from otactl_simulator.clock import Clock
from otactl_simulator.iot.common import mapping, page, whole
from otactl_simulator.iot.state import Stores, Thing, invalid
from otactl_simulator.service import Handler, ModelledError, Request

SECTIONS = ("desired", "reported")
MAX_BYTES = 8 * 1024
MAX_DEPTH = 8


class Shadows:
    """The shadow operations of the data plane."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "GetThingShadow": self.get,
            "UpdateThingShadow": self.update,
            "DeleteThingShadow": self.delete,
            "ListNamedShadowsForThing": self.list_named,
        }

    def get(self, request: Request) -> dict[str, object]:
        """GetThingShadow: with the delta, where reported is not what is desired."""
        thing, name = self._named(request)
        shadow = _there(thing, name)
        state = mapping(shadow["state"])
        differs = delta(state.get("desired"), state.get("reported"))
        shown = {**state, "delta": differs} if differs else state
        return {"payload": _json({**shadow, "state": shown})}

    def update(self, request: Request) -> dict[str, object]:
        """UpdateThingShadow (rules 1 and 3)."""
        thing, name = self._named(request)
        document = _document(request.parameters["payload"])
        wanted = whole(document.get("version"))
        if wanted is not None and wanted != mapping(thing.shadows.get(name)).get("version", 0):
            raise ModelledError("ConflictException", "Version conflict")
        given = document["state"]
        write(thing, name, mapping(given) if given is not None else dict.fromkeys(SECTIONS), self._clock.now())
        shadow = thing.shadows[name]
        moment = whole(shadow["timestamp"]) or 0
        metadata = {"timestamp": moment} if given is None else _stamped(given, moment)
        answer = {"state": given, "metadata": metadata, "version": shadow["version"], "timestamp": moment}
        if "clientToken" in document:
            answer["clientToken"] = document["clientToken"]
        return {"payload": _json(answer)}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteThingShadow (rule 2)."""
        thing, name = self._named(request)
        shadow = _there(thing, name)
        del thing.shadows[name]
        version = whole(shadow["version"]) or 0
        thing.deleted_shadows[name] = version
        return {"payload": _json({"version": version, "timestamp": int(self._clock.now().timestamp())})}

    def list_named(self, request: Request) -> dict[str, object]:
        """ListNamedShadowsForThing: without the classic one, which has no name."""
        thing = self._stores.of(request).thing(request.parameters["thingName"])
        items, token = page(sorted(n for n in thing.shadows if n), request.parameters, "pageSize")
        return {"results": items, "nextToken": token, "timestamp": int(self._clock.now().timestamp())}

    def _named(self, request: Request) -> tuple[Thing, str]:
        store = self._stores.of(request)
        return store.thing(request.parameters["thingName"]), str(request.parameters.get("shadowName", ""))


def write(thing: Thing, name: str, state: Mapping[str, object], now: datetime) -> None:
    """Merge a state into a shadow, made when it is not there; the classic one has the empty name."""
    shadow = thing.shadows.get(name, {})
    version = whole(shadow.get("version")) or thing.deleted_shadows.get(name, 0)
    moment = int(now.timestamp())
    kept = merged(mapping(shadow.get("state")), state)
    kept = {section: value for section, value in kept.items() if value}
    metadata = merged(mapping(shadow.get("metadata")), mapping(_stamped(state, moment)))
    thing.shadows[name] = {
        "state": kept,
        "metadata": {section: value for section, value in metadata.items() if section in kept},
        "version": version + 1,
        "timestamp": moment,
    }


def merged(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """Return what a document becomes: null deletes, objects are merged, all else replaces."""
    result = dict(old)
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            kept = merged(mapping(old.get(key)), mapping(value))
            result[key] = kept
        else:
            result[key] = copy.deepcopy(value)
    return result


def delta(desired: object, reported: object) -> dict[str, object]:
    """Return what is desired and not reported so."""
    found: dict[str, object] = {}
    has = mapping(reported)
    for key, value in mapping(desired).items():
        if isinstance(value, Mapping) and isinstance(has.get(key), Mapping):
            inner = delta(value, has[key])
            if inner:
                found[key] = inner
        elif key not in has or has[key] != value:
            found[key] = value
    return found


def _stamped(value: object, moment: int) -> object:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {key: _stamped(inner, moment) for key, inner in value.items()}
    if isinstance(value, list):
        return [_stamped(inner, moment) for inner in value]
    return {"timestamp": moment}


def _there(thing: Thing, name: str) -> dict[str, object]:
    shadow = thing.shadows.get(name)
    if shadow is None:
        said = f"{thing.name}~{name}" if name else thing.name
        raise ModelledError("ResourceNotFoundException", f"No shadow exists with name: '{said}'")
    return shadow


def _document(payload: object) -> dict[str, object]:
    raw = payload if isinstance(payload, bytes) else str(payload).encode()
    if len(raw) > MAX_BYTES:
        raise ModelledError("RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
    try:
        document: object = json.loads(raw)
    except ValueError as error:
        raise invalid("Invalid JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("state", 0), (dict, type(None))):
        raise invalid("Missing required node: state")
    for section, value in mapping(document["state"]).items():
        if section not in SECTIONS:
            raise invalid(f"State contains an invalid node: '{section}'")
        if value is not None and not isinstance(value, dict):
            raise invalid(f"State node '{section}' must be an object")
        if _depth(value) > MAX_DEPTH:
            raise invalid("JSON contains too many levels of nesting; maximum is 8")
    return document


def _depth(value: object) -> int:
    if not isinstance(value, dict):
        return 0
    return 1 + max((_depth(inner) for inner in value.values()), default=0)


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
