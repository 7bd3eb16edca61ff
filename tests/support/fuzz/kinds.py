"""Lists the kinds of inputs."""

from __future__ import annotations

from pathlib import Path

from tests.support.fuzz.answers.kinds import TITLES as SERVICES
from tests.support.fuzz.answers.kinds import answers_kind
from tests.support.fuzz.journals import s3_kind, sqlite_kinds
from tests.support.fuzz.kind import Kind
from tests.support.fuzz.lists import list_kind, outputs_kind
from tests.support.fuzz.manifests import bytes_kind, grammar_kind

NAMES = (
    "manifest-bytes",
    "manifest-grammar",
    "csv",
    "outputs",
    "sqlite-bytes",
    "sqlite-rows",
    "s3",
    *(f"answers-{s}" for s in SERVICES),
)


def every(folder: Path) -> dict[str, Kind]:
    """Return every kind by its name; their files go to `folder`."""
    found = [bytes_kind(), grammar_kind(), list_kind(folder), outputs_kind(folder), *sqlite_kinds(folder), s3_kind()]
    found += [answers_kind(service) for service in SERVICES]
    return {kind.name: kind for kind in found}
