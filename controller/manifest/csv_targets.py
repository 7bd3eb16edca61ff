"""Device lists in CSV files: `{file: devices.csv}` becomes devices with labels, every error with its row and column.

1. The first line names the columns, among them `id` or, for LoRaWAN devices, `devEui`; the others are labels.
2. Empty lines are skipped; a row must have as many cells as the first line; a device stands once.
3. An error says where and what is wrong, never what a cell holds: whoever sees it may not be meant to see the file.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path as FilePath
from typing import NamedTuple

from controller.errors import Problem
from controller.manifest import schema
from controller.manifest.places import Path, problem
from controller.manifest.repository import read_inside
from controller.manifest.wording import listed

MAX_CSV_BYTES = 16 * 1024 * 1024
MAX_DEVICES = 100_000
_NAMES = {"wirelessDevices": "wirelessDeviceId", "things": "thingName", "devices": "tuyaDeviceName"}


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
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return _failed(
            file, (line, 1), "not_utf8", f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8"
        )
    return _Table(file, text, kind).read()


def _failed(file: str, at: tuple[int, int], code: str, message: str, hint: str) -> DeviceList:
    return DeviceList([], [problem(file, at, (), code, message, hint)])


class _Table:
    def __init__(self, file: str, text: str, kind: str) -> None:
        self.file = file
        self.lines = text.splitlines()
        self.kind = kind
        self.names = ("id", "devEui") if kind == "wirelessDevices" else ("id",)
        self.seen: dict[str, int] = {}
        self.problems: list[Problem] = []

    def read(self) -> DeviceList:
        reader = csv.reader(self.lines, strict=True)
        devices: list[dict[str, object]] = []
        header: list[str] | None = None
        try:
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                cells = [cell.strip() for cell in cells]
                if header is None:
                    header = cells
                    if not self.usable(header, reader.line_num):
                        break
                elif (device := self.device(header, cells, reader.line_num, len(devices))) is not None:
                    devices.append(device)
        except csv.Error as error:
            self.note(reader.line_num, 1, (), "csv_syntax", f"not CSV: {error}", "is a closing quote missing?")
        if not self.problems and not devices:
            self.note(
                1,
                1,
                (),
                "csv_empty",
                "the CSV file names no device",
                f"first line {listed(self.names, 'or')}, then one device per line",
            )
        if len(devices) > MAX_DEVICES:
            self.note(
                1,
                1,
                (),
                "too_many",
                f"the CSV file names {len(devices)} devices, the limit is {MAX_DEVICES}",
                "split the rollout",
            )
        return DeviceList(devices, self.problems)

    def usable(self, header: list[str], line: int) -> bool:
        if not any(name in header for name in self.names):
            self.note(
                line,
                1,
                (),
                "csv_column_missing",
                f"none of its {len(header)} columns is named {listed(self.names, 'or')}",
                "name the columns in the first line",
            )
        for index, name in enumerate(header):
            if not name or name in header[:index]:
                why = f"the name of column {index + 1} stands twice" if name else "a column has no name"
                self.note(
                    line, self.column(line, index), (), "csv_column_unusable", why, "give every column its own name"
                )
        return not self.problems

    def device(self, header: list[str], cells: list[str], line: int, row: int) -> dict[str, object] | None:
        if len(cells) != len(header):
            self.note(
                line,
                1,
                (row,),
                "csv_row_uneven",
                f"the row has {len(cells)} cells, the first line has {len(header)}",
                "put a value with a comma in double quotes",
            )
            return None
        found = dict(zip(header, cells, strict=True))
        device: dict[str, object] = {}
        before = len(self.problems)
        for name in self.names:
            value = found.get(name, "")
            if not value:
                continue
            at = self.column(line, header.index(name))
            pattern, rule = _rule(self.kind, name)
            if not re.search(pattern, value):
                self.note(line, at, (row, name), "bad_format", f"{name} {rule}", "")
            elif (
                first := self.seen.setdefault(f"{name}:{value.lower() if name == 'devEui' else value}", line)
            ) != line:
                self.note(
                    line,
                    at,
                    (row, name),
                    "duplicate_target",
                    f"this {name} stands twice, first in line {first}",
                    "keep one of them",
                )
            device[name] = value
        if not device:
            self.note(
                line,
                1,
                (row,),
                "missing_field",
                f"the row has no {listed(self.names, 'or')}",
                "give the device's name, or remove the row",
            )
        labels = {name: value for name, value in found.items() if name not in self.names and value}
        if labels:
            device["labels"] = labels
        return device if len(self.problems) == before else None

    def column(self, line: int, index: int) -> int:
        """Where a cell starts: commas outside quotes counted."""
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
    """The schema's own pattern for a device name, and its words for it."""
    found, _ = schema.resolve(f"#/$defs/{'devEui' if name == 'devEui' else _NAMES[kind]}", "targets")
    return str(found["pattern"]).replace("$", r"\Z"), str(found["patternErrorMessage"])
