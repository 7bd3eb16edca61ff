"""`otactl rollback`: writes the manifest of a rollout that returns devices to an earlier firmware.

It changes no other file and sends nothing: the new manifest is for a pull request, and so is the abort of the old one.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import cast

import click

from otactl.cli.errors import Verb, guarded
from otactl.cli.journal_option import Place, journal_option, place_for
from otactl.cli.manifest_edit import Found, create, find, must_be_valid, rollout_option
from otactl.errors import ManifestError, Problem, UsageError
from otactl.journal import open_journal
from otactl.manifest import read_paths
from otactl.manifest.document import classify
from otactl.manifest.rollback import MOST_WAVES, UpdatedDevices, back, name_for, takers
from otactl.manifest.serialize import as_json as json_text
from otactl.manifest.serialize import block
from otactl.manifest.source import read_source
from otactl.model import JsonObject
from otactl.report.journals_used import document as used_document
from otactl.report.journals_used import lines as used_lines
from otactl.report.sanitize import as_json, plain
from otactl.wording import count


@click.command(cls=Verb, name="rollback", short_help="write the manifest that returns devices to an earlier firmware")
@click.argument("path", metavar="PATH")
@click.option("--to", "older", required=True, metavar="MANIFEST", help="The manifest of the firmware to go back to.")
@click.option("--file", "target", metavar="FILE", help="Where to write; by default NAME.yaml beside PATH.")
@journal_option
@rollout_option
@click.option(
    "-o",
    "--output",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the report, not of the manifest: text for people, JSON for machines.",
)
@guarded
def command(path: str, older: str, target: str | None, journal: str | None, name: str | None, style: str) -> None:
    """Write a rollout that returns the devices that took the firmware of PATH to the firmware of MANIFEST.

    MANIFEST is the earlier text of PATH (`git show HEAD~1:PATH > MANIFEST`), or another rollout of the same service.
    The devices that took the firmware are read from the journal. One goes first, then the others; devices that were
    sent it and gave no answer come last, in a wave of their own.
    """
    found = find(path, name, strict=True)
    before = _older(found, older)
    rollout = found.rollout
    declared = next(e for e in found.reading.environments if e.name == rollout.environment)
    place = place_for(declared, [path], journal)
    with open_journal(place.url, must_exist=True) as opened:
        stored = opened.load(rollout.environment, rollout.name)
        remembered = frozenset(opened.load_all(rollout.environment))
    devices = takers(stored.record, rollout.generation)
    if not (devices.took or devices.unsure):
        raise UsageError(_nothing(found, devices, place.shown))
    folder = str(Path(target or found.file).parent)
    beside = frozenset(r.name for r in read_paths([folder, found.file]).rollouts)
    made = name_for(rollout.name, beside | remembered | {rollout.name})
    file = target or os.path.normpath(Path(folder) / f"{made}.yaml")
    document = back(made, rollout, found.value, before, devices)
    text = _text(file, document, _origin(found, before, older, devices, stored.revision), devices)
    _must_fit(document)
    _must_not_be_there(file)
    warnings = must_be_valid(file, text, folder)
    create(file, text)
    for each in warnings:
        click.echo(plain(f"{file}:{each.line}:{each.column}: {each.code}: {each.message}"), err=True)
    _tell(found, file, document, devices, style, place)


def _older(found: Found, file: str) -> JsonObject:
    """Return the rollout to go back to, as written; its targets are not checked, nor its environment."""
    try:
        source = read_source(file, Path(file).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    errors: list[Problem] = list(source.problems)
    manifests = [classify(source, document) for document in source.documents]
    for each in manifests:
        each.check(errors)
    if errors:
        raise ManifestError(tuple(errors))
    known = [m for m in manifests if m.kind == "Rollout"]
    known = [m for m in known if m.name == found.rollout.name] if len(known) > 1 else known
    if len(known) != 1:
        raise UsageError(f"{file} holds no single rollout to go back to; save one manifest to a file of its own")
    document = cast("JsonObject", known[0].document)
    spec = cast("JsonObject", document["spec"])
    kind, rollout = found.rollout.backend_kind, found.rollout
    if kind not in spec:
        raise UsageError(f"{file} has no {kind} block, {found.file} has: devices go back by the service they came by")
    if spec["environment"] != rollout.environment:
        text = f"{file} is for environment {spec['environment']}, {found.file} for {rollout.environment}"
        raise UsageError(f"{text}; go back to a manifest of the same environment")
    if _firmware(document)["sha256"] == rollout.firmware.sha256:
        raise UsageError(f"{file} declares the same image as {found.file}: there is nothing to go back to")
    return document


def _firmware(document: JsonObject) -> JsonObject:
    return cast("JsonObject", cast("JsonObject", document["spec"])["firmware"])


def _nothing(found: Found, devices: UpdatedDevices, journal: str) -> str:
    rollout = found.rollout
    if devices.unknown:
        groups = ", ".join(devices.unknown)
        return f"rollout {rollout.name} was sent to {groups}, and no result is known yet; run `otactl reconcile` first"
    text = f"nothing to roll back: journal {journal} knows no device that took {rollout.firmware.version} as"
    return f"{text} {found.file} declares it"


def _origin(found: Found, before: JsonObject, older: str, devices: UpdatedDevices, revision: int) -> list[str]:
    """Return the comment at the top: what the manifest was derived from."""
    new, old = found.rollout.firmware.version, _firmware(before)["version"]
    lines = [
        f"Written by `otactl rollback`: takes the devices of {found.rollout.name} back from {new} to {old}.",
        f"Firmware and backend block are those of {Path(older).name}; the devices are from the journal, where the",
        f"rollout is at revision {revision}, content {found.rollout.generation[:8]}.",
    ]
    if devices.unsure:
        number = len(devices.unsure)
        word = "was" if number == 1 else "were"
        text = f"{number} of them {word} sent {new} and may or may not run it (see each)."
        lines.append(f"{text} They come last.")
    if devices.unknown:
        lines.append(f"Not here: {', '.join(devices.unknown)}, which were sent {new}; their devices are not known yet.")
    return lines


def _text(file: str, document: JsonObject, origin: list[str], devices: UpdatedDevices) -> bytes:
    if file.endswith(".json"):
        return (json_text(document, "  ") + "\n").encode()
    notes = {t.id: plain(t.note) for t in (*devices.took, *devices.unsure) if t.note}
    return ("".join(f"# {plain(line)}\n" for line in origin) + block(document, notes)).encode()


def _must_fit(document: JsonObject) -> None:
    strategy = cast("JsonObject", cast("JsonObject", document["spec"])["strategy"])
    number = len(cast("list[object]", strategy["waves"]))
    if number > MOST_WAVES:
        text = f"so many devices need {count(number, 'wave')}, a rollout has {MOST_WAVES} at most"
        raise UsageError(f"{text}; put them into a thing group and write that rollout by hand")


def _must_not_be_there(file: str) -> None:
    if Path(file).exists():
        raise UsageError(f"{file} is there already; nothing was overwritten, name another with --output")


def _tell(found: Found, file: str, document: JsonObject, devices: UpdatedDevices, style: str, place: Place) -> None:
    abort = f"otactl abort {shlex.quote(found.file)} --reason 'rolled back'"
    name = str(cast("JsonObject", document["metadata"])["name"])
    if style == "json":
        answer: JsonObject = {
            "file": file,
            "rollout": name,
            "environment": found.rollout.environment,
            "of": found.rollout.name,
            "version": _firmware(document)["version"],
            "devices": [t.key for t in devices.took],
            "unsure": [t.key for t in devices.unsure],
            "unknown": list(devices.unknown),
            "next": abort,
            **used_document((place.used(found.rollout.environment),)),
        }
        click.echo(as_json(answer))
        return
    new, old = found.rollout.firmware.version, _firmware(document)["version"]
    counted = f"{count(len(devices.took), 'device')} that took {new}"
    more = f", {len(devices.unsure)} that may have" if devices.unsure else ""
    click.echo(plain(f"{file}: rollout {name} takes back to {old}: {counted}{more}"))
    if devices.unknown:
        click.echo(plain(f"  not in it, devices not known yet: {', '.join(devices.unknown)}"))
    click.echo(plain(used_lines((place.used(),))[0]))
    click.echo(f"abort the old rollout, or it continues beside this one: {plain(abort)}")
    click.echo("commit both and open a pull request: they take effect where they are merged")
