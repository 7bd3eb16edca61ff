"""Reads the public keys that an environment names in files, into the environment.

1. A file is read from the manifest's folder, inside the repository after links are followed, and is one key in PEM.
2. An error says which file and what is wrong, never what is in it: a private key may be there by mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from otactl.manifest.faults import Fault
from otactl.manifest.phrases import printable
from otactl.manifest.positions import Path
from otactl.model import JsonObject

MOST_BYTES = 16_384
_BEGIN, _PRIVATE = b"-----BEGIN PUBLIC KEY-----", b"PRIVATE KEY-----"
_KEYS: Path = ("spec", "firmware", "requireSignature", "keys")


def with_keys(document: JsonObject, read: Callable[[str, int], bytes | str]) -> tuple[JsonObject, list[Fault]]:
    """Return a valid environment with the text of each key file in `publicKey`, and what is wrong with the files.

    `read` returns the bytes of a file as named, at most one more than a limit, or why it cannot be read.
    """
    spec = cast("JsonObject", document["spec"])
    policy = cast("JsonObject | None", spec.get("firmware"))
    if policy is None:
        return document, []
    required = cast("JsonObject", policy["requireSignature"])
    faults: list[Fault] = []
    keys: list[object] = []
    for place, key in enumerate(cast("list[JsonObject]", required["keys"])):
        if "file" in key:
            text, why = _text(read(str(key["file"]), MOST_BYTES))
            if why:
                message = f"the key file {printable(str(key['file']))} {why}"
                faults.append(Fault((*_KEYS, place, "file"), "key_unreadable", message, _HINT))
            key = {name: value for name, value in key.items() if name != "file"} | {"publicKey": text}
        keys.append(key)
    filled = {**policy, "requireSignature": {**required, "keys": keys}}
    return {**document, "spec": {**spec, "firmware": filled}}, faults


_HINT = "name a file inside the repository with one public key in PEM; paths are read from the manifest's folder"


def _text(data: bytes | str) -> tuple[str, str]:
    """Return the text of a key file and what is wrong with it."""
    if isinstance(data, str):
        return "", data
    if len(data) > MOST_BYTES:
        return "", f"has more than {MOST_BYTES} bytes"
    if _PRIVATE in data:
        return "", "holds a private key, which belongs in no repository: replace the key, and name its public half"
    if not data.strip().startswith(_BEGIN) or not data.isascii():
        return "", "is no public key in PEM"
    return data.decode("ascii"), ""
