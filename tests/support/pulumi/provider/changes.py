"""Compares a resource's state with what a program asks for, and says what each difference needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.pulumi.provider.documents import same
from tests.support.pulumi.provider.kind import Kind

State = Mapping[str, Any]


@dataclass(frozen=True)
class Changes:
    """The properties that differ; those that replace the resource; whether it must be deleted before."""

    changed: tuple[str, ...]
    replacing: tuple[str, ...]
    delete_first: bool


def changes(kind: Kind, olds: State, asked_before: State, news: State, tags: Mapping[str, str]) -> Changes:
    """Compare the state with new inputs; an input that was taken back differs too."""
    names = [n for n in sorted({*news, *asked_before}) if not n.startswith("__") and n != "tags"]
    changed = [n for n in names if not _same(kind, n, olds.get(n), news.get(n))]
    if kind.tagged and dict(olds.get("tagsAll") or {}) != {**tags, **news.get("tags", {})}:
        changed.append("tagsAll")
    replacing = tuple(n for n in changed if n in kind.replaces)
    # Two of one name cannot exist at once; where the provider's own name changes, the new one comes first.
    return Changes(tuple(changed), replacing, bool(replacing) and kind.named not in replacing)


def _same(kind: Kind, name: str, old: Any, new: Any) -> bool:
    if name in kind.documents and isinstance(old, str) and isinstance(new, str):
        return same(old, new)
    new = kind.defaults.get(name) if new is None else new
    if old is None or new is None:
        return (old or None) == (new or None)  # a default that the service shows is no difference
    return bool(_plain(old) == _plain(new))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if not k.startswith("__") and v is not None}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def kept_texts(kind: Kind, shown: State, before: State) -> dict[str, Any]:
    """Return a state as the service shows it, with the documents that mean the same in their earlier words."""
    found = {**before, **shown}
    for name in kind.documents:
        if isinstance(before.get(name), str) and isinstance(shown.get(name), str) and same(before[name], shown[name]):
            found[name] = before[name]
    return found
