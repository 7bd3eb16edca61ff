"""Resolves references and device lists, and checks the rules across fields: from a checked document to its value.

1. A reference is filled in, and the document checked again: an output may be as wrong as anything typed.
2. What a deployment lacks (environment, outputs, a key among them) is an error if `strict`, else a warning.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, cast

import msgspec

from otactl import policies
from otactl.backends.registry import BACKENDS
from otactl.errors import Problem, UsageError
from otactl.manifest import convert
from otactl.manifest.discovery import is_there
from otactl.manifest.document import Manifest, find_faults
from otactl.manifest.faults import Fault
from otactl.manifest.journal_location import journal_url
from otactl.manifest.phrases import did_you_mean, printable
from otactl.manifest.positions import Path, at_field, dotted
from otactl.manifest.repository import Places, read_inside, refusal
from otactl.manifest.signing_keys import with_keys
from otactl.manifest.stack_outputs import Outputs, fill_in, has_references, read_outputs
from otactl.model import Environment, JsonObject
from otactl.model.rollout import Source

if TYPE_CHECKING:
    from otactl.manifest.csv_targets import DeviceList


class Resolver:
    """Turns manifests into values; remembers environments, outputs and device lists already read."""

    def __init__(self, places: Places, errors: list[Problem], warnings: list[Problem], strict: bool) -> None:
        self.places = places
        self.errors = errors
        self.warnings = warnings
        self.strict = strict
        self.environments: dict[str, Manifest] = {}
        self.outputs: dict[str, Outputs | None] = {}
        self.outputs_files: set[FilePath] = set()
        self.referred: dict[str, set[str]] = {}
        self.outputs_problems: dict[str, Problem] = {}
        self.lists: dict[tuple[FilePath, str], DeviceList] = {}

    @property
    def used_files(self) -> frozenset[str]:
        """Return the files that manifests refer to, as messages show them."""
        return frozenset(file for files in self.referred.values() for file in files)

    def environment(self, manifest: Manifest) -> None:
        """Read an environment's outputs and convert it to a value."""
        first = self.environments.setdefault(manifest.name, manifest) is manifest
        if not manifest.usable:
            return
        outputs = self._read_outputs(manifest)
        if first:
            self.outputs[manifest.name] = outputs
        document = self._filled(manifest, outputs)
        if document is None:
            return
        document, faults = with_keys(document, partial(self._read_key, manifest))
        for fault in faults:
            if not manifest.is_blocked(fault.path):
                self._fail(manifest, fault)
        found = convert.to_environment(document, manifest.source.file, manifest.source.digest)
        manifest.environment = self._with_journal(manifest, found)
        self._judge(manifest, policies.placeholders(document))
        self._judge(manifest, policies.check_environment(manifest.environment, BACKENDS))

    def _read_key(self, manifest: Manifest, file: str, limit: int) -> bytes | str:
        _, where, ground = self._beside(manifest, file)
        return read_inside(where, ground, limit)

    def _with_journal(self, manifest: Manifest, found: Environment) -> Environment:
        if found.journal is None:
            return found
        try:
            url = journal_url(found.journal, self.places.real(manifest.source.file))
        except UsageError as error:
            hint = "write postgresql:///DATABASE?service=NAME; the password is PGPASSWORD's or the service file's"
            self._fail(manifest, Fault(("spec", "journal"), "journal_address_invalid", str(error), hint))
            return msgspec.structs.replace(found, journal=None)  # an address with a secret is carried no further
        if url is None:
            message = f"the journal {printable(found.journal)} would lie outside the repository"
            hint = "name a path from the repository's root, such as .otactl/journal.db, or s3://BUCKET/PREFIX"
            self._fail(manifest, Fault(("spec", "journal"), "journal_outside_repository", message, hint))
            return found
        return msgspec.structs.replace(found, journal=url)

    def rollout(self, manifest: Manifest) -> None:
        """Resolve a rollout in its environment and convert it to a value."""
        if not manifest.usable:
            return
        name = manifest.wanted_environment
        unknown = manifest.is_blocked(("spec", "environment"))
        home = None if unknown else self.environments.get(name)
        if home is None and not unknown:
            hint = did_you_mean(name, self.environments) or "give its file, or put it into environments/ above"
            message = f"no Environment manifest is named {printable(name)}"
            self._lack(manifest, Fault(("spec", "environment"), "environment_not_found", message, hint))
        document = self._filled(manifest, self.outputs.get(name))
        if document is None:
            return
        faulty: list[FilePath] = []

        def load(file: str, path: Path, kind: str) -> list[dict[str, object]]:
            found = self._read_list(manifest, file, path, kind)
            if found.problems:
                faulty.append(FilePath(file))
                manifest.elsewhere += found.problems
            return found.devices

        self._judge(manifest, policies.placeholders(document))
        line, _ = manifest.place.position(("metadata", "name"))
        file, digest = manifest.source.file, manifest.source.digest
        source = Source(file=file, digest=digest, place=self.places.name_of(file), line=line)
        manifest.rollout = convert.to_rollout(document, source, load)
        if faulty:
            manifest.failed = True
            return
        sound = home.environment if home is not None and not home.failed else None
        self._judge(manifest, policies.check(manifest.rollout, BACKENDS, sound))

    def _judge(self, manifest: Manifest, violations: Iterable[policies.Violation]) -> None:
        for violation in violations:
            _, path = manifest.position(violation.pointer)
            if manifest.is_blocked(path):
                continue
            fault = Fault(path, violation.code, at_field(path, violation.message), violation.hint)
            if violation.severity == "error":
                self._fail(manifest, fault)
            else:
                self.warnings.append(manifest.problem(fault))

    def _fail(self, manifest: Manifest, fault: Fault) -> None:
        manifest.failed = True
        self.errors.append(manifest.problem(fault))

    def _lack(self, manifest: Manifest, fault: Fault) -> None:
        if self.strict:
            self._fail(manifest, fault)
        else:
            self.warnings.append(manifest.problem(fault))

    def _beside(self, manifest: Manifest, file: str) -> tuple[str, FilePath, FilePath]:
        """Return a file named in a manifest: as messages show it, where it is, and the folder it must not leave."""
        shown = os.path.normpath(FilePath(manifest.source.file).parent / file)
        self.referred.setdefault(manifest.source.file, set()).add(shown)
        return shown, self.places.real(shown), self.places.ground_of(manifest.source.file)

    def _read_outputs(self, manifest: Manifest) -> Outputs | None:
        named = cast("JsonObject", cast("JsonObject", manifest.document)["spec"]).get("stackOutputs")
        if not isinstance(named, str):
            return None
        shown, path, ground = self._beside(manifest, named)
        self.outputs_files.add(path)
        if not refusal(path, ground) and not is_there(path):
            message = f"there is no stack-outputs file {printable(shown)}"
            hint = f"write it with: pulumi stack output --json > {printable(shown)}"
            self._lack(manifest, Fault(("spec", "stackOutputs"), "stack_outputs_missing", message, hint))
            return None
        found = read_outputs(shown, path, ground)
        if isinstance(found, Problem):
            self.errors.append(found)
            self.outputs_problems[manifest.name] = found
            return None
        return found

    def _filled(self, manifest: Manifest, outputs: Outputs | None) -> JsonObject | None:
        """Return the document with its references filled in; None if what came in makes it invalid."""
        document = cast("JsonObject", manifest.document)
        if not has_references(document.get("spec")):
            return document
        name = manifest.name if manifest.kind == "Environment" else manifest.wanted_environment
        home = self.environments.get(name)
        resolved = fill_in(document, outputs or Outputs("", {}))
        for fault in resolved.unresolved:
            if outputs is None:
                self._unknown_outputs(manifest, home, fault.path)
            elif fault.code == "stack_output_missing":
                self._lack(manifest, fault)
            else:
                self._fail(manifest, fault)
        if outputs is None:
            return document
        faults = find_faults(manifest.kind, resolved.document, manifest)
        for fault in faults:
            self._fail(manifest, _filled_fault(fault, outputs, resolved.places))
        return None if faults else cast("JsonObject", resolved.document)

    def _unknown_outputs(self, manifest: Manifest, home: Manifest | None, path: Path) -> None:
        """Report a reference without outputs, if the environment names no file; otherwise it was reported before."""
        if home is None or self._names_outputs(home):
            wrong = self.outputs_problems.get(home.name) if home is not None else None
            manifest.failed = manifest.failed or self.strict or wrong is not None
            manifest.elsewhere += [wrong] if wrong is not None else []
            return
        message = f"{dotted(path)} names a stack output, environment {home.name} names no stackOutputs file"
        hint = f"add spec.stackOutputs to {home.name}"
        self._lack(manifest, Fault(path, "stack_output_missing", message, hint))

    def _names_outputs(self, home: Manifest) -> bool:
        spec = home.document.get("spec") if isinstance(home.document, dict) else None
        return isinstance(spec, dict) and "stackOutputs" in spec

    def _read_list(self, manifest: Manifest, file: str, path: Path, kind: str) -> DeviceList:
        from otactl.manifest.csv_targets import DeviceList, read_devices  # few manifests name a list

        shown, where, ground = self._beside(manifest, file)
        known = self.lists.get((where, kind))
        if known is not None:
            return known
        outside = refusal(where, ground)
        if not outside and is_there(where):
            found = read_devices(shown, where, kind, ground)
            self.errors.extend(found.problems)
        else:
            fault = Fault(
                (*path, "file"),
                "csv_unreadable",
                f"the CSV file {printable(shown)} {outside}" if outside else f"there is no CSV file {printable(shown)}",
                "paths are read from the manifest's folder, and stay inside the repository",
            )
            missing = manifest.problem(fault)
            self.errors.append(missing)
            found = DeviceList([], [missing])
        self.lists[where, kind] = found
        return found


def _filled_fault(fault: Fault, outputs: Outputs, places: frozenset[Path]) -> Fault:
    """Return a fault of a filled-in document, without the value that came from the outputs (they may hold secrets)."""
    hint = f"the value is filled in from {outputs.file}"
    if fault.path not in places:
        return fault._replace(hint=hint)
    return fault._replace(message=f"{dotted(fault.path)} does not fit with what the stack put out for it", hint=hint)
