"""Reads AWS partitions and Regions from the SDK's own data. Pure."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# The names of services in the SDK's endpoint data; under iotwireless alone it has fewer Regions than the service.
IOT_CORE, IOT_WIRELESS_API = "iot", "api.iotwireless"


@cache
def regions_of(service: str) -> frozenset[str]:
    """Return the Regions a service is in, in every partition."""
    found: set[str] = set()
    for partition in _load("endpoints")["partitions"]:
        named = partition["services"].get(service, {}).get("endpoints", {})
        found |= set(named) & set(partition["regions"])
    return frozenset(found)


def partition_of(region: str) -> str:
    """Return the partition of a Region (`aws`, `aws-cn`, …); empty for a name that none has."""
    found = _partition(region)
    return str(found["id"]) if found else ""


def domain_of(region: str) -> str:
    """Return the DNS suffix of a Region's services, which keys of KMS name in kms:ViaService."""
    found = _partition(region)
    return str(found["outputs"]["dnsSuffix"]) if found else "amazonaws.com"


def _partition(region: str) -> dict[str, Any]:
    for partition in _load("partitions")["partitions"]:
        if region in partition["regions"] or re.fullmatch(partition["regionRegex"], region):
            return dict(partition)
    return {}


@cache
def _load(name: str) -> Any:
    from botocore.loaders import Loader

    return Loader().load_data(name)
