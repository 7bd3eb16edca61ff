"""Decodes the text of a file, and finds the marks of an unfinished merge.

1. UTF-8 only; a byte order mark is skipped, for manifests, CSV files and stack outputs alike.
2. UTF-16 and UTF-32 are named as such, with a mark or without: `>` of Windows PowerShell and "Unicode text" of
   spreadsheets write them.
3. Conflict markers of git at the start of lines are reported with their lines; nothing else of the file is. One that
   was left behind is enough.
4. Lines end with LF, CR LF or CR and with nothing else: U+2028 inside a value is part of the value.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from otactl.manifest.phrases import listed

BOM = b"\xef\xbb\xbf"
_MARKS = ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_START = 64  # bytes
_LINE_END = re.compile(r"\r\n|\n|\r")
_SIDES = ("<<<<<<<", ">>>>>>>")
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
    if wide := _wide(data):
        return Unreadable(1, 1, "not_utf8", f"the file is {wide}, and UTF-8 is required", utf_16_hint)
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


def _wide(data: bytes) -> str:
    """Name the encoding of more than one byte a character that a file is in; empty for any other file."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    start = data[:_START]
    zeros = start.count(0)
    if zeros * 2 < len(start) - 1 or not zeros:
        return ""
    return "UTF-32" if zeros * 3 >= len(start) * 2 else "UTF-16"


def _is_marker(line: str) -> bool:
    word, rest = line[:7], line[7:]
    if word in _BETWEEN and not rest.strip():
        return True
    return word in (*_SIDES, "|||||||") and rest[:1] in ("", " ")


def _unfinished_merge(text: str) -> Unreadable | None:
    if not any(marker in text for marker in (*_SIDES, *_BETWEEN)):
        return None
    found = [number for number, line in enumerate(lines_of(text), 1) if _is_marker(line)]
    if not found:
        return None
    shown = [str(number) for number in found[:6]] + (["…"] if len(found) > 6 else [])
    where = f"line {shown[0]}" if len(found) == 1 else f"lines {listed(shown)}"
    message = f"the file holds conflict markers of a merge that was not finished ({where})"
    hint = "keep one side of each conflict, remove the marker lines, and commit again"
    return Unreadable(found[0], 1, "merge_conflict", message, hint)
