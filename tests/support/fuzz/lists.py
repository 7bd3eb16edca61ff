"""Judges device lists (CSV) and stack outputs."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from otactl.errors import Problem
from otactl.manifest import schema
from otactl.manifest.csv_targets import read_devices
from otactl.manifest.stack_outputs import fill_in, read_outputs
from tests.support.fuzz.damage import ODD, damaged_bytes, damaged_json
from tests.support.fuzz.kind import Kind, drawn, must

KINDS_OF_DEVICE = ("wirelessDevices", "things", "devices")
LISTS = (
    b"id,site\nplug-1,yard\nplug-2,barn\nplug-3,yard\n",
    b"devEui,site\n70b3d57ed0000001,yard\n70B3D57ED0000002,barn\n",
    b"id,devEui,site\n3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01,,a\n,70-b3-d5-7e-d0-00-00-03,b\n",
    b'\xef\xbb\xbfid;site\r\nplug-1;"a ""quoted"" name"\r\nplug-2;x\r\n',
    b'id,site\n"=""plug-7""",yard\nplug-8,"two\nlines"\n',
    b"id\n" + b"".join(b"plug-%d\n" % n for n in range(40)),
)
OUTPUTS: dict[str, object] = {
    "role": "arn:aws:iam::123456789012:role/acme/update",
    "bucket": "acme-firmware-eu",
    "secret": "[secret]",
    "number": 7,
    "nested": {"a": ["b"]},
}
DOCUMENT = {"spec": {"fuota": {"role": "${stack:role}"}, "images": ["s3://${stack:bucket}/x", "${stack:secret}"]}}
_REFERENCE = re.compile(r"\$\{stack:([A-Za-z_][A-Za-z0-9_.-]*)\}")
_SEPARATORS = re.compile(r'[\s:.\-_="\']')


def problems_are_good(problems: list[Problem], file: str) -> None:
    """Check that each problem has a place, a code and one line of words."""
    for each in problems:
        must(each.line >= 1 and each.column >= 1, f"{each.code} has no place")
        must(each.message and "\n" not in each.message and "\r" not in each.message, f"{each.code}: not one line")
        must(len(each.message) < 2000, f"{each.code}: {len(each.message)} characters")
        must(each.file == file, f"{each.code} names the file {each.file}")


def list_kind(folder: Path) -> Kind:
    """Return device lists: every device read is one that the file names, each once."""
    path = folder / "devices.csv"

    def judge(data: bytes) -> str:
        kind = KINDS_OF_DEVICE[data[0] % 3] if data else "things"
        path.write_bytes(data[1:])
        found = read_devices("devices.csv", path, kind, folder)
        problems_are_good(found.problems, "devices.csv")
        if found.problems:
            return "refused"
        must(schema.is_valid("targets", {kind: found.devices}), "a device that no manifest can name was read")
        text = _SEPARATORS.sub("", data[1:].decode("utf-8", errors="replace")).lower()
        names = [(n, str(d[n])) for d in found.devices for n in ("id", "devEui") if n in d]
        must(len(names) == len(found.devices), "a device was read with two names, or with none")
        must(len({(n, v.lower() if n == "devEui" else v) for n, v in names}) == len(names), "one device was read twice")
        strange = [v for _, v in names if _SEPARATORS.sub("", v).lower() not in text]
        must(not strange, f"devices that the file does not name: {strange[:3]}")
        return "read"

    def draw(generator: random.Random) -> bytes:
        return bytes([generator.randrange(3)]) + damaged_bytes(generator, LISTS)

    return Kind("csv", "device list (CSV), bytes", drawn("csv", draw), judge)


def outputs_kind(folder: Path) -> Kind:
    """Return stack outputs: a reference is filled in with text that the file has under its name, or refused."""
    path = folder / "outputs.json"
    whole = json.dumps(OUTPUTS).encode()

    def judge(data: bytes) -> str:
        path.write_bytes(data)
        outputs = read_outputs("outputs.json", path, folder)
        if isinstance(outputs, Problem):
            problems_are_good([outputs], "outputs.json")
            return "refused"
        filled = fill_in(DOCUMENT, outputs)
        refused = {f.path for f in filled.unresolved}
        for before, after, place in _pairs(DOCUMENT, filled.document, ()):
            if place in refused:
                must("${stack:" in after, f"{place} was refused and filled in")
                continue
            must("${" not in after and after != "[secret]", f"{place} was filled in with {after[:40]!r}")
            wanted = _REFERENCE.sub(lambda m: _text(outputs.values[m.group(1)]), before)
            must(after == wanted, f"{place} was filled in with what no output has")
        for fault in filled.unresolved:
            must("\n" not in fault.message, "a message of several lines")
        return "refused" if refused - {("spec", "images", 1)} else "read"

    def draw(generator: random.Random) -> bytes:
        if generator.random() < 0.5:
            return damaged_bytes(generator, (whole,))
        changed = damaged_json(generator, OUTPUTS)
        if generator.random() < 0.2:
            changed = {**OUTPUTS, generator.choice(tuple(OUTPUTS)): generator.choice(ODD)}
        return json.dumps(changed).encode()

    return Kind("outputs", "stack outputs, bytes and values", drawn("outputs", draw), judge)


def _text(value: object) -> str:
    must(isinstance(value, str), "an output that is no text was filled in")
    return str(value)


def _pairs(before: object, after: object, here: tuple[str | int, ...]) -> list[tuple[str, str, tuple[str | int, ...]]]:
    if isinstance(before, dict) and isinstance(after, dict):
        return [pair for key in before for pair in _pairs(before[key], after[key], (*here, key))]
    if isinstance(before, list) and isinstance(after, list):
        return [p for n, (b, a) in enumerate(zip(before, after, strict=True)) for p in _pairs(b, a, (*here, n))]
    return [(str(before), str(after), here)]
