"""Counts, limits and the decoder's rules, beside what the vectors already hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otactl.lorawan.errors import LorawanError
from otactl.lorawan.fragmentation import (
    MAX_COUNTER,
    V1,
    Decoder,
    DeviceCaps,
    Rounding,
    SessionRefusedError,
    State,
    Variant,
    completing_parity,
    encode,
    fragment_count,
    parity_count,
    parity_row,
    parity_to_cover_all,
    recovers,
)
from otactl.lorawan.gf2 import Span


@st.composite
def sessions(draw: st.DrawFn) -> tuple[bytes, int, int, Variant, set[int]]:
    """An image, its fragment size, parity, variant and the counters lost on the way."""
    size = draw(st.integers(1, 12))
    image = draw(st.binary(min_size=1, max_size=size * 30))
    m = fragment_count(len(image), size)
    parity = draw(st.integers(0, 20))
    lost = draw(st.sets(st.integers(1, m + parity), max_size=12))
    return image, size, parity, draw(st.sampled_from(Variant)), lost


@given(sessions())
@settings(deadline=None)
def test_a_device_rebuilds_the_image_exactly_when_the_rank_says_so(
    session: tuple[bytes, int, int, Variant, set[int]],
) -> None:
    image, size, parity, variant, lost = session
    m = fragment_count(len(image), size)
    decoder = Decoder(m, size, m * size - len(image), variant=variant)
    for counter, payload in enumerate(encode(image, size, parity, variant), start=1):
        if counter not in lost:
            decoder.receive(counter, payload)
    holes = {counter - 1 for counter in lost if counter <= m}
    received = [n for n in range(1, parity + 1) if m + n not in lost]
    assert (decoder.state is State.DONE) is recovers(m, holes, received, variant)
    if decoder.state is State.DONE:
        assert decoder.image() == image
        assert decoder.missing == 0
    else:
        assert decoder.missing > 0


@given(st.lists(st.integers(0, 255), max_size=10))
def test_rank_is_the_dimension_of_the_space_the_vectors_span(vectors: list[int]) -> None:
    span, reached = Span(8), {0}
    for vector in vectors:
        assert span.add(vector) is (vector not in reached)
        reached |= {known ^ vector for known in reached}
    assert 2**span.rank == len(reached)


@pytest.mark.parametrize(
    ("image", "size", "expected"), [(100, 10, 10), (101, 10, 11), (1, 239, 1), (98_304, 112, 878), (995, 48, 21)]
)
def test_the_last_fragment_counts_even_when_it_is_not_full(image: int, size: int, expected: int) -> None:
    assert fragment_count(image, size) == expected


@pytest.mark.parametrize(
    ("m", "percent", "floor", "ceil"),
    [(10, 50, 5, 5), (878, 12, 105, 106), (7, 10, 0, 1), (9, 0, 0, 0), (9, 100, 9, 9)],
)
def test_redundancy_becomes_a_count_rounded_either_way(m: int, percent: int, floor: int, ceil: int) -> None:
    assert parity_count(m, percent) == floor
    assert parity_count(m, percent, Rounding.CEIL) == ceil


@pytest.mark.parametrize("percent", [-1, 101])
def test_redundancy_outside_zero_to_a_hundred_is_refused(percent: int) -> None:
    with pytest.raises(LorawanError, match=f"redundancy of {percent} %"):
        parity_count(10, percent)


@pytest.mark.parametrize(("image", "size"), [(0, 10), (10, 0), (-1, 10)])
def test_an_empty_image_or_fragment_is_refused(image: int, size: int) -> None:
    with pytest.raises(LorawanError, match="at least 1 byte"):
        fragment_count(image, size)


def test_a_session_may_use_the_whole_counter_but_not_one_more() -> None:
    assert len(encode(bytes(MAX_COUNTER), 1, 0)) == MAX_COUNTER
    with pytest.raises(LorawanError, match="16383"):
        encode(bytes(MAX_COUNTER), 1, 1)


@pytest.mark.parametrize(("n", "m"), [(0, 10), (1, 0)])
def test_a_row_or_session_numbered_zero_does_not_exist(n: int, m: int) -> None:
    with pytest.raises(LorawanError, match="count from 1"):
        parity_row(n, m)


def test_parity_of_a_single_fragment_repairs_nothing() -> None:
    assert not recovers(1, [0], range(1, 50))
    assert parity_to_cover_all(1) is None


def test_a_lost_fragment_no_row_covers_is_never_rebuilt() -> None:
    needed = parity_to_cover_all(50)
    assert needed == 16
    assert not all(recovers(50, [lost], range(1, needed)) for lost in range(50))
    assert all(recovers(50, [lost], range(1, needed + 1)) for lost in range(50))


def test_no_loss_needs_no_parity() -> None:
    assert completing_parity(20, [], []) == 0


def test_a_fragment_outside_the_session_cannot_be_lost() -> None:
    with pytest.raises(LorawanError, match="fragment 20 cannot be lost of 20"):
        recovers(20, [20], [1])


def _hear(decoder: Decoder, fragments: list[bytes], lost: set[int]) -> None:
    for counter, payload in enumerate(fragments, start=1):
        if counter not in lost:
            decoder.receive(counter, payload)


IMAGE = bytes(range(200))


def test_more_losses_than_the_matrix_memory_end_the_session() -> None:
    decoder = Decoder(20, 10, caps=DeviceCaps(max_lost=5))
    _hear(decoder, encode(IMAGE, 10, 20), {1, 2, 3, 4, 5, 6})
    assert decoder.state is State.TOO_MANY_LOST
    assert recovers(20, range(6), range(1, 21))
    assert decoder.missing == 6


def test_as_many_losses_as_the_matrix_memory_are_repaired() -> None:
    decoder = Decoder(20, 10, caps=DeviceCaps(max_lost=5))
    _hear(decoder, encode(IMAGE, 10, 20), {1, 2, 3, 4, 5})
    assert decoder.state is State.DONE
    assert decoder.image() == IMAGE


@pytest.mark.parametrize(
    ("caps", "why"),
    [
        (DeviceCaps(max_fragments=19), "20 fragments, the device holds 19"),
        (DeviceCaps(max_fragment_size=9), "fragments of 10 bytes, the device takes 9"),
    ],
)
def test_a_session_the_device_cannot_hold_is_refused_at_set_up(caps: DeviceCaps, why: str) -> None:
    with pytest.raises(SessionRefusedError, match=why):
        Decoder(20, 10, caps=caps)


def test_a_session_at_the_device_limits_is_taken() -> None:
    caps = DeviceCaps(max_fragments=20, max_fragment_size=10)
    assert Decoder(20, 10, caps=caps).state is State.RECEIVING


def test_a_fragment_heard_twice_changes_nothing() -> None:
    fragments = encode(IMAGE, 10, 5)
    decoder = Decoder(20, 10)
    decoder.receive(1, fragments[0])
    decoder.receive(1, bytes(10))
    assert decoder.received == 1
    _hear(decoder, fragments, {1})
    assert decoder.image() == IMAGE


def test_a_fragment_behind_the_last_counter_is_dropped_as_the_reference_decoder_does() -> None:
    fragments = encode(IMAGE, 10, 5)
    decoder = Decoder(20, 10)
    decoder.receive(3, fragments[2])
    decoder.receive(2, fragments[1])
    assert decoder.missing == 19


def test_fragments_after_completion_change_nothing() -> None:
    decoder = Decoder(20, 10)
    _hear(decoder, encode(IMAGE, 10, 5), set())
    assert (decoder.completed_at, decoder.received) == (20, 20)


def test_an_incomplete_image_is_not_given_out() -> None:
    decoder = Decoder(20, 10)
    decoder.receive(1, bytes(10))
    with pytest.raises(LorawanError, match="19 of 20 fragments are missing"):
        decoder.image()


@pytest.mark.parametrize(("counter", "payload"), [(0, bytes(10)), (MAX_COUNTER + 1, bytes(10)), (1, bytes(9))])
def test_a_frame_of_another_session_is_refused(counter: int, payload: bytes) -> None:
    with pytest.raises(LorawanError, match="not of this session"):
        Decoder(20, 10).receive(counter, payload)


@pytest.mark.parametrize(
    ("fragments", "size", "padding"), [(0, 10, 0), (MAX_COUNTER + 1, 10, 0), (1, 0, 0), (1, 10, 10)]
)
def test_a_session_no_set_up_command_can_describe_is_refused(fragments: int, size: int, padding: int) -> None:
    with pytest.raises(LorawanError, match="no session has"):
        Decoder(fragments, size, padding)


def test_solving_before_full_rank_names_the_unknown_column() -> None:
    span = Span(2)
    span.add(0b11)
    with pytest.raises(ValueError, match="column 1 is still unknown"):
        span.solve()


def test_the_default_variant_is_the_one_aws_documents() -> None:
    assert parity_row(3, 100) == parity_row(3, 100, V1)
