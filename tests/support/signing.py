"""Keys for the tests of signatures: written to files as people write them, of both kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KINDS = ("ed25519", "ecdsa-p256")


class KeyFiles(NamedTuple):
    """The two halves of a key, and their files."""

    private: bytes
    public: bytes
    private_file: Path
    public_file: Path


def pair(kind: str, passphrase: str = "") -> tuple[bytes, bytes]:
    """A new key of a kind, as PEM: its private half and its public half."""
    makers: dict[str, Callable[[], Private]] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }
    made = makers[kind]()
    locked: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        locked = serialization.BestAvailableEncryption(passphrase.encode())
    private = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return private, made.public_key().public_bytes(serialization.Encoding.PEM, spki)


def key_files(folder: Path, kind: str = "ed25519", passphrase: str = "", name: str = "key") -> KeyFiles:
    """A new key in two files."""
    private, public = pair(kind, passphrase)
    files = KeyFiles(private, public, folder / f"{name}.pem", folder / f"{name}.pub")
    files.private_file.write_bytes(private)
    files.public_file.write_bytes(public)
    return files
