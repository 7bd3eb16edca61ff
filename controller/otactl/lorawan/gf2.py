"""Provides linear algebra over GF(2) on Python integers, for the planner and for a device's decoder.

1. A vector is an int; bit i is column i. Bits above `width` ride along as payload: one XOR moves both.
2. The pivot of a stored vector is its lowest column, so reducing never brings back a column below it.
"""

from __future__ import annotations


class Span:
    """Collects vectors and keeps the independent ones; `rank` of them are stored at distinct pivots."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, width: int) -> None:
        self._columns = (1 << width) - 1
        self._rows: dict[int, int] = {}

    @property
    def rank(self) -> int:
        """Return how many independent vectors were added."""
        return len(self._rows)

    def add(self, vector: int) -> bool:
        """Reduce a vector by what is stored and keep the rest; False when nothing new was in it."""
        rows = self._rows
        while columns := vector & self._columns:
            pivot = columns & -columns
            known = rows.get(pivot)
            if known is None:
                rows[pivot] = vector
                return True
            vector ^= known
        return False

    def solve(self) -> dict[int, int]:
        """Back-substitute at full rank: column index to payload (already shifted down to bit 0).

        Raises ValueError when some column of a stored vector has no pivot of its own.
        """
        width = self._columns.bit_length()
        solved: dict[int, int] = {}
        for pivot in sorted(self._rows, reverse=True):
            vector = self._rows[pivot]
            payload, others = vector >> width, (vector & self._columns) ^ pivot
            while others:
                column = others & -others
                index = column.bit_length() - 1
                if index not in solved:
                    raise ValueError(f"column {index} is still unknown: {self.rank} independent vectors are too few")
                payload ^= solved[index]
                others ^= column
            solved[pivot.bit_length() - 1] = payload
        return solved
