"""Writes the text of manifests for units that are adopted, and checks each as `validate` does."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from otactl.backends.registry import capabilities_of
from otactl.manifest import read_paths
from otactl.manifest.repository import real
from otactl.manifest.serialize import block
from otactl.model import Doubt, Environment, ExistingUnit, Rollout
from otactl.planning import adoption
from otactl.report.sanitize import plain


class NewManifest(NamedTuple):
    """A manifest that is not written yet: its file, its text and the rollout that it declares."""

    file: str
    text: bytes
    rollout: Rollout


def folder_of(environment: Environment) -> str:
    """Return where manifests of an environment are: beside its file, or above the folder `environments`."""
    folder = Path(environment.source.file).parent
    return os.path.normpath(folder.parent if folder.name == "environments" else folder)


def declared_names(folder: str, environment: Environment) -> set[str]:
    """Return the names of the rollouts that manifests in a folder declare, readable or not."""
    if not Path(folder).is_dir():
        return set()
    reading = read_paths([folder, environment.source.file])
    return {r.name for r in reading.rollouts} | {b.name for b in reading.broken if b.name}


def taken_names(folder: str, environment: Environment) -> set[str]:
    """Return every name that a new rollout may not have: those of manifests and of files."""
    files = {each.stem for each in Path(folder).iterdir()} if Path(folder).is_dir() else set()
    return files | declared_names(folder, environment)


def manifest_of(
    kind: str, unit: ExistingUnit, environment: Environment, folder: str, taken: Collection[str], name: str = ""
) -> NewManifest | Doubt:
    """Return the manifest of a unit, under a `name` or one that is not taken; or why it would not be valid."""
    called = name or adoption.name_of(kind, unit, taken)
    document = adoption.document_of(environment.name, called, kind, unit, capabilities_of(kind))
    text = ("".join(f"# {plain(line)}\n" for line in _origin(unit, kind)) + block(document)).encode()
    file = os.path.normpath(Path(folder) / f"{called}.yaml")
    place = real(Path(file))
    reading = read_paths([environment.source.file, file], instead={place: text})
    wrong = [each for each in reading.errors if real(Path(each.file)) == place]
    if wrong:
        first = wrong[0]
        message = f"its manifest would not be valid: {first.code}: {first.message}"
        fix = f"{first.hint or 'correct that'}, in a manifest written by hand"
        return Doubt(code="manifest_is_not_valid", message=message, fix=fix)
    rollout = next(each for each in reading.rollouts if each.name == called)
    return NewManifest(file, text, rollout)


def _origin(unit: ExistingUnit, kind: str) -> list[str]:
    """Return the comment at the top: what the manifest was derived from, and what was assumed."""
    service, named = capabilities_of(kind).service, f" ({unit.name})" if unit.name not in ("", unit.vendor_id) else ""
    lines = [f"Written by `otactl adopt` from {unit.vendor_id}{named} of {service}, which another actor created."]
    if not capabilities_of(kind).keeps_ended:
        lines.append("Without `cleanup: never` otactl deletes the unit once its results are recorded.")
    return [*lines, *unit.notes]
