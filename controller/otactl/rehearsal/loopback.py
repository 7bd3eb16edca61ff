"""Isolates the process from every cloud but the simulator, and restores the environment variables after."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def only_loopback(url: str) -> None:
    """Leave the process with nothing but the simulator to talk to."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "BOTO", "OTACTL_", "TUYA_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ |= {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def tell_simulator(url: str, name: str, document: Mapping[str, object]) -> None:
    """Send the simulator at a loopback address a fleet, a time or settings; HTTPError when it refuses them."""
    body = json.dumps(document).encode()
    request = urllib.request.Request(f"{url}/_simulator/{name}", data=body, method="POST")  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the simulator's own loopback address
        answer.read()


@contextmanager
def kept_environment() -> Iterator[None]:
    """Restore the environment variables, however the block ends."""
    kept = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
