"""Reads device lists from CSV files into devices with labels; every error has its row and column.

1. The first line names the columns, among them `id` or, for LoRaWAN devices, `devEui`; the others are labels.
2. Empty lines are skipped; a row must have as many cells as the first line; a device occurs once. Rows and quotes are
   those of RFC 4180: a quoted cell may hold line breaks, and only CR LF, LF or CR end a row. Empty columns at the end,
   as spreadsheets write them, are ignored.
3. A row passes the same schema as a device written in the manifest: id or DevEUI, and labels of the same form.
4. An error says where and what is wrong, never what a cell holds: whoever sees it may not be meant to see the file.
"""

from __future__ import annotations

import csv
import io
import re
from functools import cache
from pathlib import Path as FilePath
from typing import NamedTuple

from otactl.backends.registry import BACKENDS
from otactl.errors import Problem
from otactl.manifest import schema
from otactl.manifest.csv_hints import COMMAS, dev_eui_hint, header_hint, name_hint, plain_cell, plain_dev_eui, row_hint
from otactl.manifest.phrases import listed
from otactl.manifest.positions import Path, problem
from otactl.manifest.repository import read_inside
from otactl.manifest.text import Unreadable, decode, lines_of

MAX_CSV_BYTES = 16 * 1024 * 1024
MAX_DEVICES = 100_000
_MOST_LABELS, _LONGEST_LABEL = 64, 255  # schemas/v1/common.schema.json: labels


class DeviceList(NamedTuple):
    """The devices of a file, in the shape manifests write them, and what is wrong with it."""

    devices: list[dict[str, object]]
    problems: list[Problem]


def read_devices(file: str, path: FilePath, kind: str, ground: FilePath) -> DeviceList:
    """Read the devices of one CSV file within the manifest's ground; `kind` is the kind of target (`things`, …)."""
    data = read_inside(path, ground, MAX_CSV_BYTES)
    if isinstance(data, str):
        hint = "paths are read from the manifest's folder, and stay inside the repository"
        return _failed(file, (1, 1), "csv_unreadable", f"the CSV file {data}", hint)
    if len(data) > MAX_CSV_BYTES:
        return _failed(
            file,
            (1, 1),
            "file_too_large",
            f"the CSV file has more than {MAX_CSV_BYTES} bytes",
            "split the rollout",
        )
    text = decode(data, f"save it as UTF-8: {COMMAS}")
    if isinstance(text, Unreadable):
        return _failed(file, (text.line, text.column), text.code, text.message, text.hint)
    return _Table(file, text, kind).read()


def _name_of(kind: str) -> str:
    """Name the definition in the schema of targets of the names that devices of a kind have."""
    return next(definition.device_schema for definition in BACKENDS.values() if definition.device_kind == kind)


def _failed(file: str, at: tuple[int, int], code: str, message: str, hint: str) -> DeviceList:
    return DeviceList([], [problem(file, at, (), code, message, hint)])


class _Table:
    def __init__(self, file: str, text: str, kind: str) -> None:
        self.file = file
        self.text = text
        self.lines = lines_of(text)
        self.kind = kind
        self.names = ("id", "devEui") if kind == "wirelessDevices" else ("id",)
        self.seen: dict[str, int] = {}
        self.width = 0
        self.problems: list[Problem] = []

    def read(self) -> DeviceList:
        reader = csv.reader(io.StringIO(self.text, newline=""), strict=True)
        devices: list[dict[str, object]] = []
        header: list[str] | None = None
        line = 1
        try:
            for cells in reader:
                at, line = line, reader.line_num + 1
                if not any(cell.strip() for cell in cells):
                    continue
                if header is None:
                    header = [plain_cell(cell) for cell in cells]
                    while header and not header[-1]:
                        header.pop()
                    self.width = len(cells)
                    if not self.usable(header, at):
                        break
                elif (device := self.device(header, cells, at, len(devices))) is not None:
                    devices.append(device)
        except csv.Error as error:
            self.note(reader.line_num, 1, (), "csv_syntax", f"not CSV: {error}", "is a closing quote missing?")
        if not self.problems:
            self.judge(devices)
        return DeviceList(devices, self.problems)

    def judge(self, devices: list[dict[str, object]]) -> None:
        if not devices:
            text, hint = (
                "the CSV file names no device",
                f"first line {listed(self.names, 'or')}, then one device a line",
            )
            self.note(1, 1, (), "csv_empty", text, hint)
        elif len(devices) > MAX_DEVICES:
            text = f"the CSV file names {len(devices)} devices, the limit is {MAX_DEVICES}"
            self.note(1, 1, (), "too_many", text, "split the rollout")
        elif not schema.is_valid("targets", {self.kind: devices}):
            row = next((n for n, d in enumerate(devices) if not schema.is_valid("targets", {self.kind: [d]})), 0)
            text = f"device {row + 1} of the CSV file is not valid in a manifest either"
            self.note(1, 1, (row,), "bad_format", text, "compare it with `otactl explain spec.targets`")

    def usable(self, header: list[str], line: int) -> bool:
        if not any(name in header for name in self.names):
            text = f"none of its {len(header)} columns is named {listed(self.names, 'or')}"
            first = self.lines[line - 1].strip() if line <= len(self.lines) else ""
            self.note(line, 1, (), "csv_column_missing", text, header_hint(first, header, self.names))
            return False
        for index, name in enumerate(header):
            at, number = self.column(line, index), index + 1
            if not name or name in header[:index]:
                why = f"the name of column {number} occurs twice" if name else "a column has no name"
                self.note(line, at, (), "csv_column_unusable", why, "give every column its own name")
            elif name not in self.names and not _is_label(name):
                why = f"the name of column {number} cannot be the name of a label"
                self.note(line, at, (), "csv_column_unusable", why, "use letters, digits, and . _ / - between them")
        if len(header) - len(self.names) > _MOST_LABELS:
            why = f"the CSV file has {len(header)} columns; a device has at most {_MOST_LABELS} labels"
            self.note(line, 1, (), "csv_column_unusable", why, "leave out columns that no wave needs")
        return not self.problems

    def device(self, header: list[str], cells: list[str], line: int, row: int) -> dict[str, object] | None:
        if len(cells) != self.width or any(cell.strip() for cell in cells[len(header) :]):
            text = f"the row has {len(cells)} cells, the first line has {len(header)}"
            text += f" and {self.width - len(header)} without a name" if self.width != len(header) else ""
            self.note(line, 1, (row,), "csv_row_uneven", text, row_hint(cells))
            return None
        before = len(self.problems)
        found = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
        device: dict[str, object] = {}
        for name in self.names:
            value = plain_cell(found.get(name, ""))
            if value:
                device[name] = self.named(name, value, (line, self.column(line, header.index(name))), row)
        if len(device) != 1:
            text = "the row names its device twice, by id and by devEui" if device else ""
            text = text or f"the row has no {listed(self.names, 'or')}"
            hint = "fill in one of the two" if device else "give the device's name, or remove the row"
            self.note(line, 1, (row,), "device_named_twice" if device else "missing_field", text, hint)
        labels = {name: value for name, value in found.items() if name not in self.names and value}
        for name in [name for name, value in labels.items() if len(value) > _LONGEST_LABEL]:
            index = header.index(name)
            text = f"the value of column {index + 1} has more than {_LONGEST_LABEL} characters"
            self.note(line, self.column(line, index), (row, "labels"), "too_long", text, "shorten it")
        if labels:
            device["labels"] = labels
        return device if len(self.problems) == before else None

    def named(self, name: str, value: str, at: tuple[int, int], row: int) -> str:
        """Return one name of a device as manifests write it; note it if it is malformed or was seen before."""
        value = plain_dev_eui(value) if name == "devEui" else value
        pattern, rule = _rule(self.kind, name)
        if not re.search(pattern, value):
            hint = dev_eui_hint(value) if name == "devEui" else name_hint(value)
            self.note(*at, (row, name), "bad_format", f"{name} {rule}", hint)
            return value
        first = self.seen.setdefault(f"{name}:{value.lower() if name == 'devEui' else value}", at[0])
        if first != at[0]:
            text = f"this {name} occurs twice, first in line {first}"
            self.note(*at, (row, name), "duplicate_target", text, "keep one of them")
        return value

    def column(self, line: int, index: int) -> int:
        """Return where a cell starts: commas outside quotes counted."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        inside, cell = False, 0
        for offset, character in enumerate(text):
            if cell == index:
                return offset + 1
            inside ^= character == '"'
            cell += character == "," and not inside
        return len(text) + 1 if cell == index else 1

    def note(self, line: int, column: int, path: Path, code: str, message: str, hint: str) -> None:
        self.problems.append(problem(self.file, (max(line, 1), column), path, code, message, hint))


@cache
def _rule(kind: str, name: str) -> tuple[str, str]:
    """Return the schema's own pattern for a device name, and its words for it."""
    found, _ = schema.resolve(f"#/$defs/{'devEui' if name == 'devEui' else _name_of(kind)}", "targets")
    return str(found["pattern"]).replace("$", r"\Z"), str(found["patternErrorMessage"])


@cache
def _is_label(name: str) -> bool:
    return schema.is_valid("targets", {"things": [{"id": "any", "labels": {name: "any"}}]})
