"""Finds the values of a manifest that stand for the user's own: what `otactl init` writes to be replaced.

1. A placeholder is text that starts with `your-`, or does so after a `/` or `:`; the word REPLACEME; a digest or an
   account of zeros alone; base64 of text that starts with `your-`.
2. Every field is searched: a sha256 and a signature of nothing have the form of real ones, and would be sent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from otactl.model import JsonObject, texts_in
from otactl.model.violation import Violation

_TEXT = re.compile(r"(^|[/:])your-|\bREPLACEME\b|(?<![-0-9A-Za-z])(0{64}|0{12})(?![-0-9A-Za-z])")
_HINT = {"firmware": "otactl image push uploads an image and prints this block"}
_ENCODED = "eW91ci"  # what the base64 of `your-` starts with


def placeholders(document: JsonObject) -> Iterator[Violation]:
    """Find each placeholder in the `spec` of a manifest, in the order of its fields."""
    spec = document.get("spec")
    if not any(map(_is_placeholder, texts_in(spec))):
        return  # as nearly always; then no pointer is needed
    for pointer, text in _strings("/spec", spec):
        if _is_placeholder(text):
            yield Violation(
                pointer=pointer,
                code="placeholder_not_replaced",
                message=f"{text if len(text) <= 40 else f'{text[:39]}…'} stands for a value of yours",
                hint=_HINT.get(pointer.split("/")[2], "write your own value"),
            )


def _is_placeholder(text: str) -> bool:
    return _TEXT.search(text) is not None or (text.startswith(_ENCODED) and _decoded(text).startswith("your-"))


def _strings(pointer: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _strings(f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", each)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _strings(f"{pointer}/{index}", each)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii", "replace")
    except binascii.Error:
        return ""
