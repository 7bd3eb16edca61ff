"""Success by the version a device reports: what the transfer said, put right by what the device runs.

1. The reported version wins both ways: a device that runs the declared version succeeded whatever its transfer said;
   one that runs another did not.
2. Until the deadline a device that took the image may still report; after it, its silence is a failure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from controller.model import Cause, Concern, DeviceResult, Json, Outcome, Reason, Unit, UnitPhase

DEFAULT_WITHIN = "24h"
NAMES = 5  # devices named in a concern; the rest are counted


def confirmed(
    unit: Unit, results: tuple[DeviceResult, ...], reported: Mapping[str, str | None], version: str, *, final: bool
) -> Unit:
    """An ended unit under proof by version: with its results, or running on while devices may still report.

    `reported` is what each device reports (None: nothing), `final` that the time for it is over.
    """
    waiting = [r for r in results if undecided(r, reported, version)]
    told = tuple(proved(r, reported, version, final=final) for r in results)
    differ: dict[str, Json] = {r.device: reported[r.device] for r in waiting if reported.get(r.device) is not None}
    contrary = [
        r.device
        for r, new in zip(results, told, strict=True)
        if new.outcome is Outcome.SUCCEEDED and r.outcome is not Outcome.SUCCEEDED
    ]
    concerns = (*unit.concerns, *_versions(differ, contrary, version))
    if not waiting or final:
        return msgspec.structs.replace(unit, results=told, concerns=concerns)
    succeeded = sum(r.outcome is Outcome.SUCCEEDED for r in told)
    counts = {**unit.progress, "succeeded": succeeded, "waitingForVersion": len(waiting)}
    progress = {name: n for name, n in counts.items() if n}
    tally = {outcome: n for outcome in Outcome if (n := sum(r.outcome is outcome for r in told))}
    return msgspec.structs.replace(unit, phase=UnitPhase.RUNNING, progress=progress, concerns=concerns, tally=tally)


def some(names: list[str]) -> Json:
    """Devices for a concern: how many, and the first by name."""
    return {"devices": len(names), "some": [*sorted(names)[:NAMES]]}


def _versions(differ: dict[str, Json], contrary: list[str], version: str) -> list[Concern]:
    found = []
    if differ:
        told: Json = {"devices": len(differ), "reported": {name: differ[name] for name in sorted(differ)[:NAMES]}}
        found.append(Concern(field="devices.version", desired=version, observed=told, cause=Cause.VERSION))
    if contrary:
        found.append(
            Concern(field="devices.failedButUpdated", desired=None, observed=some(contrary), cause=Cause.VERSION)
        )
    return found


def undecided(result: DeviceResult, reported: Mapping[str, str | None], version: str) -> bool:
    """Whether a device may still turn out otherwise: it took the image and does not report the version yet."""
    return result.outcome is Outcome.SUCCEEDED and reported.get(result.device) != version


def proved(result: DeviceResult, reported: Mapping[str, str | None], version: str, *, final: bool) -> DeviceResult:
    """A device's result by the version it reports; `reported` has None for one that reports none."""
    runs = reported.get(result.device)
    if runs == version:
        if result.outcome is Outcome.SUCCEEDED:
            return result
        said = f"its transfer said {result.reason.value if result.reason else result.outcome.value}"
        return msgspec.structs.replace(
            result, outcome=Outcome.SUCCEEDED, reason=None, detail=f"reports {version}, although {said}"
        )
    if result.outcome is not Outcome.SUCCEEDED:
        return result
    told = f"reports {runs}" if runs else "reports no version"
    if not final:
        return msgspec.structs.replace(result, outcome=Outcome.WAITING, detail=f"{told} so far")
    return msgspec.structs.replace(
        result, outcome=Outcome.FAILED, reason=Reason.VERSION, detail=f"{told}, declared is {version}"
    )
