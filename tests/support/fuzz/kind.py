"""Defines a kind of input: how its inputs are generated, block by block, and how one of them is judged."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOCK = 250
"""Inputs of a block. A block's number is its seed: block 7 of a kind has the same inputs in every run."""


class BrokenRuleError(AssertionError):
    """The product broke a rule on an input: it guessed, or said nothing."""


@dataclass(frozen=True)
class Kind:
    """One kind of input; `judge` returns the outcome in a word, and raises what is wrong with the product."""

    name: str
    title: str
    block: Callable[[int], Iterator[bytes]]
    judge: Callable[[bytes], str]
    share: int = 1
    """It gets one in so many of the inputs that the others get: one of them takes so much longer."""


def drawn(name: str, draw: Callable[[random.Random], bytes]) -> Callable[[int], Iterator[bytes]]:
    """Return the blocks of inputs that are drawn one by one from a seeded generator."""

    def block(number: int) -> Iterator[bytes]:
        generator = random.Random(f"{name}/{number}")  # noqa: S311 - repeatable inputs, not a secret
        return (draw(generator) for _ in range(BLOCK))

    return block


def must(holds: object, words: str) -> None:
    """Raise `BrokenRuleError` with these words unless a rule holds."""
    if not holds:
        raise BrokenRuleError(words)
