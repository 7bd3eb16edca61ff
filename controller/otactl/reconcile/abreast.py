"""Runs one function over items, side by side in threads; on the caller's thread where one is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def abreast(workers: int, act: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """Return the result of each item, in the order of the items; at most `workers` run at a time."""
    if min(workers, len(items)) <= 1:
        return [act(item) for item in items]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(act, items))
