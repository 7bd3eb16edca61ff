"""Builds the document that fills the simulator with the fleet that manifests declare (POST /_simulator/fleet)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from otactl.errors import UsageError
from otactl.model import JsonObject, Rollout
from otactl.rehearsal.fleets import FLEETS
from otactl.rehearsal.fleets.base import DEFAULT, Assumed, FleetParts, targets_of

PORTION = 20_000
"""Entries of one document: what 100,000 devices take as text is not held at once."""
_LONG = ("devices", "things")


def check(assumed: Assumed, rollouts: Iterable[Rollout]) -> None:
    """Check that the assumptions concern these rollouts.

    Raises UsageError for a label that no device has, and for a reason that no device can fail with.
    """
    declared = list(rollouts)
    _check_labels(assumed, declared)
    possible = {
        reason
        for rollout in declared
        for reason in FLEETS[rollout.backend_kind].failures
        if FLEETS[rollout.backend_kind].can_report(rollout, reason)
    }
    strange = sorted({reason for reason, _ in assumed.fail if reason != DEFAULT and reason not in possible})
    if strange:
        text = f"--fail {', '.join(strange)}: no service of these rollouts reports it"
        raise UsageError(f"{text}; choose one of: {', '.join(sorted(possible))}; for lost fragments raise --loss")


def _check_labels(assumed: Assumed, rollouts: Iterable[Rollout]) -> None:
    devices = (d for rollout in rollouts for targets in targets_of(rollout) for d in targets.wireless_devices)
    known = {f"{label}={value}" for device in devices for label, value in device.labels.items()}
    strange = sorted({f"{label}={value}" for label, value, _ in assumed.loss_by_label} - known)
    if strange:
        there = f"there are: {', '.join(sorted(known)[:10])}" if known else "none of them has a label in a CSV file"
        raise UsageError(f"--loss: no LoRaWAN device of these rollouts has the label {', '.join(strange)}; {there}")


def fleet_of(rollouts: Iterable[Rollout], assumed: Assumed, seed: int, account: str, region: str) -> JsonObject:
    """Build the fleet of rollouts that go to one account and Region."""
    parts = FleetParts()
    for rollout in rollouts:
        FLEETS[rollout.backend_kind].add(parts, rollout, assumed, seed)
    indexed: JsonObject = {"thingIndexingMode": "REGISTRY_AND_SHADOW"}
    return {
        "account": account,
        "region": region,
        "indexing": {"thingIndexingConfiguration": indexed},  # a version check may search it
        **parts.document(),
    }


def portions(fleet: JsonObject, size: int = PORTION) -> Iterator[JsonObject]:
    """Split a fleet into documents to load one after another: the long lists in slices, the rest last."""
    place = {name: fleet[name] for name in ("account", "region")}
    for name in _LONG:
        listed = fleet[name]
        each = iter(listed if isinstance(listed, list) else ())
        while part := list(itertools.islice(each, size)):
            yield {**place, name: part}
    yield {name: value for name, value in fleet.items() if name not in _LONG}
