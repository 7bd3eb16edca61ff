"""Finds devices that already report the declared version; no unit is created for them.

1. It counts what devices report in the pass that creates or starts a unit. A group is spared only when each of its
   devices reports the version: it cannot be sent to in part.
2. If a service's own results include devices that it created nothing for, these results count; otherwise the attempt
   records the devices it skipped, and they count as updated in the verdict.
"""

from __future__ import annotations

from otactl.model import Attempt, DeviceResult, Observation, Outcome
from otactl.ports import Capabilities

DETAIL = "had it already"
NAMED = 3


def spared(seen: Observation, can: Capabilities) -> dict[str, str]:
    """Return the devices that a unit created or started now skips, each with the key of its target."""
    if can.tells_of_spared:
        return {}
    return {device: target.key for target in seen.targets if target.updated for device in target.devices}


def with_spared(results: tuple[DeviceResult, ...], attempt: Attempt) -> tuple[DeviceResult, ...]:
    """Return the results of an attempt with those of the devices it spared."""
    known = {r.device for r in results}
    names = attempt.names
    had = (had_it(d, names.get(d, d)) for d in sorted(attempt.skipped_devices) if d not in known)
    return tuple(sorted((*results, *had), key=lambda r: r.device)) if attempt.skipped_devices else results


def had_it(device: str, name: str) -> DeviceResult:
    """Return the result of a device that reported the version before anything was sent to it."""
    return DeviceResult(device=device, name=name, outcome=Outcome.SUCCEEDED, detail=DETAIL)


def sent_again(seen: Observation, version: str) -> str:
    """Return devices inside groups that report the version and get it again with the rest.

    The start names them (rule 1).
    """
    sentences = []
    for target in seen.targets:
        if target.updated_members and not target.updated:
            names = [target.names.get(d, d) for d in target.updated_members[:NAMED]]
            more = ", …" if len(target.updated_members) > NAMED else ""
            kind, _, rest = target.key.partition(":")
            sentences.append(
                f"; of {kind} {rest} {len(target.updated_members)} report {version} already ({', '.join(names)}{more}) "
                "and get it again: a group is sent to whole"
            )
    return "".join(sentences)
