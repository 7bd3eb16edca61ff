"""Secrets that are planted where otactl gets its own from, and the search for them in all that it leaves behind."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

MARK = "Pl4nted"
SECRETS = {
    "AWS secret access key": f"{MARK}/aws+secret",
    "AWS session token": f"{MARK}/session+token==",
    "Tuya access id": f"{MARK}TuyaId",
    "Tuya secret": f"{MARK}TuyaSecret",
    "webhook secret": f"{MARK}-webhook-secret-of-32-bytes",
    "password of Apprise": f"{MARK}-apprise",
    "password of the Pushgateway": f"{MARK}-gateway",
    "password of a database": f"{MARK}-database",
    "passphrase of a key": f"{MARK}-passphrase",
    "presigned URL": f"{MARK}presigned0123456789abcdef",
}
PRESIGNED = f"https://acme.s3.amazonaws.com/probe.bin?X-Amz-Signature={SECRETS['presigned URL']}"


class Left(NamedTuple):
    """Something that otactl left behind: an output, a log, a file, the body of a request to a third party."""

    where: str
    text: str


def forms(secret: str) -> set[str]:
    """Return how a secret may be written: as it is, in a URL, in base64, between quotes of JSON."""
    plain = secret.encode()
    joined = {base64.b64encode(each).decode().rstrip("=") for each in (plain, b"user:" + plain)}
    return {secret, quote(secret, safe=""), secret.replace("/", "\\/"), *joined}


def found(left: Iterable[Left], secrets: Mapping[str, str] = SECRETS) -> list[str]:
    """Return where a secret is, one line for each."""
    return [
        f"{name} in {each.where}"
        for each in left
        for name, secret in secrets.items()
        if any(form in each.text for form in forms(secret))
    ]


def files(folder: Path) -> list[Left]:
    """Return each file below a folder, as text."""
    every = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [Left(str(path.relative_to(folder)), path.read_bytes().decode("latin-1")) for path in every]
