"""Lists the kinds of inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.fuzz.answers.kinds import TITLES as SERVICES
from tests.support.fuzz.answers.kinds import answers_kind
from tests.support.fuzz.journals import s3_kind, sqlite_kinds
from tests.support.fuzz.kind import Kind
from tests.support.fuzz.lists import list_kind, outputs_kind
from tests.support.fuzz.manifests import bytes_kind, grammar_kind
from tests.support.fuzz.postgres_rows import postgres_kind
from tests.support.postgres import PostgresServer

NAMES = (
    "manifest-bytes",
    "manifest-grammar",
    "csv",
    "outputs",
    "sqlite-bytes",
    "sqlite-rows",
    "s3",
    "postgres-rows",
    *(f"answers-{s}" for s in SERVICES),
)


def every(folder: Path, server: Callable[[], PostgresServer]) -> dict[str, Kind]:
    """Return every kind by its name; their files go to `folder`, and `server` is asked for when it is needed."""
    found = [bytes_kind(), grammar_kind(), list_kind(folder), outputs_kind(folder), *sqlite_kinds(folder), s3_kind()]
    found.append(postgres_kind(server))
    found += [answers_kind(service) for service in SERVICES]
    return {kind.name: kind for kind in found}
