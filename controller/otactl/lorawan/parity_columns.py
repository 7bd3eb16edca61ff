"""Decides for many devices of one session which losses its parity repairs.

1. A device rebuilds the image exactly when the columns it lost, restricted to the parity rows it received, are
   independent: the same rank as that of the rows in `parity`, on vectors as short as the parity is.
2. The columns of a session are computed once. A fleet of 100,000 devices asks 100,000 times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from otactl.lorawan.parity import V1, Variant, parity_row


class ParityColumns:
    """Holds the parity matrix of `m` uncoded and `parity` coded fragments by columns; bit n - 1 of each is row n."""

    def __init__(self, m: int, parity: int, variant: Variant = V1) -> None:
        self._columns = [0] * m
        self._rows = parity
        for n in range(parity):
            row, bit = parity_row(n + 1, m, variant), 1 << n
            while row:
                lowest = row & -row
                self._columns[lowest.bit_length() - 1] |= bit
                row ^= lowest

    def recovers(self, lost: Sequence[int], missed: Iterable[int]) -> bool:
        """Return whether a device rebuilds the image: `lost` uncoded and `missed` coded fragments, both from 0."""
        received = (1 << self._rows) - 1
        for n in missed:
            received &= ~(1 << n)
        if len(lost) > received.bit_count():
            return False
        basis = [0] * (self._rows + 1)  # by the highest bit
        for index in lost:
            vector = self._columns[index] & received
            while vector:
                top = vector.bit_length()
                known = basis[top]
                if not known:
                    basis[top] = vector
                    break
                vector ^= known
            else:
                return False
        return True


@lru_cache(maxsize=64)
def parity_columns(m: int, parity: int) -> ParityColumns:
    """Return the columns of TS004-1.0.0, computed once for each session."""
    return ParityColumns(m, parity)
