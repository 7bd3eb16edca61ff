"""Adapts ASGI: its types, a request's whole body, a connection that closes without an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# ASGI's own types are open maps; they go no further than this file and the app.
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Dropped(Exception):  # noqa: N818 - not an error of ours: the connection is to end here
    """The connection is to be closed without an answer."""


async def whole_body(receive: Receive) -> bytes:
    """Everything a request carries."""
    parts = []
    while True:
        event = await receive()
        parts.append(event.get("body", b""))
        if not event.get("more_body"):
            return b"".join(parts)


async def drop(receive: Receive, send: Send) -> None:
    """Close the connection without a byte. ASGI has no word for it, so uvicorn's own cycle behind `send` is asked."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise RuntimeError("the server gives no way to drop a connection; run the simulator under uvicorn")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def lifespan(receive: Receive, send: Send) -> None:
    """Answer that nothing is to be started or ended."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif event["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
