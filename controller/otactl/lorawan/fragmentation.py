"""Cuts an image into TS004 fragments, and rebuilds it as one device does.

1. M uncoded fragments carry the image, zero-padded; R parity fragments (see `parity`) follow. Counter N runs from 1 to
   M + R and has 14 bits, so M + R <= 16383 (TS004-1.0.0, DataFragment).
2. A device stores uncoded fragments as they come. The first parity fragment fixes which ones are lost.
3. It drops a fragment whose counter is not above the last one (LoRaMac-node does so; repeats are harmless).
4. More lost fragments than its matrix memory holds end its session, however much parity follows.
5. A session it cannot hold is refused at set-up (FragSessionSetupAns, not enough memory).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from otactl.lorawan.errors import LorawanError
from otactl.lorawan.gf2 import Span
from otactl.lorawan.parity import (
    MAX_COUNTER,
    V1,
    V2_ABSOLUTE,
    V2_RELATIVE,
    Variant,
    completing_parity,
    parity_row,
    parity_to_cover_all,
    recovers,
)

__all__ = [
    "MAX_COUNTER",
    "UNLIMITED",
    "V1",
    "V2_ABSOLUTE",
    "V2_RELATIVE",
    "Decoder",
    "DeviceCaps",
    "Rounding",
    "SessionRefusedError",
    "State",
    "Variant",
    "completing_parity",
    "encode",
    "fragment_count",
    "parity_count",
    "parity_row",
    "parity_to_cover_all",
    "recovers",
    "split",
]


class Rounding(Enum):
    """How a percentage of fragments becomes a count; AWS does not publish its choice, ChirpStack rounds up."""

    FLOOR = "floor"
    CEIL = "ceil"


def fragment_count(image_bytes: int, fragment_size: int) -> int:
    """Count the uncoded fragments M of an image: ceil(image / size), both in bytes."""
    if image_bytes < 1 or fragment_size < 1:
        raise LorawanError(f"{image_bytes} bytes in fragments of {fragment_size}: both must be at least 1 byte")
    return -(-image_bytes // fragment_size)


def parity_count(m: int, redundancy_percent: int, rounding: Rounding = Rounding.FLOOR) -> int:
    """Count the parity fragments R for a redundancy in percent of M; FLOOR is the cautious reading of AWS."""
    if not 0 <= redundancy_percent <= 100:
        raise LorawanError(f"redundancy of {redundancy_percent} % is outside 0 to 100; choose a value in that range")
    exact = m * redundancy_percent
    return exact // 100 if rounding is Rounding.FLOOR else -(-exact // 100)


def split(image: bytes, fragment_size: int) -> list[bytes]:
    """Cut an image into its uncoded fragments, the last one padded with zero bytes."""
    m = fragment_count(len(image), fragment_size)
    padded = image.ljust(m * fragment_size, b"\x00")
    return [padded[i * fragment_size : (i + 1) * fragment_size] for i in range(m)]


def encode(image: bytes, fragment_size: int, parity: int, variant: Variant = V1) -> list[bytes]:
    """Build what goes on air: M uncoded then `parity` coded fragments; element i has counter i + 1.

    Raises LorawanError when the counter would pass 16383.
    """
    uncoded = split(image, fragment_size)
    m = len(uncoded)
    if parity < 0 or m + parity > MAX_COUNTER:
        raise LorawanError(
            f"{m} fragments and {parity} parity fragments do not fit the counter, which allows {MAX_COUNTER}; "
            "choose larger fragments or less redundancy"
        )
    numbers = [int.from_bytes(fragment, "big") for fragment in uncoded]
    coded = (_combine(parity_row(n, m, variant), numbers) for n in range(1, parity + 1))
    return uncoded + [number.to_bytes(fragment_size, "big") for number in coded]


def _combine(row: int, fragments: list[int]) -> int:
    """XOR the fragments (as big-endian integers) whose bit is set in a row."""
    total = 0
    for digit, fragment in zip(reversed(bin(row)[2:]), fragments, strict=False):  # the row's high zeros are not written
        if digit == "1":
            total ^= fragment
    return total


@dataclass(frozen=True, kw_only=True)
class DeviceCaps:
    """What a device's decoder can hold; None means unlimited.

    Shipped values: LoRaMac-node sample 21 fragments of 50 bytes, 5 lost; LoRa Basics Modem 100 fragments of 242 bytes,
    100 lost; Zephyr 232 bytes, 20 % of the fragments lost.
    """

    max_lost: int | None = None
    max_fragments: int | None = None
    max_fragment_size: int | None = None
    size_multiple: int | None = None
    """The flash unit fragments should be a multiple of; a device takes others too, so this refuses nothing."""

    def __post_init__(self) -> None:
        """Refuse limits below one, except that a device may hold no lost fragment at all."""
        for name, least in (("max_lost", 0), ("max_fragments", 1), ("max_fragment_size", 1), ("size_multiple", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise LorawanError(f"a device's {name} of {value} cannot be; choose {least} or more")

    def refusal(self, fragments: int, fragment_size: int) -> str | None:
        """Return why the device would refuse a session at set-up, or None when it accepts it."""
        if self.max_fragments is not None and fragments > self.max_fragments:
            return f"{fragments} fragments, the device holds {self.max_fragments}"
        if self.max_fragment_size is not None and fragment_size > self.max_fragment_size:
            return f"fragments of {fragment_size} bytes, the device takes {self.max_fragment_size}"
        return None


UNLIMITED = DeviceCaps()


class SessionRefusedError(LorawanError):
    """The device answers the session set-up with not enough memory."""


class State(Enum):
    """The state of a device's session."""

    RECEIVING = "receiving"
    DONE = "done"
    TOO_MANY_LOST = "tooManyLost"


class Decoder:
    """Rebuilds one image from the fragments one device heard.

    `fragments` is M, `padding` the bytes to strip from the last fragment. Raises SessionRefusedError when the caps do
    not allow the session.
    """

    def __init__(
        self,
        fragments: int,
        fragment_size: int,
        padding: int = 0,
        *,
        caps: DeviceCaps = UNLIMITED,
        variant: Variant = V1,
    ) -> None:
        if not (1 <= fragments <= MAX_COUNTER and fragment_size >= 1 and 0 <= padding < fragment_size):
            raise LorawanError(
                f"no session has {fragments} fragments of {fragment_size} bytes with {padding} bytes of padding: "
                f"fragments run from 1 to {MAX_COUNTER}, padding stays below the fragment size"
            )
        if (why := caps.refusal(fragments, fragment_size)) is not None:
            raise SessionRefusedError(f"the device refuses the session: {why}")
        self.fragments = fragments
        self.fragment_size = fragment_size
        self.padding = padding
        self.state = State.RECEIVING
        self.received = 0
        self.completed_at: int | None = None
        """The counter whose arrival completed the image."""
        self._caps = caps
        self._variant = variant
        self._last = 0
        self._numbers = [0] * fragments
        self._holes = (1 << fragments) - 1
        self._lost_fixed = False
        self._span = Span(fragments)

    @property
    def missing(self) -> int:
        """Return how many uncoded fragments are neither received nor rebuilt, as the status answer counts them."""
        return 0 if self.state is State.DONE else self._holes.bit_count() - self._span.rank

    def receive(self, counter: int, payload: bytes) -> State:
        """Process one fragment as received; fragments after the end of a session change nothing."""
        if len(payload) != self.fragment_size or not 1 <= counter <= MAX_COUNTER:
            raise LorawanError(
                f"fragment {counter} of {len(payload)} bytes is not of this session: "
                f"counters run from 1 to {MAX_COUNTER}, {self.fragment_size} bytes each"
            )
        if self.state is not State.RECEIVING or counter <= self._last:
            return self.state
        self._last = counter
        self.received += 1
        number = int.from_bytes(payload, "big")
        if counter <= self.fragments:
            self._numbers[counter - 1] = number
            self._holes &= ~(1 << (counter - 1))
            complete = self._holes == 0
        else:
            complete = self._take_parity(counter - self.fragments, number)
        if complete:
            self.state, self.completed_at = State.DONE, counter
        return self.state

    def _take_parity(self, n: int, number: int) -> bool:
        lost = self._holes.bit_count()
        if not self._lost_fixed:
            self._lost_fixed = True
            if self._caps.max_lost is not None and lost > self._caps.max_lost:
                self.state = State.TOO_MANY_LOST
                return False
        row = parity_row(n, self.fragments, self._variant)
        unknown = row & self._holes
        if unknown:
            rest = number ^ _combine(row & ~self._holes, self._numbers)
            self._span.add(unknown | rest << self.fragments)
        return self._span.rank == lost

    def image(self) -> bytes:
        """Return the rebuilt image, padding stripped; raises LorawanError before the session is done."""
        if self.state is not State.DONE:
            raise LorawanError(f"the image is not complete: {self.missing} of {self.fragments} fragments are missing")
        numbers = list(self._numbers)
        for index, number in self._span.solve().items():
            numbers[index] = number
        whole = b"".join(number.to_bytes(self.fragment_size, "big") for number in numbers)
        return whole[: len(whole) - self.padding]
