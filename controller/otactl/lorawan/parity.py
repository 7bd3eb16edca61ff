"""Builds the TS004 parity matrix, and decides which losses it repairs.

1. Parity fragment n (n from 1, counter M + n) is the XOR of the uncoded fragments in row n of a pseudo-random matrix.
2. Version 1 draws floor(M / 2) columns and a repeat counts, so rows hold about 39 % of the columns; version 2 draws
   until floor(M / 2) distinct ones. The two are not compatible. AWS IoT Wireless documents TS004-1.0.0: V1 is the
   default here.
3. A device rebuilds the image exactly when the parity rows it received, restricted to the lost columns, have as many
   independent rows as columns were lost (checked against the LoRaMac-node decoder).
4. M = 1 has an empty row: parity repairs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from otactl.lorawan.errors import LorawanError
from otactl.lorawan.gf2 import Span

MAX_COUNTER = 16383
"""Largest fragment counter: 14 bits of the DataFragment header."""


class Variant(Enum):
    """How parity rows are drawn; the value is what `--ts004` takes.

    V2_RELATIVE is what ChirpStack and LoRa Basics Modem 4.8 send (seed from n); V2_ABSOLUTE is what TS004-2.0.0 A.5
    prints (seed from M + n).
    """

    V1 = "v1"
    V2_RELATIVE = "v2r"
    V2_ABSOLUTE = "v2a"


V1 = Variant.V1
V2_RELATIVE = Variant.V2_RELATIVE
V2_ABSOLUTE = Variant.V2_ABSOLUTE


def prbs23(state: int) -> int:
    """Advance the 23-bit register of TS004 by one step."""
    return (state >> 1) | (((state ^ (state >> 5)) & 1) << 22)


@lru_cache(maxsize=8192)
def parity_row(n: int, m: int, variant: Variant = V1) -> int:
    """Return which uncoded fragments parity fragment n (from 1) covers: bit i of the result is fragment i (from 0).

    `m` is the number of uncoded fragments. Source: TS004-1.0.0 and TS004-2.0.0 A.5; bit-exact with LoRaMac-node and
    ChirpStack.
    """
    if n < 1 or m < 1:
        raise LorawanError(f"parity row {n} of {m} fragments does not exist: both count from 1")
    modulus = m + 1 if m & (m - 1) == 0 else m
    state = 1 + 1001 * (m + n if variant is V2_ABSOLUTE else n)
    repeats_count = variant is V1
    digits = bytearray(b"0" * m)  # most significant first; int(digits, 2) is linear where `row |= 1 << r` is not
    wanted = m // 2
    while wanted:
        state = (state >> 1) | (((state ^ (state >> 5)) & 1) << 22)
        column = state % modulus
        if column == m:
            continue
        place = m - 1 - column
        if repeats_count or digits[place] == 48:
            wanted -= 1
        digits[place] = 49
    return int(digits, 2)


def completing_parity(m: int, lost: Iterable[int], received_parity: Iterable[int], variant: Variant = V1) -> int | None:
    """Return which received parity fragment completes the image: its n, 0 when nothing was lost, None when none does.

    `lost` are indices (from 0) of uncoded fragments, `received_parity` the n (from 1) in order of arrival.
    """
    holes = 0
    for index in lost:
        if not 0 <= index < m:
            raise LorawanError(f"fragment {index} cannot be lost of {m}: indices run from 0 to {m - 1}")
        holes |= 1 << index
    wanted = holes.bit_count()
    if wanted == 0:
        return 0
    span = Span(m)
    for n in received_parity:
        if span.add(parity_row(n, m, variant) & holes) and span.rank == wanted:
            return n
    return None


def recovers(m: int, lost: Iterable[int], received_parity: Iterable[int], variant: Variant = V1) -> bool:
    """Return whether a device that lost these uncoded fragments and got this parity rebuilds the image.

    Shapes as in `completing_parity`; device limits are not part of it (see `Decoder`).
    """
    return completing_parity(m, lost, received_parity, variant) is not None


@lru_cache(maxsize=1024)
def parity_to_cover_all(m: int, variant: Variant = V1) -> int | None:
    """Return how much parity it takes until every single lost fragment could be repaired.

    With fewer, some one lost fragment can never be rebuilt. None when no amount within the counter does (M = 1).
    """
    uncovered = (1 << m) - 1
    if m > 1:
        for n in range(1, MAX_COUNTER - m + 1):
            uncovered &= ~parity_row(n, m, variant)
            if not uncovered:
                return n
    return None
