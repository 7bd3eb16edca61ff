"""A manifest file as text: its size, its encoding, its digest; and the documents found in it.

1. UTF-8 only, a byte order mark is skipped. 2. A file is YAML unless its name ends in `.json`. 3. A file that cannot be
read to its end yields the problem, and no document.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from controller.errors import Problem
from controller.manifest.places import MAX_BYTES, Place, problem

_BOM = b"\xef\xbb\xbf"


class Document(NamedTuple):
    """One document of a file: its value and where everything in it stands."""

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
    from controller.manifest import json_source, yaml_source

    digest = hashlib.sha256(data).hexdigest()
    failed = _refuse(file, data)
    if failed is not None:
        return Source(file, digest, [], [failed])
    body = data.removeprefix(_BOM)
    if file.endswith(".json"):
        documents, problems = json_source.compose(file, body.decode())
    else:
        documents, problems = yaml_source.compose(file, body)
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


def _refuse(file: str, data: bytes) -> Problem | None:
    if len(data) > MAX_BYTES:
        text = f"the file has more than {MAX_BYTES} bytes"
        return problem(
            file, (1, 1), (), "file_too_large", text, "keep long device lists in a CSV file: {file: devices.csv}"
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return problem(file, (1, 1), (), "not_utf8", "the file is UTF-16", "save it as UTF-8")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].removeprefix(_BOM)
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        text = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return problem(file, (line, column), (), "not_utf8", text, "save the file as UTF-8")
    return None
