"""Writes and verifies DSSE envelopes: a payload, its type, and signatures over both.

What is signed is the pre-authentication encoding of DSSE v1: `DSSEv1`, the length and text of the type, the length and
bytes of the payload, with one space between them.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import NamedTuple

from otactl.errors import UsageError
from otactl.signatures.keys import PublicKey, Signer

MOST_BYTES = 64 * 1024 * 1024


class Envelope(NamedTuple):
    """A payload with its signatures, each with the id of its key, which is a hint and not signed."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]


def encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def signed(payload_type: str, payload: bytes, signers: Sequence[Signer]) -> bytes:
    """Return an envelope as JSON, signed by every signer."""
    data = encoding(payload_type, payload)
    signatures = [{"keyid": s.public.id, "sig": base64.b64encode(s.sign(data)).decode()} for s in signers]
    document = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": signatures,
    }
    return json.dumps(document).encode() + b"\n"


def parsed(data: bytes, where: str) -> Envelope:
    """Read an envelope. Raises: UsageError where it is none."""
    try:
        document = json.loads(_bounded(data))
        payload, kind, signatures = document["payload"], _text(document["payloadType"]), document["signatures"]
        return Envelope(
            kind, _decoded(payload), tuple((str(s.get("keyid", "")), _decoded(s["sig"])) for s in signatures)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{where} is no DSSE envelope ({why}); name a file that `otactl evidence` wrote") from error


def verifying(envelope: Envelope, keys: Sequence[PublicKey]) -> tuple[PublicKey, ...]:
    """Return the keys that one of the signatures is of; ids are not trusted, every key is tried."""
    data = encoding(envelope.payload_type, envelope.payload)
    return tuple(key for key in keys if any(key.verifies(signature, data) for _, signature in envelope.signatures))


def _bounded(data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    return data


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("its payloadType is no text")
    return value


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError("what should be base64 is no text")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"it is no base64: {error}") from error
