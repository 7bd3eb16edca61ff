"""Opens the keys that command lines name: files in PEM, and keys of a key management service.

1. A private key's passphrase is OTACTL_KEY_PASSPHRASE; it is never an option, which others could read.
2. No message holds a part of a key.
"""

from __future__ import annotations

import os
from pathlib import Path

from otactl.errors import UsageError
from otactl.signatures import keys

PASSPHRASE = "OTACTL_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable


def signer_of(name: str) -> keys.Signer:
    """Return what signs with a key file or a managed key. Raises: UsageError, StalledError."""
    keys.require()
    from otactl.backends.aws import key_management

    if name.startswith(key_management.SCHEME):
        return key_management.signer(name)
    return keys.private_key(_read(name), os.environ.get(PASSPHRASE) or None, name)


def public_key_of(name: str) -> keys.PublicKey:
    """Return the public key in a file, or of a managed key. Raises: UsageError, StalledError."""
    keys.require()
    from otactl.backends.aws import key_management

    if name.startswith(key_management.SCHEME):
        return key_management.public_key(name)
    return keys.public_key(_read(name), name)


def _read(name: str) -> bytes:
    try:
        with Path(name).open("rb") as opened:
            return opened.read(keys.MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"cannot read the key {name}: {error.strerror}; name a file in PEM, or awskms:///KEY"
        ) from error
