"""Reads AWS partitions and Regions from the SDK's own data.

1. A Region that the data does not list belongs to the partition whose pattern it has: the SDK may be older than it.
2. Where a service is, is known only as far as the data says; no Region is refused for it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

import msgspec

_ENDPOINTS = {"iotwireless": "api.iotwireless"}  # under its other name the data has fewer Regions


@cache
def partition_of(region: str) -> str:
    """Return the partition of a Region (`aws`, `aws-cn`, …); empty for a name that no partition has."""
    for partition in _partitions():
        if region in partition["regions"] or re.fullmatch(_pattern(partition), region):
            return str(partition["id"])
    return ""


@cache
def suffixes() -> tuple[str, ...]:
    """Return the DNS suffixes under which AWS has its own endpoints, in every partition."""
    found = (p["outputs"][name] for p in _partitions() for name in ("dnsSuffix", "dualStackDnsSuffix"))
    return tuple(dict.fromkeys(str(each) for each in found))


@cache
def regions_of(service: str) -> tuple[str, ...]:
    """Return the Regions of a service in every partition, as far as the SDK knows."""
    name = _ENDPOINTS.get(service, service)
    found: set[str] = set()
    for partition in _load("endpoints")["partitions"]:
        endpoints = partition["services"].get(name, {}).get("endpoints", {})
        found |= set(endpoints) & set(partition["regions"])
    return tuple(sorted(found))


@cache
def known_regions() -> frozenset[str]:
    """Return every Region the SDK knows."""
    return frozenset(region for partition in _partitions() for region in partition["regions"])


def _pattern(partition: dict[str, Any]) -> str:
    return str(partition["regionRegex"])


def _partitions() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _load("partitions")["partitions"]
    return found


@cache
def _load(name: str) -> Any:
    """Read a data file of the SDK; its own loader would import the HTTP client with it."""
    return msgspec.json.decode((resources.files("botocore") / "data" / f"{name}.json").read_bytes())
