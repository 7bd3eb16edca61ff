"""Fills `${stack:key}` in a manifest with the outputs of the environment's stack.

1. The file is what `pulumi stack output --json` wrote: a JSON object. otactl never runs Pulumi.
2. Only text can be filled in; a secret output shows as `[secret]` and is refused; a value is not expanded again.
3. What cannot be resolved stays as written and is reported; whether that is an error is the reader's business.
"""

from __future__ import annotations

import json
import re
from pathlib import Path as FilePath
from typing import NamedTuple

from otactl.errors import Problem
from otactl.manifest.faults import Fault
from otactl.manifest.phrases import did_you_mean, printable
from otactl.manifest.positions import MAX_BYTES, Path, dotted, problem
from otactl.manifest.repository import read_inside
from otactl.manifest.text import Unreadable, decode
from otactl.model import texts_in

_UTF_16 = "save it as UTF-8; in PowerShell: pulumi stack output --json | Out-File -Encoding utf8 FILE"
_REFERENCE = re.compile(r"\$\{stack:([A-Za-z_][A-Za-z0-9_.-]*)\}")


class Outputs(NamedTuple):
    """A stack's outputs, and the file they came from as messages name it."""

    file: str
    values: dict[str, object]


class Resolved(NamedTuple):
    """A document with its references filled in; `places` are the paths where one was."""

    document: object
    places: frozenset[Path]
    unresolved: list[Fault]


def read_outputs(file: str, path: FilePath, ground: FilePath) -> Outputs | Problem:
    """Read a stack-outputs file within the manifest's ground; the problem says why it cannot serve.

    What the file holds is never reported: outputs may have secrets among them.
    """
    data = read_inside(path, ground, MAX_BYTES)
    if isinstance(data, str):
        return _unusable(file, data)
    if len(data) > MAX_BYTES:
        return _unusable(file, f"has more than {MAX_BYTES} bytes")
    text = decode(data, _UTF_16)
    if isinstance(text, Unreadable):
        return problem(file, (text.line, text.column), (), "stack_outputs_unusable", text.message, text.hint)
    try:
        values = json.loads(text)
    except RecursionError:
        return _unusable(file, "is nested too deep")
    except json.JSONDecodeError as error:
        return _unusable(file, f"is not JSON: {printable(error.msg)} in line {error.lineno}, column {error.colno}")
    except ValueError:
        return _unusable(file, "is not JSON: it has a number that is too long")
    if not isinstance(values, dict):
        return _unusable(file, "is not a JSON object")
    return Outputs(file, values)


def _unusable(file: str, why: str) -> Problem:
    hint = "write it with: pulumi stack output --json"
    return problem(file, (1, 1), (), "stack_outputs_unusable", f"the stack-outputs file {why}", hint)


def has_references(document: object) -> bool:
    """Return whether a document holds any reference."""
    return any("${stack:" in text for text in texts_in(document))


def fill_in(document: object, outputs: Outputs) -> Resolved:
    """Fill every reference of a document from a stack's outputs."""
    places: set[Path] = set()
    faults: list[Fault] = []

    def walk(value: object, path: Path) -> object:
        if isinstance(value, dict):
            return {key: walk(below, (*path, key)) for key, below in value.items()}
        if isinstance(value, list):
            return [walk(below, (*path, index)) for index, below in enumerate(value)]
        if not isinstance(value, str) or "${stack:" not in value:
            return value
        places.add(path)

        def put(found: re.Match[str]) -> str:
            output = outputs.values.get(found.group(1))
            fault = _refuse(found.group(1), output, outputs, path)
            if fault is None:
                return str(output)
            faults.append(fault)
            return found.group()

        return _REFERENCE.sub(put, value)

    filled = walk(document, ())
    return Resolved(filled, frozenset(places), faults)


def _refuse(key: str, output: object, outputs: Outputs, path: Path) -> Fault | None:
    where = f"{dotted(path)}: the stack output {key}"
    if key not in outputs.values:
        hint = did_you_mean(key, outputs.values) or "pulumi up, then write the file again"
        return Fault(path, "stack_output_missing", f"{where} is not in {outputs.file}", hint)
    if not isinstance(output, str):
        return Fault(
            path, "stack_output_not_text", f"{where} is not text in {outputs.file}", "export a string from the stack"
        )
    if output == "[secret]":
        return Fault(
            path, "stack_output_is_secret", f"{where} is a secret", "export it in the clear, or write the value out"
        )
    if "${" in output:
        return Fault(path, "stack_output_not_text", f"{where} is itself a reference", "export the value itself")
    return None
