"""Decides how many of its cases an expensive test runs.

`make check` sets OTACTL_TEST_FULL and runs every case. Any other run takes a part of them, so that `make test` stays
quick: one in N of the cases of a test marked `sampled(N)`, none of a test marked `thorough`, and a quarter of the
examples of a property that asks `examples()`. A run of the whole suite takes every second test of a file that is no
unit test; a run of one file or folder takes all of them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest

FULL = "OTACTL_TEST_FULL"
PART = 4
WHOLE_SUITE = 6000
"""A run of more tests than this is one of the whole suite."""
UNIT_TESTS = "tests/unit/"


def everything() -> bool:
    """Returns whether every case runs."""
    return bool(os.environ.get(FULL))


def examples(full: int) -> int:
    """Returns how many examples Hypothesis draws for a property that gets `full` under `make check`; at least 5."""
    return full if everything() else max(5, full // PART)


def left_out(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Lists the cases that do not run: the same ones in every run, spread over the cases of a test."""
    if everything():
        return []
    collected = list(items)
    whole = len(collected) > WHOLE_SUITE
    seen: Counter[str] = Counter()
    found = []
    for item in collected:
        name = item.nodeid.split("[")[0]
        file = name.partition("::")[0]
        sampled = item.get_closest_marker("sampled")
        if item.get_closest_marker("thorough") or (sampled is not None and seen[name] % int(sampled.args[0])):
            found.append(item)
        elif whole and not file.startswith(UNIT_TESTS):
            if seen[file] % 2:
                found.append(item)
            seen[file] += 1
        seen[name] += 1
    return found
