"""Encodes the devices for the page's script: compact JSON that is safe inside a script element of HTML.

1. Words that occur often are written once, in lists; a device refers to them by number.
2. `<`, `>`, `&` and all that is not ASCII are written as escapes, so no text of a device, a manifest or a service ends
   the element or starts another one. What would act on the reading direction is shown as its code.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from otactl.model import JsonObject, iso_or_none
from otactl.report.page.device_index import PROOFS, VERDICTS, PageDevice, Sent
from otactl.report.page.fleet_view import FleetView
from otactl.report.sanitize import plain

T = TypeVar("T", bound=Hashable)
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\x7f": "\\u007f"})


class _Words(Generic[T]):
    """A list of words in the order in which they were first used."""

    def __init__(self, first: tuple[T, ...] = ()) -> None:
        self._places: dict[T, int] = {word: n for n, word in enumerate(first)}

    def place(self, word: T) -> int:
        return self._places.setdefault(word, len(self._places))

    @property
    def all(self) -> list[T]:
        return list(self._places)


def device_data(view: FleetView) -> str:
    """Return the JSON of every device."""
    reasons, details, vias = _Words[str](("",)), _Words[str](("",)), _Words[str](("",))
    labels = _Words[tuple[str, ...]](((),))

    def sent(each: Sent) -> list[int]:
        row = [
            each.attempt,
            VERDICTS.index(each.outcome),
            reasons.place(each.reason),
            details.place(each.detail),
            vias.place(each.via),
            PROOFS.index(each.proof),
        ]
        while not row[-1]:
            row.pop()
            if len(row) == 1:
                break
        return row

    def device(each: PageDevice) -> list[object]:
        row: list[object] = [
            plain(each.id),
            plain(each.name) if each.name != each.id else "",
            each.environment,
            labels.place(each.labels),
            VERDICTS.index(each.verdict),
            reasons.place(each.reason),
            each.newest,
            [sent(s) for s in each.sent],
        ]
        return [*row, list(each.wanted)] if each.wanted else row

    index = view.index
    devices = [device(each) for each in index.devices]
    rollouts = [(v.line.name, v.line.version, v.slug, v.line.environment, v.line.phase) for v in view.rollouts]
    document: JsonObject = {
        "environments": _plain(index.environments),
        "rollouts": [_plain(each) for each in rollouts],
        "attempts": [
            [
                a.rollout,
                plain(a.wave),
                a.number,
                plain(a.version),
                a.image_sha256[:12],
                a.stage,
                iso_or_none(a.start_at),
                iso_or_none(a.ended_at),
                plain(a.unit_id),
            ]
            for a in index.attempts
        ],
        "verdicts": list(VERDICTS),
        "proofs": list(PROOFS),
        "reasons": reasons.all,
        "details": _plain(details.all),
        "vias": _plain(vias.all),
        "labels": [_plain(each) for each in labels.all],
        "devices": devices,
    }
    return script_json(document)


def _plain(words: Iterable[str]) -> list[str]:
    return [plain(word) for word in words]


def script_json(document: JsonObject) -> str:
    """Return JSON that a script element of HTML can hold (rule 2)."""
    return json.dumps(document, separators=(",", ":")).translate(_ESCAPES)
