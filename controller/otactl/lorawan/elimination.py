"""Finds the parity fragment that completes the image, for thousands of devices at once: rank over GF(2), vectorised.

1. A lost fragment is a vector over parity fragments: bit n - 1 says that parity n covers it and was received. 64 bits
   are one word, so a session with up to 64 parity fragments needs one word a lost fragment.
2. A device rebuilds the image exactly when its lost fragments' vectors are independent: by rows or by columns, the rank
   is the same.
3. A vector's pivot is its lowest bit. The pivots of an echelon form depend on the space alone, so the highest of them
   is the parity fragment that completed the image, whatever the order of elimination.
4. Trials are sorted by the number of lost fragments and worked in groups that fit a core's cache: the work is that of
   what is lost, not of the largest trial.
5. Nearly every device is complete some rows after it has as many as it lost. Words beyond are not worked at first; who
   is not complete by then is worked again with all of them. A pivot found in the first words stays the pivot.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from otactl.lorawan.parity import V1, Variant, parity_row

Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_CACHE_WORDS = 1 << 18
"""Words of one group's vectors: 2 MB with the scratch space, measured best on cores with 1 MB of second-level cache."""
_LARGEST_GROUP = 1024
_ZERO = np.uint64(0)
_SPARE_ROWS = 24
"""One device in 16 million is not complete with so many more rows than it lost."""


def covering(m: int, parity: int, variant: Variant = V1) -> Words:
    """Build the parity matrix by columns: shape (words, m); bit n - 1 over the words says that parity n covers it."""
    words = max(1, -(-parity // 64))
    bits = np.zeros((words * 64, m), np.uint8)
    for n in range(1, parity + 1):
        row = parity_row(n, m, variant).to_bytes(-(-m // 8), "little")
        bits[n - 1] = np.unpackbits(np.frombuffer(row, np.uint8), bitorder="little")[:m]
    return np.ascontiguousarray(_packed(bits.T).T)


def pairs_alike(m: int, parity: int, variant: Variant = V1) -> int:
    """Count pairs of uncoded fragments that no row distinguishes: a device that loses both is never complete."""
    _, times = np.unique(covering(m, parity, variant), axis=1, return_counts=True)
    return int((times * (times - 1) // 2).sum())


def completions(columns: Words, lost: Bools, received: Bools, max_lost: int | None = None) -> Ints:
    """Return per trial which parity fragment completed the image: 0 when nothing was lost, parity + 1 when none did.

    `columns` is from `covering`; `lost` has shape (trials, m), `received` (trials, parity). A device that holds only
    `max_lost` lost fragments gives up above.
    """
    trials, parity = received.shape
    never = parity + 1
    lost_count = np.count_nonzero(lost, axis=1)
    found = np.where(lost_count == 0, 0, never)
    able = (lost_count > 0) & (np.count_nonzero(received, axis=1) >= lost_count)
    if max_lost is not None:
        able &= lost_count <= max_lost
    chosen = np.nonzero(able)[0]
    chosen = chosen[np.argsort(-lost_count[chosen], kind="stable")]
    padded = np.zeros((trials, columns.shape[0] * 64), np.bool_)
    padded[:, :parity] = received
    heard = _packed(padded)
    start = 0
    while start < len(chosen):
        deepest = int(lost_count[chosen[start]])
        size = max(64, min(_LARGEST_GROUP, _CACHE_WORDS // (deepest * columns.shape[0])))
        group = chosen[start : start + size]
        enough = _words_to_work(heard[group], lost_count[group])
        for words in dict.fromkeys((enough, columns.shape[0])):
            vectors = _gather(columns[:words], lost[group], heard[group, :words], lost_count[group])
            found[group] = _highest_pivot(vectors, lost_count[group], never)
            group = group[found[group] == never]
            if not group.size:
                break
        start += size
    return found


def _words_to_work(heard: Words, lost_count: Ints) -> int:
    """Return how many words hold enough received rows for all of these trials (rule 5)."""
    rows = np.cumsum(np.bitwise_count(heard), axis=1, dtype=np.int64)
    enough = (rows >= (lost_count + _SPARE_ROWS)[:, None]).all(axis=0)
    return int(np.argmax(enough)) + 1 if enough.any() else heard.shape[1]


def _packed(bits: npt.NDArray[np.bool_] | npt.NDArray[np.uint8]) -> Words:
    """Pack (rows, 64 * words) bits into (rows, words)."""
    packed = np.packbits(np.ascontiguousarray(bits), axis=1, bitorder="little")
    return packed.view(np.dtype("<u8")).astype(np.uint64, copy=False)


def _gather(columns: Words, lost: Bools, heard: Words, lost_count: Ints) -> Words:
    """Arrange the vectors of a group: shape (words, most lost, trials), a trial's own first, zeros after them."""
    trials = len(lost_count)
    trial, fragment = np.nonzero(lost)
    first = np.cumsum(lost_count) - lost_count
    place = (np.arange(len(trial)) - first[trial]) * trials + trial
    words = columns.shape[0]
    vectors = np.zeros((words, int(lost_count[0]) * trials), np.uint64)
    for word in range(words):
        vectors[word][place] = columns[word][fragment] & heard[:, word][trial]
    return vectors.reshape(words, -1, trials)


def _highest_pivot(vectors: Words, lost_count: Ints, never: int) -> Ints:
    """Eliminate in place; trials are sorted by falling `lost_count`, so those still at work are the first ones."""
    _, deepest, trials = vectors.shape
    at_work = np.searchsorted(-lost_count, -np.arange(deepest + 1), side="left")
    pivots = np.zeros((vectors.shape[0], trials), np.uint64)
    dependent = np.zeros(trials, np.bool_)
    scratch = np.empty((2, deepest, trials), np.uint64)
    step = _step_one_word if vectors.shape[0] == 1 else _step
    for depth in range(deepest):
        dependent[: at_work[depth]] |= step(
            vectors, depth, int(at_work[depth]), int(at_work[depth + 1]), pivots, scratch
        )
    return np.where(dependent, never, _highest_bit(pivots))


def _step_one_word(vectors: Words, depth: int, now: int, later: int, pivots: Words, scratch: Words) -> Bools:
    """Clear the pivot of vector `depth` from those after it; return for which of the first `now` trials it was zero."""
    own = vectors[0, depth, :now]
    pivot = own & -own
    pivots[0, :now] |= pivot
    rest = vectors[0, depth + 1 :, :later]
    mask = scratch[0, : rest.shape[0], :later]
    # A vector has no bit below its pivot, so minus (0 or the pivot) masks nothing or all of it. Subtracted from zero:
    # numpy 2.4.6 negates a single column of eight-word rows wrongly when it writes in place, and a device then
    # completed too early.
    np.bitwise_and(rest, pivot[:later], out=mask)
    np.subtract(_ZERO, mask, out=mask)
    np.bitwise_and(mask, own[:later], out=mask)
    np.bitwise_xor(rest, mask, out=rest)
    return np.asarray(own == 0)


def _step(vectors: Words, depth: int, now: int, later: int, pivots: Words, scratch: Words) -> Bools:
    """Do the same where a vector spans words: the pivot is in the first that is not zero."""
    words = vectors.shape[0]
    found = np.zeros(now, np.bool_)
    rest = vectors.shape[1] - depth - 1
    mask, other = scratch[0, :rest, :later], scratch[1, :rest, :later]
    mask[...] = 0
    for word in range(words):
        own = vectors[word, depth, :now]
        pivot = own & -own
        pivot[found] = 0
        if not pivot.any():
            continue
        found |= pivot != 0
        pivots[word, :now] |= pivot
        np.bitwise_and(vectors[word, depth + 1 :, :later], pivot[:later], out=other)
        np.bitwise_or(mask, other, out=mask)
    hit = (mask != 0).view(np.int8)
    np.copyto(mask.view(np.int64), np.negative(hit))  # all ones where the pivot's bit is set
    for word in range(words):
        own = vectors[word, depth, :later]
        if own.any():
            np.bitwise_and(mask, own, out=other)
            below = vectors[word, depth + 1 :, :later]
            np.bitwise_xor(below, other, out=below)
    return ~found


def _highest_bit(words: Words) -> Ints:
    """Return the position, from 1, of the highest bit over (words, trials); 0 where there is none."""
    highest = np.zeros(words.shape[1], np.int64)
    for index, word in enumerate(words):
        for shift in (0, 32):  # halves: a float holds 53 bits exactly, not 64
            half = (word >> np.uint64(shift)) & np.uint64(0xFFFF_FFFF)
            exponent = np.frexp(half.astype(np.float64))[1].astype(np.int64)
            highest = np.where(half != 0, exponent + 64 * index + shift, highest)
    return highest
