"""DSSE envelopes: a foreign library verifies what is written here, and every changed byte is found."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope as ForeignEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from otactl.errors import UsageError
from otactl.signatures.dsse import encoding, parsed, signed, verifying
from otactl.signatures.keys import private_key, public_key
from tests.support.signing import KINDS, pair

TYPE = "application/vnd.in-toto+json"


def test_the_signed_bytes_are_those_of_the_protocols_own_example() -> None:
    kind = "http://example.com/HelloWorld"
    assert encoding(kind, b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_library_verifies_an_envelope_and_refuses_a_changed_one(kind: str) -> None:
    private, public = pair(kind)
    signer = private_key(private, None, "a.pem")
    document = json.loads(signed(TYPE, b'{"a": 1}', [signer]))
    foreign = SSlibKey.from_crypto(load_pem_public_key(public), keyid=signer.public.id)
    changed = {**document, "payload": base64.b64encode(b'{"a": 2}').decode()}
    assert ForeignEnvelope.from_dict(json.loads(json.dumps(document))).verify([foreign], 1)
    with pytest.raises(VerificationError):
        ForeignEnvelope.from_dict(changed).verify([foreign], 1)


@pytest.mark.parametrize("kind", KINDS)
def test_each_changed_byte_of_payload_type_and_signature_is_found(kind: str) -> None:
    private, public = pair(kind)
    key = public_key(public, "a.pub")
    envelope = parsed(signed(TYPE, b'{"a": 1}', [private_key(private, None, "a.pem")]), "a.json")
    assert verifying(envelope, [key]) == (key,)
    for n in range(len(envelope.payload)):
        payload = envelope.payload[:n] + bytes([envelope.payload[n] ^ 1]) + envelope.payload[n + 1 :]
        assert verifying(envelope._replace(payload=payload), [key]) == ()
    assert verifying(envelope._replace(payload_type=TYPE.replace("+", "-")), [key]) == ()
    ((name, signature),) = envelope.signatures
    for n in range(len(signature)):
        other = signature[:n] + bytes([signature[n] ^ 1]) + signature[n + 1 :]
        assert verifying(envelope._replace(signatures=((name, other),)), [key]) == ()


def test_one_key_of_several_is_enough_and_its_id_is_only_a_hint() -> None:
    (private, public), (_, other) = pair("ed25519"), pair("ecdsa-p256")
    envelope = parsed(signed(TYPE, b"{}", [private_key(private, None, "a.pem")]), "a.json")
    key = public_key(public, "a.pub")
    unnamed = envelope._replace(signatures=(("", envelope.signatures[0][1]),))
    assert verifying(unnamed, [public_key(other, "b.pub"), key]) == (key,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no DSSE envelope"),
        (b"[]", "no DSSE envelope"),
        (b"[" * 100_000, "no DSSE envelope"),
        (b'{"payloadType": "t", "signatures": []}', "'payload' is missing"),
        (b'{"payload": 1, "payloadType": "t", "signatures": []}', "is no text"),
        (b'{"payload": "", "payloadType": 1, "signatures": []}', "payloadType is no text"),
        (b'{"payload": "?", "payloadType": "t", "signatures": []}', "no base64"),
        (b'{"payload": "", "payloadType": "t", "signatures": 3}', "no DSSE envelope"),
        (b'{"payload": "", "payloadType": "t", "signatures": [3]}', "no DSSE envelope"),
        (b'{"payload": "", "payloadType": "t", "signatures": [{}]}', "'sig' is missing"),
    ],
)
def test_what_is_no_envelope_is_refused_in_one_line(text: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parsed(text, "a.json")
    assert "\n" not in str(refused.value)
