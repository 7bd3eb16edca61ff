"""Reads the kind of one document and checks it against the schema of that kind.

`failed` is set by the first error; `blocked` are the paths of its errors, about which no further rule reports;
`elsewhere` are problems of files that it refers to.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import cast

from otactl.backends.registry import BACKENDS
from otactl.errors import Problem
from otactl.manifest import schema
from otactl.manifest.convert import impossible_values
from otactl.manifest.faults import Fault
from otactl.manifest.field_help import example_of
from otactl.manifest.phrases import did_you_mean, quoted
from otactl.manifest.positions import Path, Position, parse_pointer, pointer, problem
from otactl.manifest.schema_messages import tell
from otactl.manifest.source import Document, Source
from otactl.model import Environment, JsonObject, Rollout

_DEPENDS = {
    "firmware.image": ("firmware.sha256",),
    "waves": ("targets",),
    "targets": ("waves",),
    "approvals": ("waves", "environment"),
}
"""Rules about the part on the left also read those on the right; each backend adds its own."""


class Manifest:
    """A document of a file, and what became of it."""

    def __init__(self, source: Source, document: Document, kind: str, faults: list[Fault]) -> None:
        self.source = source
        self.document = document.value
        self.place = document.place
        self.kind = kind
        self.faults = faults
        self.failed = False
        self.usable = False
        self.blocked: list[Path] = []
        self.elsewhere: list[Problem] = []
        self.rollout: Rollout | None = None
        self.environment: Environment | None = None

    @property
    def value(self) -> Rollout | Environment | None:
        """Return the value that the document gives."""
        return self.rollout if self.rollout is not None else self.environment

    @property
    def name(self) -> str:
        """Return the name that the document gives, even if it is invalid otherwise; empty if it has none."""
        return self._text("metadata", "name")

    @property
    def former_name(self) -> str:
        """Return the name that a rollout had before, by the document; empty if it gives none."""
        return self._text("metadata", "renamedFrom")

    @property
    def wanted_environment(self) -> str:
        """Return the environment a rollout names; empty if it names none."""
        return self._text("spec", "environment")

    def _text(self, block: str, field: str) -> str:
        inside = self.document.get(block) if isinstance(self.document, dict) else None
        found = inside.get(field) if isinstance(inside, dict) else None
        return found if isinstance(found, str) else ""

    def check(self, errors: list[Problem]) -> None:
        """Check the document against its schema; what is left of an invalid one may still be judged (`usable`)."""
        if self.kind and not self.faults:
            faults = find_faults(self.kind, self.document, self)
            self.faults = [fault for fault in faults if not self.is_reported(fault)]
            self.usable = not faults or bool(self.faults)
        for fault in self.faults:
            self.failed = True
            errors.append(self.problem(fault))
        if self.faults and self.usable:
            self.usable = self.without_faults()

    def is_reported(self, fault: Fault) -> bool:
        """Return whether reading the text already found the value there unusable."""
        at, where = self.place.position(fault.path, key=fault.key), pointer(fault.path)
        return any(
            (each.line, each.column) == at or (each.pointer == where and each.code != "duplicate_key")
            for each in self.source.problems
        )

    def without_faults(self) -> bool:
        """Remove faulty fields and put examples in place of required ones; return whether the result is valid."""
        self.document = copy.deepcopy(self.document)
        self.blocked = [(*fault.path, fault.missing) if fault.missing else fault.path for fault in self.faults]
        for path in self.blocked:
            _replace(self.document, path, None)
        for path in self.blocked:
            if schema.is_valid(self.kind.lower(), self.document):
                return True
            example = example_of(self.kind, path)
            if example is not None and not _unsafe(path):
                _replace(self.document, path, example)
        return schema.is_valid(self.kind.lower(), self.document)

    def is_blocked(self, path: Path) -> bool:
        """Return whether a rule about this path may read a replaced value instead of what the user wrote."""
        name = _block(path)
        others = [_block(other) for other in self.blocked]
        read = {name, *_DEPENDS.get(name, ()), *(n for b in BACKENDS.values() for n in b.depends.get(name, ()))}
        return any(other in read or other.startswith(f"{name}.") for other in others)

    def problem(self, fault: Fault) -> Problem:
        """Return a fault as a problem at its place in the file."""
        at = self.place.position(fault.path, key=fault.key)
        return problem(self.source.file, at, fault.path, fault.code, fault.message, fault.hint)

    def position(self, json_pointer: str) -> tuple[Position, Path]:
        """Find where a JSON pointer leads."""
        path = parse_pointer(json_pointer, self.place)
        return self.place.position(path), path


def find_faults(kind: str, document: object, manifest: Manifest) -> list[Fault]:
    """Return everything a schema, a calendar and the time zones have against a document."""
    name = kind.lower()
    if not schema.is_valid(name, document):
        return tell(schema.failures(name, document), manifest.place)
    return list(impossible_values(cast("JsonObject", document)))


def classify(source: Source, document: Document) -> Manifest:
    """See what a document says it is; one that is nothing of ours gets a fault and no kind."""
    faults = list(_identity(document.value))
    kind = str(cast("JsonObject", document.value)["kind"]) if not faults else ""
    return Manifest(source, document, kind, faults)


def _identity(value: object) -> list[Fault]:
    start = f"a manifest starts with apiVersion: {schema.API_VERSION}"
    if not isinstance(value, dict):
        return [Fault((), "not_a_manifest", f"the document is {quoted(value)}, not a manifest", start)]
    if "apiVersion" not in value:
        return [Fault((), "not_a_manifest", "the document has no apiVersion", start)]
    found: list[Fault] = []
    version, kind = value["apiVersion"], value.get("kind")
    if version != schema.API_VERSION:
        found.append(
            Fault(
                ("apiVersion",),
                "unknown_api_version",
                f"apiVersion {quoted(version)} is not known here",
                f"write apiVersion: {schema.API_VERSION}",
            )
        )
    if "kind" not in value:
        found.append(Fault((), "missing_field", "the document has no kind", "add kind: Rollout or kind: Environment"))
    elif kind not in schema.KINDS:
        hint = did_you_mean(kind, schema.KINDS) if isinstance(kind, str) else "kind: Rollout or kind: Environment"
        found.append(Fault(("kind",), "unknown_kind", f"kind {quoted(kind)} is not known here", hint))
    return found


@cache
def _by_field() -> frozenset[object]:
    """Return the blocks whose rules are about single fields."""
    named = (name for depends in (_DEPENDS, *(b.depends for b in BACKENDS.values())) for name in depends)
    return frozenset(name.partition(".")[0] for name in named if "." in name)


def _block(path: Path) -> str:
    """Return the part of a manifest a path is in: `waves`, `windows`, `firmware.image`, …"""
    if len(path) > 2 and path[1] in _by_field():
        return f"{path[1]}.{path[2]}"
    depth = 2 if path[:2] == ("spec", "strategy") else 1
    return str(path[depth]) if len(path) > depth else ""


def _unsafe(path: Path) -> bool:
    """Return whether an example is unsafe.

    Names of waves and targets are compared, and it might collide with a real one.
    """
    return _block(path) in ("waves", "targets")


def _replace(document: object, path: Path, value: object) -> bool:
    """Set a field, or delete it for None; an entry of a list goes with its list. False where there is no such place."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    here = document
    for part in path[:-1]:
        if isinstance(here, dict) and isinstance(part, str):
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            return False
    if not path or not isinstance(here, dict):
        return False
    if value is None:
        here.pop(path[-1], None)
    else:
        here[path[-1]] = value
    return True
