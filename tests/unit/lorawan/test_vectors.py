"""The public and computed TS004 vectors (tests/vectors/ts004_parity_rows.json names their sources), all of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from otactl.lorawan.fragmentation import (
    V1,
    V2_ABSOLUTE,
    V2_RELATIVE,
    Decoder,
    State,
    Variant,
    completing_parity,
    encode,
    parity_row,
    parity_to_cover_all,
    recovers,
    split,
)
from otactl.lorawan.parity import prbs23
from tests.support.paths import ROOT

VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors" / "ts004_parity_rows.json").read_text())
ROWS = {V1: "rows_v1", V2_RELATIVE: "rows_v2_relative", V2_ABSOLUTE: "rows_v2_absolute"}
NAMES = {V1: "v1", V2_RELATIVE: "v2_relative", V2_ABSOLUTE: "v2_absolute"}
CODED = {case["name"]: case for case in VECTORS["coded_fragments"]}
OUTCOMES = VECTORS["decoder_outcomes_v1"]["cases"]


def image_of(name: str) -> bytes:
    """Build a coded-fragment case's image: by its rule, or from its uncoded fragments less the padding."""
    case = CODED[name]
    if "uncoded_hex" in case:
        return bytes.fromhex("".join(case["uncoded_hex"]))[: case["file_bytes"]]
    return bytes(i % 256 for i in range(case["m_uncoded"] * case["fragment_size_bytes"]))


@pytest.mark.parametrize("vector", VECTORS["prbs23"], ids=lambda vector: str(vector["start"]))
def test_the_register_steps_as_specified(vector: dict[str, Any]) -> None:
    states, state = [], vector["start"]
    for _ in vector["next_8"]:
        state = prbs23(state)
        states.append(state)
    assert states == vector["next_8"]


def packed(bits: int, m: int) -> bytes:
    """Write a row as the vectors do: column 0 is the top bit of byte 0, unused low bits zero."""
    text = "".join(str(bits >> i & 1) for i in range(m)).ljust(-(-m // 8) * 8, "0")
    return int(text, 2).to_bytes(len(text) // 8, "big")


@pytest.mark.parametrize("variant", Variant, ids=lambda variant: variant.value)
def test_every_parity_row_covers_the_columns_of_the_reference(variant: Variant) -> None:
    rows = VECTORS[ROWS[variant]]
    assert len(rows) >= 54
    for row in rows:
        m = row["m_uncoded"]
        bits = parity_row(row["parity_row"], m, variant)
        columns = [i for i in range(m) if bits >> i & 1]
        assert len(columns) == row["weight"], row
        assert row.get("columns", columns) == columns, row
        assert row.get("first_16_columns", columns[:16]) == columns[:16], row


@pytest.mark.parametrize("variant", Variant, ids=lambda variant: variant.value)
def test_every_parity_row_is_bit_exact_in_the_reference_encoding(variant: Variant) -> None:
    for row in VECTORS[ROWS[variant]]:
        found = packed(parity_row(row["parity_row"], row["m_uncoded"], variant), row["m_uncoded"])
        if "row_bits_hex_msb_first" in row:
            assert found.hex() == row["row_bits_hex_msb_first"], row
        else:
            assert row["row_bits_sha256"] == hashlib.sha256(found).hexdigest(), row


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("variant", Variant, ids=lambda variant: variant.value)
def test_encoded_parity_equals_the_reference_fragments(name: str, variant: Variant) -> None:
    case = CODED[name]
    wanted = case.get(f"parity_hex_{NAMES[variant]}")
    if wanted is None:
        assert variant is not V1
        return
    fragments = encode(image_of(name), case["fragment_size_bytes"], len(wanted), variant)
    assert len(fragments) == case["m_uncoded"] + len(wanted)
    assert [fragment.hex() for fragment in fragments[case["m_uncoded"] :]] == wanted


def test_the_interoperability_image_is_cut_and_padded_as_published() -> None:
    case = CODED["lora_interop_995_bytes"]
    fragments = split(image_of(case["name"]), case["fragment_size_bytes"])
    assert [fragment.hex() for fragment in fragments] == case["uncoded_hex"]
    assert hashlib.sha256(b"".join(fragments)).hexdigest() == case["padded_image_sha256"]
    assert hashlib.sha256(image_of(case["name"])).hexdigest() == case["file_sha256"]


def test_the_interoperability_image_is_rebuilt_from_its_parity() -> None:
    case = CODED["lora_interop_995_bytes"]
    stream = [bytes.fromhex(text) for text in case["uncoded_hex"] + case["parity_hex_v1"]]
    decoder = Decoder(21, 48, case["padding_bytes"])
    for counter, payload in enumerate(stream, start=1):
        if counter not in (1, 2, 13):
            decoder.receive(counter, payload)
    assert decoder.state is State.DONE
    assert hashlib.sha256(decoder.image()).hexdigest() == case["file_sha256"]


@pytest.mark.parametrize("variant", Variant, ids=lambda variant: variant.value)
def test_the_parity_that_covers_every_single_loss_is_the_published_count(variant: Variant) -> None:
    values = VECTORS["single_loss_worst_first_covering_parity_row"]["values"]
    assert {v["m_uncoded"]: parity_to_cover_all(v["m_uncoded"], variant) for v in values} == {
        v["m_uncoded"]: v[NAMES[variant]] for v in values
    }


def test_every_decoder_outcome_completes_at_the_counter_of_the_reference_decoder() -> None:
    assert len(OUTCOMES) == 73
    for case in OUTCOMES:
        m, r, lost = case["m_uncoded"], case["r_parity"], set(case["lost_fragment_counters"])
        image = bytes((7 * i + i // 251) % 256 for i in range(m * 4 - 1))
        decoder = Decoder(m, 4, 1)
        for counter, payload in enumerate(encode(image, 4, r), start=1):
            if counter not in lost:
                decoder.receive(counter, payload)
        assert decoder.completed_at == case["completes_at_fragment_counter"], case
        assert (decoder.state is State.DONE) is case["decodable"]
        assert not case["decodable"] or decoder.image() == image


def test_every_decoder_outcome_is_foretold_by_rank_alone() -> None:
    for case in OUTCOMES:
        m, lost = case["m_uncoded"], set(case["lost_fragment_counters"])
        holes = [counter - 1 for counter in lost if counter <= m]
        parity = [n for n in range(1, case["r_parity"] + 1) if m + n not in lost]
        assert len(holes) == case["lost_uncoded"]
        assert recovers(m, holes, parity) is case["decodable"], case
        if case["decodable"] and holes:
            assert m + (completing_parity(m, holes, parity) or 0) == case["completes_at_fragment_counter"]
