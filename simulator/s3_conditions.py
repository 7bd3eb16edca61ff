"""Conditional writes of S3 hold for writers at the same moment too: `If-Match` and `If-None-Match` on PutObject.

moto 5.2.5 looks at the condition and stores in two steps, and eight of its workers may stand between them (seen: two
of eight writers both told that they had created one key). S3 lets exactly one through, so writes go in turn here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def writes_in_turn(app: Asgi) -> Asgi:
    """Let one write into moto at a time; reads go beside it."""
    turn = asyncio.Lock()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            await app(scope, receive, send)
            return
        async with turn:
            await app(scope, receive, send)

    return serve
