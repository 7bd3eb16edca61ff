"""Reads the access key of Tuya's gateway from where the environment says, and only there; never shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from otactl.backends.tuya.config import TuyaAccess
from otactl.errors import StalledError

ReadSecret = Callable[[str], str]
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,512}")


@dataclass(frozen=True)
class Key:
    """An access key; neither half is in its repr."""

    id: str = field(repr=False)
    secret: str = field(repr=False)


def read_key(access: TuyaAccess, environ: Mapping[str, str], read_secret: ReadSecret | None) -> Key:
    """Return the key of an environment; StalledError names what is missing, never a value."""
    if access.secret_arn is not None:
        return _from_secret(access.secret_arn, read_secret)
    return Key(_variable(access.access_key_id_env, environ), _variable(access.access_key_secret_env, environ))


def _variable(name: str | None, environ: Mapping[str, str]) -> str:
    value = environ.get(name or "", "").strip()
    if not value:
        raise StalledError("NoCredentials", f"the environment variable {name or '(none named)'} for Tuya is not set")
    if _PRINTABLE.fullmatch(value) is None:
        raise StalledError(
            "NoCredentials", f"the environment variable {name} for Tuya has spaces in it: that is no key"
        )
    return value


def _from_secret(arn: str, read_secret: ReadSecret | None) -> Key:
    if read_secret is None:
        raise StalledError("NoCredentials", f"nothing here reads the secret {arn}; name environment variables instead")
    key = _parsed(read_secret(arn))
    if key is None:
        text = f'the secret {arn} is not the JSON {{"accessKeyId": "…", "accessKeySecret": "…"}}'
        raise StalledError("NoCredentials", text)
    return key


def _parsed(text: str) -> Key | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    halves = [document.get(name) for name in ("accessKeyId", "accessKeySecret")]
    if not all(isinstance(half, str) and _PRINTABLE.fullmatch(half.strip()) for half in halves):
        return None
    return Key(str(halves[0]).strip(), str(halves[1]).strip())
