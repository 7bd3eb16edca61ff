"""Changes one field of a manifest and proves that nothing else of it changed.

1. The text is read again by the reader all manifests come through, and must say what it said but for the field meant,
   the order of fields included. Else the edit is refused, and the text is what it was.
2. Where a field cannot be reached by text alone (it is behind an alias, its key is written `? key`), it is refused.
"""

from __future__ import annotations

import copy
import json
from typing import NamedTuple, cast

from otactl.errors import UsageError
from otactl.manifest.edit_text import CannotRewriteError, Text
from otactl.manifest.phrases import printable
from otactl.manifest.positions import Path, dotted
from otactl.manifest.source import Source, read_source
from otactl.manifest.source_ranges import json_node, yaml_nodes

_BOM = b"\xef\xbb\xbf"


class Put(NamedTuple):
    """Set the field at a path, whether or not it is there; what holds it must be."""

    path: Path
    value: object


class Append(NamedTuple):
    """Add an item to the list at a path; a list that is not there is created."""

    path: Path
    value: object


class Remove(NamedTuple):
    """Take the field or the item at a path away."""

    path: Path


class Clear(NamedTuple):
    """Remove a field that may also be null: null stays where a comment follows the field."""

    path: Path


Edit = Put | Append | Remove | Clear


class EditRefusedError(UsageError):
    """The text cannot be changed so that it says what is meant and nothing else does."""


def edited(file: str, data: bytes, document: int, *edits: Edit) -> bytes:
    """Change a document of a file, which counts those that say anything, from 0. Raises `EditRefusedError`."""
    for edit in edits:
        data = _one(file, data, document, edit)
    return data


def _one(file: str, data: bytes, document: int, edit: Edit) -> bytes:
    before = _read(file, data, "run `otactl validate` for more")
    field = dotted(edit.path)
    mark = _BOM if data.startswith(_BOM) else b""
    text = data.removeprefix(_BOM).decode()
    is_json = file.endswith(".json")
    root = json_node(text) if is_json else yaml_nodes(text)[document]
    try:
        here = Text(text, root, is_json=is_json)
        if isinstance(edit, Clear):
            edit = Put(edit.path, None) if here.has_comment(edit.path) else Remove(edit.path)
        changed = mark + _apply(here, edit).encode()
    except CannotRewriteError as why:
        raise EditRefusedError(f"{printable(file)}: {field} {why}; nothing was changed, edit it by hand") from why
    after = _read(file, changed, f"that would come of changing {field}; nothing was changed, edit it by hand")
    wanted = [each.value for each in before.documents]
    wanted[document] = _meant(wanted[document], edit)
    if json.dumps([each.value for each in after.documents]) != json.dumps(wanted):
        message = f"{printable(file)}: {field} cannot be changed without changing more than that"
        raise EditRefusedError(f"{message}; nothing was changed, edit it by hand")
    return changed


def _apply(text: Text, edit: Put | Append | Remove) -> str:
    if isinstance(edit, Remove):
        return text.remove(edit.path)
    return text.append(edit.path, edit.value) if isinstance(edit, Append) else text.put(edit.path, edit.value)


def _read(file: str, data: bytes, otherwise: str) -> Source:
    source = read_source(file, data)
    if source.problems:
        first = source.problems[0]
        raise EditRefusedError(f"{file}:{first.line}:{first.column}: {first.code}: {first.message}; {otherwise}")
    return source


def _meant(document: object, edit: Put | Append | Remove) -> object:
    """Return the document with the edit made to its value; the text was changed at the path, so it leads somewhere."""
    changed = copy.deepcopy(document)
    here = cast("dict[str | int, object]", changed)
    for part in edit.path[:-1]:
        here = cast("dict[str | int, object]", here[part])
    last = edit.path[-1]
    if isinstance(edit, Remove):
        del here[last]
    elif isinstance(edit, Put):
        here[last] = edit.value
    else:
        here[last] = [*cast("list[object]", here.get(last, [])), edit.value]
    return changed
