"""Reads an answer of Tuya's gateway: success, failure, or nothing that can be understood.

1. Only `success: true` under an HTTP status below 400 is a success; HTTP 200 with `success: false` is a failure [V].
2. Keys are compared without case: the gateway writes camelCase [V], its English pages damage it, its twin PascalCase.
3. A list whose page count is missing is not taken for whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from otactl.backends.tuya.errors import FailedError, Failure, plain, said, unreadable
from otactl.backends.tuya.http import Reply
from otactl.backends.tuya.operations import WRITES
from otactl.errors import StalledError
from otactl.model.values import JsonObject


def judged(
    reply: Reply,
    action: str,
    hidden: tuple[str, ...],
    where: str,
    *,
    off: timedelta | None,
    age: timedelta | None,
    writes: bool,
) -> JsonObject:
    """Return the answer, if it is a success; else FailedError, or one of our errors for what cannot be understood."""
    answer = _parsed(reply.body)
    success = _truth(member(answer, "success"))
    if success is True and reply.status < 400:
        return answer or {}
    code, words = plain(member(answer, "code"), hidden), said(member(answer, "errorMessage"), hidden)
    failure = Failure(action, reply.status, code, words, off, writes, age)
    if success is False or code or failure.throttled or failure.lost:
        raise FailedError(failure)
    raise unreadable(action, _why(reply, answer, where), writes=action in WRITES)


def member(answer: Mapping[str, object] | None, name: str) -> object:
    """Return a member by name (rule 2); None when it is missing."""
    return next((value for key, value in (answer or {}).items() if key.lower() == name.lower()), None)


def is_number(text: str) -> bool:
    """Return whether a text is a whole number that a gateway may mean: up to 18 plain digits."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def page_count(action: str, answer: JsonObject) -> int:
    """Return how many pages a list has (rule 3); it stands beside the rows or inside `data`.

    Raises: StalledError `AnswerInvalid` when the answer does not say it.
    """
    data = member(answer, "data")
    for place in (answer, data if isinstance(data, dict) else {}):
        given = member(place, "pageCount")
        if isinstance(given, int) and not isinstance(given, bool):
            return given
        if isinstance(given, str) and is_number(given):
            return int(given)
    raise StalledError("AnswerInvalid", f"tuya:{action}: the answer has no pageCount, so the list may be cut off")


def _parsed(body: bytes) -> JsonObject | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _truth(value: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _why(reply: Reply, answer: JsonObject | None, where: str) -> str:
    if 300 <= reply.status < 400:
        return f"{where} answers HTTP {reply.status}, a redirect, which is not followed; check the endpoint"
    if answer is not None:
        return f"the answer (HTTP {reply.status}) does not say whether it succeeded; is {where} Tuya's gateway?"
    kind = "XML" if reply.body.lstrip().startswith(b"<") else "not JSON"
    return f"the answer (HTTP {reply.status}) is {kind}; is {where} Tuya's gateway?"
