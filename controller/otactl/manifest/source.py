"""Reads a manifest file: size, encoding, digest, and the documents in it.

1. UTF-8 only, a byte order mark is skipped (otactl.manifest.text). 2. A file is YAML unless its name ends in
`.json`, in either case. 3. A file that cannot be read to its end yields the problem, and no document.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from otactl.errors import Problem
from otactl.manifest.positions import MAX_BYTES, Place, problem
from otactl.manifest.text import BOM, Unreadable, decode


class Document(NamedTuple):
    """One document of a file: its value and the places of everything in it."""

    value: object
    place: Place


class Source(NamedTuple):
    """One file read: `digest` is the sha256 of its bytes."""

    file: str
    digest: str
    documents: list[Document]
    problems: list[Problem]


def read_source(file: str, data: bytes) -> Source:
    """Read the documents of a file's bytes; `file` is how messages name it."""
    from otactl.manifest import json_source, yaml_source

    digest = hashlib.sha256(data).hexdigest()
    text = _text(file, data)
    if isinstance(text, Problem):
        return Source(file, digest, [], [text])
    if file.lower().endswith(".json"):
        documents, problems = json_source.compose(file, text)
    else:
        documents, problems = yaml_source.compose(file, data.removeprefix(BOM))
    some = [document for document in documents if document.value is not None]
    if not some and not problems:
        problems.append(
            problem(
                file,
                (1, 1),
                (),
                "empty_file",
                "the file holds no manifest",
                "a manifest starts with apiVersion: otactl.dev/v1",
            )
        )
    return Source(file, digest, some, problems)


def _text(file: str, data: bytes) -> str | Problem:
    if len(data) > MAX_BYTES:
        text = f"the file has more than {MAX_BYTES} bytes"
        return problem(
            file, (1, 1), (), "file_too_large", text, "keep long device lists in a CSV file: {file: devices.csv}"
        )
    found = decode(data)
    if isinstance(found, Unreadable):
        return problem(file, (found.line, found.column), (), found.code, found.message, found.hint)
    return found
