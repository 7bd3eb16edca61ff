"""Decodes the text of a file, and finds the marks of an unfinished merge.

1. UTF-8 only; a byte order mark is skipped, for manifests, CSV files and stack outputs alike.
2. UTF-16 is named as such: `>` of Windows PowerShell and "Unicode text" of spreadsheets write it.
3. Conflict markers of git at the start of lines are reported with their lines; nothing else of the file is.
4. Lines end with LF, CR LF or CR and with nothing else: U+2028 inside a value is part of the value.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from otactl.manifest.phrases import listed

BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LINE_END = re.compile(r"\r\n|\n|\r")
_SIDES = ("<<<<<<< ", ">>>>>>> ")
_ARCHIVE = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_BETWEEN = ("=======", "|||||||")


class Unreadable(NamedTuple):
    """Why a file is no usable text, and where: `line` and `column` count from 1."""

    line: int
    column: int
    code: str
    message: str
    hint: str


def decode(data: bytes, utf_16_hint: str = "save it as UTF-8") -> str | Unreadable:
    """Decode a file's bytes; gives why it cannot be used when it is not UTF-8 or holds conflict markers."""
    if data.startswith(_UTF_16):
        return Unreadable(1, 1, "not_utf8", "the file is UTF-16, and UTF-8 is required", utf_16_hint)
    if data.startswith(_ARCHIVE):
        text, hint = "the file is a workbook or an archive, no text", "export it from the spreadsheet as CSV UTF-8"
        return Unreadable(1, 1, "not_utf8", text, hint)
    body = data.removeprefix(BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        before = body[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        message = f"byte 0x{body[error.start]:02x} is not UTF-8"
        return Unreadable(line, column, "not_utf8", message, "save the file as UTF-8")
    return _unfinished_merge(text) or text


def lines_of(text: str) -> list[str]:
    """Split a text into its lines (rule 4)."""
    return _LINE_END.split(text)


def _unfinished_merge(text: str) -> Unreadable | None:
    if not any(marker in text for marker in _SIDES):
        return None
    lines = lines_of(text)
    if not any(line.startswith(_SIDES) for line in lines):
        return None
    found = [number for number, line in enumerate(lines, 1) if line.startswith(_SIDES) or line[:8].strip() in _BETWEEN]
    shown = [str(number) for number in found[:6]] + (["…"] if len(found) > 6 else [])
    where = f"line {shown[0]}" if len(found) == 1 else f"lines {listed(shown)}"
    message = f"the file holds conflict markers of a merge that was not finished ({where})"
    hint = "keep one side of each conflict, remove the marker lines, and commit again"
    return Unreadable(found[0], 1, "merge_conflict", message, hint)
