"""A whole manifest as a document, and the same with one place damaged."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.support.manifest_texts import GOOD, Read

DOCUMENT: object = Read(GOOD).manifests[0].document


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths(node: object, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if here:
        yield here
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, below in pairs:
        yield from paths(below, (*here, key))


@st.composite
def damaged(draw: st.DrawFn, whole: object) -> object:
    """A good document with one to three values replaced, taken out, or put beside others."""
    document = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(paths(document), key=str)))
        here: Any = document
        for part in path[:-1]:
            here = here[part]
        how = draw(st.sampled_from(["replace", "remove", "add", "append"]))
        if how == "remove" and isinstance(here, dict):
            del here[path[-1]]
        elif how == "add" and isinstance(here, dict):
            here[draw(st.text(max_size=8) | st.sampled_from(["tuya", "otaUpdate", "percent", "file", "devEui"]))] = (
                draw(json_values)
            )
        elif how == "append" and isinstance(here[path[-1]], str):
            here[path[-1]] += draw(st.sampled_from(["\n", " ", "x", "9", "é", "\u0661", "\0"]))
        else:
            here[path[-1]] = draw(json_values)
        if not (isinstance(document, dict) and document):
            break
    return document
