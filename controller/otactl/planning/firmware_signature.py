"""Decides whether firmware is signed as its environment requires, before a unit is created and before it is started.

1. Where the environment requires nothing, nothing is checked.
2. One signature by one key that is not revoked is enough. A signature by a revoked key is named as such.
3. The signature is over the image's SHA-256; that the image has this SHA-256 is another check of the same pass.
4. What cannot be verified here holds: a requirement is never skipped.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from otactl.errors import UsageError
from otactl.model import Firmware, FirmwarePolicy, SigningKey
from otactl.model.actions import Hold
from otactl.signatures import keys
from otactl.signatures.keys import PublicKey

_SIGN = "sign it (`otactl image push --sign KEY --into MANIFEST`), or have the environment require no signature"


def signature_holds(firmware: Firmware, policy: FirmwarePolicy | None) -> tuple[Hold, ...]:
    """Return why firmware may not be sent for its signature; nothing where it may."""
    if policy is None:
        return ()
    what = f"version {firmware.version} (sha256 {firmware.sha256[:12]}…)"
    if firmware.signature is None:
        text = f"{what} is not signed, and the environment requires a signature (spec.firmware.requireSignature)"
        return (_stall("signature_is_missing", f"{text}; {_SIGN}"),)
    declared = policy.require_signature.keys
    try:
        usable = [(key, _parsed(key.public_key, f"key {key.name} of the environment")) for key in declared]
        signature = base64.b64decode(firmware.signature, validate=True)
    except binascii.Error:
        return (_stall("signature_is_wrong", f"the signature of {what} is no base64; {_SIGN}"),)
    except UsageError as error:
        return (_stall("signature_cannot_be_checked", f"the signature of {what} cannot be checked: {error}"),)
    digest = bytes.fromhex(firmware.sha256)
    good = [key for key, public in usable if public.verifies_digest(signature, digest)]
    if any(key.revoked is None for key in good):
        return ()
    if good:
        text = f"{what} is signed by key {good[0].name}, which is revoked: {good[0].revoked}; sign it with another key"
        return (_stall("signature_key_is_revoked", f"{text} (`otactl image push --sign KEY --into MANIFEST`)"),)
    names = _names(declared)
    return (
        _stall("signature_is_wrong", f"no key of the environment ({names}) verifies the signature of {what}; {_SIGN}"),
    )


def _names(declared: tuple[SigningKey, ...]) -> str:
    return ", ".join(key.name for key in declared)


@lru_cache(maxsize=64)
def _parsed(pem: str, where: str) -> PublicKey:
    return keys.public_key(pem.encode(), where)


def _stall(reason: str, message: str) -> Hold:
    return Hold(reason=reason, message=message, stalled=True)
