"""Defines who ran a command, and by which commit of the manifests."""

from __future__ import annotations

from otactl.model.values import Value

MOST_CHARACTERS = 128


class Author(Value, frozen=True, kw_only=True):
    """Who acts, and the commit of the manifests that count; each "" where it is not known.

    `commit` ends with `-dirty` where a manifest differs from it.
    """

    actor: str = ""
    commit: str = ""
