"""Edits manifests for the verbs that write them: finds the rollout, changes its file, reports the change.

1. A file is written whole or not at all, and only if what it will hold is valid.
2. Nothing is committed and nothing is sent: the edit is for a pull request, and takes effect where it is merged.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple, cast

import click

from otactl.errors import ManifestError, Problem, UsageError
from otactl.manifest import Reading, read_paths
from otactl.manifest.edit import Edit, edited
from otactl.manifest.positions import pointer
from otactl.manifest.source import read_source
from otactl.model import JsonObject, Rollout
from otactl.report.sanitize import as_json, plain

rollout_option = click.option("--rollout", "name", metavar="NAME", help="Which one, where PATH holds several rollouts.")
form_option = click.option(
    "-o",
    "--output",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, JSON for machines.",
)


class Found(NamedTuple):
    """A rollout and its text: the `document`-th one of `data`, with the block `spec`."""

    rollout: Rollout
    reading: Reading
    file: str
    data: bytes
    document: int
    value: JsonObject

    @property
    def spec(self) -> JsonObject:
        """Return the `spec` block as written."""
        return cast("JsonObject", self.value["spec"])


def find(path: str, name: str | None, *, strict: bool = False) -> Found:
    """Find the rollout that a path means; `strict` wants its environment as well. Raises if it is not one."""
    reading = read_paths([path], require_environments=strict)
    if reading.errors:
        raise ManifestError(reading.errors)
    chosen = [each for each in reading.rollouts if name in (None, each.name)]
    names = ", ".join(dict.fromkeys(each.name for each in reading.rollouts))
    if not chosen:
        raise UsageError(f"{path} holds no rollout{f' {name}; it holds {names}' if names else ''}")
    if len(chosen) > 1:
        raise UsageError(f"{path} holds several rollouts ({names}); name one file, or choose with --rollout NAME")
    return _in_text(chosen[0], reading)


def _in_text(rollout: Rollout, reading: Reading) -> Found:
    file = rollout.source.file
    data = _bytes(Path(file))
    if hashlib.sha256(data).hexdigest() != rollout.source.digest:
        raise UsageError(f"{file} changed while it was read; run the command again")
    for number, document in enumerate(read_source(file, data).documents):
        value = cast("JsonObject", document.value)
        if value["kind"] == "Rollout" and _name(value) == (rollout.environment, rollout.name):
            return Found(rollout, reading, file, data, number, value)
    raise UsageError(f"{file} does not spell the name of rollout {rollout.name} out; edit it by hand")


def _name(value: JsonObject) -> tuple[object, object]:
    spec, metadata = (cast("JsonObject", value[block]) for block in ("spec", "metadata"))
    return spec["environment"], metadata["name"]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def change(found: Found, *edits: Edit, style: str, text: str, **more: object) -> None:
    """Apply the edits to the file and report them; `text` is the sentence for people, `more` goes into the JSON.

    Raises: UsageError when the file cannot be edited so; then it is unchanged.
    """
    try:
        after = edited(found.file, found.data, found.document, *edits)
    except UnicodeEncodeError as error:
        raise UsageError("what you gave is not text that UTF-8 can hold; nothing was changed") from error
    must_be_valid(found.file, after)
    replace(Path(os.path.realpath(found.file)), after, expected=found.data)
    if style == "json":
        now = read_source(found.file, after).documents[found.document].value
        click.echo(as_json(_as_document(found, True, edits, now) | more))
        return
    click.echo(plain(f"{found.file}: {text}"))
    for line in _lines(found.data, after):
        click.echo(plain(line))
    click.echo("commit it and open a pull request: it takes effect where it is merged")


def unchanged(found: Found, *, style: str, text: str, **more: object) -> None:
    """Report that there is nothing to change."""
    if style == "json":
        click.echo(as_json(_as_document(found, False, (), None) | more))
    else:
        click.echo(plain(f"{found.file}: {text}; nothing was changed"))


def _as_document(found: Found, changed: bool, edits: tuple[Edit, ...], now: object) -> JsonObject:
    fields = dict.fromkeys(each.path for each in edits)
    return {
        "file": found.file,
        "rollout": found.rollout.name,
        "environment": found.rollout.environment,
        "changed": changed,
        "edits": [
            {"pointer": pointer(path), "before": _at(found.value, path), "after": _at(now, path)} for path in fields
        ],
    }


def _at(value: object, path: tuple[str | int, ...]) -> object:
    for part in path:
        inside = dict(enumerate(value)) if isinstance(value, list) else value
        value = cast("dict[str | int, object]", inside).get(part) if isinstance(inside, dict) else None
    return value


def _lines(before: bytes, after: bytes) -> list[str]:
    """Return the lines that went and came."""
    old, new = (each.decode("utf-8-sig").splitlines() for each in (before, after))
    changed = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
    return [f"  {line[0]} {line[1:]}" for line in changed if not line.startswith("@@")]


def must_be_valid(file: str, data: bytes, *beside: str) -> list[Problem]:
    """Check what a file will hold, with the manifests beside it; raises `UsageError` if that is not valid.

    Gives the warnings about it.
    """
    place = Path(os.path.realpath(file))
    reading = read_paths([*beside, file], instead={place: data})
    wrong, doubtful = (
        [each for each in problems if Path(os.path.realpath(each.file)) == place]
        for problems in (reading.errors, reading.warnings)
    )
    if wrong:
        first = wrong[0]
        hint = f" ({first.hint})" if first.hint else ""
        raise UsageError(f"{file} would not be valid: {first.code}: {first.message}{hint}; nothing was written")
    return doubtful


def replace(place: Path, data: bytes, *, expected: bytes) -> None:
    """Write other bytes to a file that holds what was `expected`: all of them, or none.

    Raises: UsageError when the file changed meanwhile or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".otactl-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            if place.read_bytes() != expected:
                raise UsageError(f"{place} changed in the meantime; run the command again")
            temporary.chmod(place.stat().st_mode & 0o7777)
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {place}: {error.strerror}; nothing was changed") from error


def create(file: str, data: bytes) -> None:
    """Write a file that must not be there yet; its folder is created.

    Raises: UsageError when it exists or cannot be written.
    """
    place = Path(file)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as opened:
            opened.write(data)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already; nothing was overwritten") from error
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
