"""Reads the models of the SDK once in a process."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import botocore.loaders


@contextmanager
def read_once() -> Iterator[None]:
    """Keep what the SDK's loaders read: each session parses 2 MB of JSON, and only reads it."""
    loader, all_of_them = botocore.loaders.JSONFileLoader, botocore.loaders.Loader
    plain, first = loader.load_file, all_of_them.__init__
    parsed = functools.cache(lambda path: plain(loader(), path))
    known: dict[object, object] = {}

    def shared(self: botocore.loaders.Loader, *given: object, **named: object) -> None:
        first(self, *given, **named)
        self._cache = known  # which services and versions there are: a third of a client's creation, by the file system

    with (
        patch.object(loader, "load_file", lambda _self, path: parsed(path)),
        patch.object(all_of_them, "__init__", shared),
    ):
        yield
