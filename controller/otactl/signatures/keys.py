"""Reads keys of Ed25519 and ECDSA P-256 from PEM, and signs and verifies with them.

1. A public key is a SubjectPublicKeyInfo, a private key PKCS#8 or SEC1; every other kind of key is refused.
2. The id of a key is the SHA-256 of its DER SubjectPublicKeyInfo, in hex: the same wherever it is computed.
3. An ECDSA signature is ASN.1 DER over SHA-256, as OpenSSL and AWS KMS write it; an Ed25519 one has 64 bytes.
4. The detached signature of an image needs only its SHA-256. With ECDSA it is the common one of the image over SHA-256,
   as `openssl dgst -sha256 -sign` writes it; with Ed25519, which takes a whole text, the text is the 32 bytes of the
   digest.
5. `cryptography` does the arithmetic; it is imported when a key is read, so that nothing else needs it.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from otactl.errors import UsageError

MOST_BYTES = 16_384
"""No key of these kinds is as long as this, in PEM."""
_INSTALL = "pip install 'otactl[evidence]'"


class PublicKey(NamedTuple):
    """A key that verifies; `verifies` takes a signature and the signed bytes.

    `verifies_digest` takes the signature of an image and the SHA-256 of it (rule 4).
    """

    id: str
    algorithm: str
    der: bytes
    verifies: Callable[[bytes, bytes], bool]
    verifies_digest: Callable[[bytes, bytes], bool]


class Signer(NamedTuple):
    """A key that signs bytes, or an image by its SHA-256, with its public half."""

    public: PublicKey
    sign: Callable[[bytes], bytes]
    sign_digest: Callable[[bytes], bytes]


def is_installed() -> bool:
    """Return whether signatures can be computed here."""
    return importlib.util.find_spec("cryptography") is not None


def require() -> None:
    """Raise `UsageError` where `cryptography` is not installed."""
    if not is_installed():
        raise UsageError(f"signatures need the package cryptography, which is not installed; run {_INSTALL}")


def public_key(pem: bytes, where: str) -> PublicKey:
    """Read a public key in PEM; `where` names it in messages. Raises: UsageError."""
    require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        loaded = load_pem_public_key(_bounded(pem, where))
    except (ValueError, UnsupportedAlgorithm) as error:
        text = f"{where} is no public key in PEM; write one that begins with -----BEGIN PUBLIC KEY-----"
        raise UsageError(text) from error
    return _public(loaded, where)


def public_key_of_der(der: bytes, where: str) -> PublicKey:
    """Read a public key in DER. Raises: UsageError."""
    require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        return _public(load_der_public_key(der), where)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{where} is no public key; use one of Ed25519 or ECDSA P-256") from error


def private_key(pem: bytes, passphrase: str | None, where: str) -> Signer:
    """Read a private key in PEM; `where` names it in messages, which never hold a part of it. Raises: UsageError."""
    require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    secret = passphrase.encode() if passphrase else None
    try:
        loaded = load_pem_private_key(_bounded(pem, where), secret)
    except TypeError as error:  # one with a passphrase and none given, or the other way round
        why = "has no passphrase, and one is set" if secret else "has a passphrase, and none is set"
        raise UsageError(f"{where} {why}; set OTACTL_KEY_PASSPHRASE for a key that has one, or unset it") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        text = f"{where} is no private key in PEM, or its passphrase (OTACTL_KEY_PASSPHRASE) is another"
        raise UsageError(f"{text}; name the file of a key of Ed25519 or ECDSA P-256") from error
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return Signer(_public(loaded.public_key(), where), loaded.sign, loaded.sign)
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        curve = loaded
        return Signer(
            _public(loaded.public_key(), where),
            lambda data: curve.sign(data, ec.ECDSA(hashes.SHA256())),
            lambda digest: curve.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))),
        )
    raise _kind(where)


def _public(loaded: object, where: str) -> PublicKey:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    if isinstance(loaded, ed25519.Ed25519PublicKey):
        edwards = loaded
        algorithm = "ed25519"

        def verify(signature: bytes, data: bytes) -> None:
            edwards.verify(signature, data)

        def verify_digest(signature: bytes, digest: bytes) -> None:
            edwards.verify(signature, digest)

    elif isinstance(loaded, ec.EllipticCurvePublicKey) and isinstance(loaded.curve, ec.SECP256R1):
        curve = loaded
        algorithm = "ecdsa-p256"

        def verify(signature: bytes, data: bytes) -> None:
            curve.verify(signature, data, ec.ECDSA(hashes.SHA256()))

        def verify_digest(signature: bytes, digest: bytes) -> None:
            curve.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))

    else:
        raise _kind(where)

    def checked(check: Callable[[bytes, bytes], None], signature: bytes, data: bytes) -> bool:
        try:
            check(signature, data)
        except InvalidSignature:
            return False
        return True

    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    der = loaded.public_bytes(serialization.Encoding.DER, spki)
    return PublicKey(
        hashlib.sha256(der).hexdigest(), algorithm, der, partial(checked, verify), partial(checked, verify_digest)
    )


def _kind(where: str) -> UsageError:
    return UsageError(f"{where} is a key of another kind; use one of Ed25519 or ECDSA P-256")


def _bounded(pem: bytes, where: str) -> bytes:
    if len(pem) > MOST_BYTES:
        raise UsageError(
            f"{where} has {len(pem)} bytes, a key in PEM has {MOST_BYTES} at most; name a file with one key"
        )
    return pem
