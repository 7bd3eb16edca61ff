"""Serves the control API under `/_simulator/`: clock, faults, requests, state, fleet, settings, reset.."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from otactl_simulator.wire.serialise import Response
from otactl_simulator.world import World

PREFIX = "/_simulator/"
LOOPBACK = ("127.0.0.1", "::1")


def answer(world: World, method: str, path: str, body: bytes, reset: Callable[[], None]) -> Response:
    """Serve one control request; what is wrong with it is a 400 with one sentence."""
    name = path.removeprefix(PREFIX).strip("/")
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        return _json(400, {"error": "the body is not JSON"})
    if not isinstance(document, dict):
        return _json(400, {"error": "the body must be a JSON object"})
    reads = {
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
