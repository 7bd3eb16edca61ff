"""Serves the control API under `/_simulator/`, which lists itself: clock, faults, fleet, settings, state and more."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from otactl_simulator.faults import TUYA_EFFECTS
from otactl_simulator.fleet_document import KEYS
from otactl_simulator.iot import settings as iot
from otactl_simulator.iotwireless import settings as iotwireless
from otactl_simulator.switches import Switch
from otactl_simulator.tuya import settings as tuya
from otactl_simulator.wire.serialise import Response
from otactl_simulator.world import World

PREFIX = "/_simulator/"
LOOPBACK = ("127.0.0.1", "::1")
SWITCHES: dict[str, Switch] = {**iotwireless.SWITCHES, **iot.SWITCHES, **tuya.SWITCHES}


class Route(NamedTuple):
    """One request of the control API; `body` is an example, empty where none is read."""

    method: str
    name: str
    does: str
    body: str = ""


ROUTES = (
    Route("GET", "", "lists these requests, fault effects, parts of a fleet and settings"),
    Route("GET", "requests", "lists every call of a service so far, with parameters, status and the fault that hit it"),
    Route("GET", "state", "shows what every service holds, by account and Region"),
    Route("GET", "settings", "shows every setting with its value"),
    Route(
        "POST",
        "clock",
        "moves the clock forward, by seconds or to a time with a zone; sessions and devices go on meanwhile",
        '{"advanceSeconds": 3600}',
    ),
    Route(
        "POST",
        "faults",
        "replaces the fault rules; a rule hits the nth matching call, or each with a probability, or all",
        '{"rules": [{"service": "iotwireless", "operation": "CreateFuotaTask", "effect": "throttle", "nth": 1}]}',
    ),
    Route(
        "POST",
        "fleet",
        "adds devices, groups, things, images and Tuya products",
        '{"devices": [{"devEui": "70b3d57ed0000001", "rfRegion": "EU868", "loss": 0.02}]}',
    ),
    Route("POST", "settings", "changes settings, all or none", '{"callsPerSecond": 0}'),
    Route("POST", "reset", "forgets everything"),
)


def guide(world: World) -> dict[str, object]:
    """Return what the control API can do, with the settings as they are."""
    now = world.settings()
    known = {name: {"choices": _choices(s), "about": s.about} for name, s in SWITCHES.items()}
    return {
        "requests": [
            {
                "method": r.method,
                "path": PREFIX + r.name,
                "does": r.does,
                **({"body": json.loads(r.body)} if r.body else {}),
            }
            for r in ROUTES
        ],
        "faultEffects": TUYA_EFFECTS,
        "fleetParts": sorted(KEYS),
        "settings": {name: {"value": value, **known.get(name, {})} for name, value in now.items()},
    }


def _choices(switch: Switch) -> object:
    return list(switch.choices) if isinstance(switch.choices, tuple) else "a number, not below 0"


def answer(world: World, method: str, path: str, body: bytes, reset: Callable[[], None]) -> Response:
    """Serve one control request; what is wrong with it is a 400 with one sentence."""
    name = path.removeprefix(PREFIX).strip("/")
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        return _json(400, {"error": "the body is not JSON"})
    if not isinstance(document, dict):
        return _json(400, {"error": "the body must be a JSON object"})
    reads: dict[str, Callable[[], object]] = {
        "": lambda: guide(world),
        "requests": lambda: {"requests": world.requests},
        "state": world.snapshot,
        "settings": world.settings,
    }
    if method == "GET" and name in reads:
        world.advance()
        return _json(200, reads[name]())
    writes: dict[str, Callable[[], None]] = {
        "clock": lambda: _clock(world, document),
        "faults": lambda: world.faults.replace(document.get("rules")),
        "fleet": lambda: _fleet(world, document),
        "settings": lambda: world.apply_settings(document),
        "reset": reset,
    }
    if method == "POST" and name in writes:
        try:
            writes[name]()
        except (ValueError, TypeError, OverflowError) as error:
            return _json(400, {"error": str(error)})
        return _json(200, {"now": world.clock.now().isoformat()})
    known = ", ".join([*(f"GET {PREFIX}{n}" for n in reads), *(f"POST {PREFIX}{n}" for n in writes)])
    return _json(404, {"error": f"no {method} {path}; there are {known}"})


def _clock(world: World, document: Mapping[str, object]) -> None:
    seconds, moment = document.get("advanceSeconds"), document.get("now")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        world.clock.advance(seconds)
    elif isinstance(moment, str):
        world.clock.set(datetime.fromisoformat(moment))
    else:
        raise ValueError(  # noqa: TRY004 - answered with HTTP 400
            'give {"advanceSeconds": n} or {"now": "2026-01-01T00:00:00Z"}'
        )
    world.advance()


def _fleet(world: World, document: Mapping[str, object]) -> None:
    for service in world.services.values():
        service.load_fleet(document)


def _json(status: int, document: object) -> Response:
    return status, {"content-type": "application/json"}, json.dumps(document, default=str).encode()
