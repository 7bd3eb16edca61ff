"""Recognises how spreadsheets and vendors change device lists, so that an error says what happened.

1. A DevEUI is read with dashes, colons or spaces between its pairs, in either case, and as `="…"` (a spreadsheet's way
   to write text). What is plain is read; what has lost digits is refused with the way to get them back.
2. No hint holds a cell's content: whoever reads it may not be meant to see the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from otactl.manifest.phrases import listed

_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?:[-: ][0-9A-Fa-f]{2}){7}")
_AS_TEXT = re.compile(r'="([^"]*)"')
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+|[0-9](?:[.,][0-9]+)?[eE][0-9]{1,2}")
_NUMBER = re.compile(r"[0-9]{1,3}(?:[,.' ][0-9]{3}){2,}(?:[.,][0-9]+)?|[0-9]{9,}[.,][0-9]+")
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}")
_FAULT = re.compile(r"#[A-Z/0]+[!?]?")
_SHORT_HEX = re.compile(r"[0-9A-Fa-f]{1,15}")
_DEV_EUI = re.compile(r"[0-9A-Fa-f]{16}")
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SPELLINGS = {"deviceeui": "deveui", "eui": "deveui", "deviceid": "id", "wirelessdeviceid": "id"}
_NAMES = dict.fromkeys(("name", "thing", "thingname", "thingid", "device", "devicename", "iotid"), "id")
"""Of devices that their service knows by name, the name is the id."""
AS_TEXT = "format the column as text in the spreadsheet, fill it in again from the source, and export it as CSV"
COMMAS = "export it with commas (in spreadsheets: CSV UTF-8, comma delimited)"


def plain_cell(cell: str) -> str:
    """Return the value of a cell: without spaces around it, and without a spreadsheet's `="…"`."""
    found = _AS_TEXT.fullmatch(cell.strip())
    return (found.group(1) if found else cell).strip()


def plain_dev_eui(text: str) -> str:
    """Return a DevEUI without the separators between its pairs; any other text as it is."""
    return re.sub("[-: ]", "", text) if _PAIRS.fullmatch(text) else text


def name_hint(text: str) -> str:
    """Return what a spreadsheet did to a device's name, or what it holds that no one sees on a screen; else nothing."""
    strange = next((c for c in text if not ("!" <= c <= "~" or c == " ")), None)
    if strange is not None:
        return f"it holds U+{ord(strange):04X}, which is not shown or only looks like another character: type it again"
    if _SCIENTIFIC.fullmatch(text) or _NUMBER.fullmatch(text):
        return f"a spreadsheet turned it into a number, and its digits are lost: {AS_TEXT}"
    if _DATE.fullmatch(text):
        return f"a spreadsheet turned it into a date: {AS_TEXT}"
    return f"it is an error of a spreadsheet's formula: {AS_TEXT}" if _FAULT.fullmatch(text) else ""


def row_hint(cells: Sequence[str]) -> str:
    """Return what happened to a row that has another number of cells than the first line."""
    if any(_SCIENTIFIC.fullmatch(f"{one},{two}".strip()) for one, two in pairwise(cells)):
        return f"a spreadsheet turned a value into a number with a decimal comma, and its digits are lost: {AS_TEXT}"
    return "put a value with a comma in double quotes"


def dev_eui_hint(text: str) -> str:
    """Return what happened to a text that should be a DevEUI."""
    if found := name_hint(text):
        return found
    if _DEV_EUI.fullmatch(text.lower().removeprefix("0x").removeprefix("'")):
        return "remove what is before its 16 digits"
    if _DEV_EUI.fullmatch(re.sub(r"[^0-9A-Za-z]", "", text)):
        return "write its 16 digits alone, or with the same one of - : or a space between all pairs"
    if _SHORT_HEX.fullmatch(text):
        missing = 16 - len(text)
        lost = "zeros at its start" if missing < 16 else "digits"
        return f"{missing} digits are missing; a spreadsheet may have removed {lost}: {AS_TEXT}"
    return "write its 16 hexadecimal digits, for example 70b3d57ed0001a2b"


def header_hint(first: str, cells: Sequence[str], names: Sequence[str]) -> str:
    """Return why a first line names no column that is needed; `first` is the whole line, `cells` its cells."""
    wanted = listed(names, "or")
    if first.lower().startswith("sep="):
        return f"the first line is a spreadsheet's separator line: remove it, and {COMMAS}"
    if first.startswith("#"):
        return f"the first line is a comment, which CSV does not have: remove it, so that the first line names {wanted}"
    for separator, word in _SEPARATORS.items():
        parts = first.split(separator)
        if len(parts) > 1 and any(_same(part, names) or _is_dev_eui(part) for part in parts):
            return f"its columns are separated by {word}: {COMMAS}"
    for number, cell in enumerate(cells, 1):
        meant = _same(cell, names)
        if meant and (strange := name_hint(cell)):
            return f"column {number} is not {meant}: {strange}"
        if meant:
            return f"did you mean {meant}? rename column {number} to {meant}"
    if any(_is_dev_eui(cell) for cell in cells):
        line = "devEui" if "devEui" in names else wanted
        return f"the first line is a device, not the names of the columns: put the line {line} above it"
    return f"name the columns in the first line, one of them {wanted}"


def _is_dev_eui(cell: str) -> bool:
    return _DEV_EUI.fullmatch(plain_dev_eui(plain_cell(cell))) is not None


def _same(cell: str, names: Sequence[str]) -> str:
    """Return the column name that a cell spells otherwise: `DevEUI`, `dev_eui`, `Device EUI`, `thing name`."""
    letters = "".join(c for c in plain_cell(cell).lower() if c.isalnum())
    letters = _SPELLINGS.get(letters, letters)
    if len(names) == 1:
        letters = _NAMES.get(letters, letters)
    return next((name for name in names if name.lower() == letters), "")
