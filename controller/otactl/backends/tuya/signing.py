"""Signs RPC requests, version 1.0: HMAC-SHA1 over the sorted parameters.

1. Sources: Tuya's "Compute Signature" (sorting and encoding [V]); its tail is cut off in the stored copy and taken from
   Alibaba's identical page [V there, I for Tuya]. The golden vector is Alibaba's DescribeRegions sample [V].
2. Names and values are encoded by RFC 3986: `A-Za-z0-9-_.~` stay, a space is `%20`, `*` is `%2A`.
3. StringToSign is `METHOD&%2F&` and the encoded query, whatever path the endpoint has; the key is the secret and `&`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote


def encode(text: str) -> str:
    """Return a name or value as it stands in a query (rule 2)."""
    return quote(text, safe="")


def canonical(parameters: Mapping[str, str]) -> str:
    """Return the query that is signed: sorted by name, encoded, joined."""
    return "&".join(f"{encode(name)}={encode(parameters[name])}" for name in sorted(parameters))


def string_to_sign(method: str, parameters: Mapping[str, str]) -> str:
    """Return what the signature is over (rule 3); a Signature among the parameters does not count."""
    plain = {name: value for name, value in parameters.items() if name != "Signature"}
    return f"{method}&{encode('/')}&{encode(canonical(plain))}"


def signature(method: str, parameters: Mapping[str, str], secret: str) -> str:
    """Return the value of the parameter Signature, not yet encoded."""
    digest = hmac.new(f"{secret}&".encode(), string_to_sign(method, parameters).encode(), hashlib.sha1)
    return base64.b64encode(digest.digest()).decode()


def flatten(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return parameters as the wire has them: `Name.1=…` for lists, `true` and `false`.

    None and empty lists are left out.
    """
    found: dict[str, str] = {}
    for name, value in parameters.items():
        if isinstance(value, list | tuple):
            found |= {f"{name}.{n}": _text(name, item) for n, item in enumerate(value, 1)}
        elif value is not None:
            found[name] = _text(name, value)
    return found


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise TypeError(f"parameter {name} is a {type(value).__name__}; the wire has texts, whole numbers and booleans")
