"""Decides device success by the reported firmware version, overriding the transfer result.

1. The reported version wins both ways: a device that runs the declared version succeeded whatever its transfer said;
   one that runs another did not.
2. Until the deadline a device that took the image may still report; after it, its silence is a failure. So may one
   whose transfer failed with a reason that is known to be false at times (`doubted`).
3. Only the exact declared text is success. Other reports are distinguished: the version it ran before or returned to,
   an older one, a newer one, one that cannot be compared, none.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import msgspec

from otactl.model import (
    Cause,
    DeviceResult,
    Json,
    Outcome,
    Reason,
    ServiceFinding,
    Unit,
    UnitPhase,
    Value,
    VersionClaims,
)
from otactl.model.firmware_version import Order, compare

DEFAULT_WITHIN = "24h"
NAMES = 5  # devices named in a concern; the rest are counted


class Standing(StrEnum):
    """What a device reports, against the version declared."""

    SAME = "same"
    ROLLED_BACK = "rolledBack"
    OLDER = "older"
    NEWER = "newer"
    UNKNOWN = "unknown"  # it cannot be compared, or is the declared one written otherwise
    NOTHING = "nothing"


class ReportedVersions(Value, frozen=True, kw_only=True):
    """What devices report, by device; None, or no entry, for one that reports nothing.

    `before` is the version a device ran before, where that is known; `ran` are devices that reported the declared
    version already; `silent` says why a device can report nothing, where that is known.
    """

    versions: dict[str, str | None]
    before: dict[str, str] = msgspec.field(default_factory=dict)
    ran: frozenset[str] = frozenset()
    silent: dict[str, str] = msgspec.field(default_factory=dict)

    def standing(self, device: str, version: str) -> Standing:
        """Return what a device reports apart (rule 3)."""
        runs = self.versions.get(device)
        if runs is None:
            return Standing.NOTHING
        if runs == version:
            return Standing.SAME
        if device in self.ran or runs == self.before.get(device):
            return Standing.ROLLED_BACK
        order = compare(runs, version)
        return _ORDERED.get(order, Standing.UNKNOWN) if order is not None else Standing.UNKNOWN

    def words(self, device: str, version: str) -> str:
        """Return what a device reports, for people."""
        runs = self.versions.get(device)
        match self.standing(device, version):
            case Standing.NOTHING:
                return self.silent.get(device, "reports no version")
            case Standing.ROLLED_BACK:
                return f"went back to {runs}" if device in self.ran else f"reports {runs}, the version before"
            case Standing.OLDER:
                return f"reports {runs}, an older version"
            case Standing.NEWER:
                return f"reports {runs}, a newer version"
            case Standing.UNKNOWN if compare(runs or "", version) is Order.SAME:
                return f"reports {runs}, the same version written otherwise"
            case Standing.UNKNOWN:
                return f"reports {runs}, which cannot be compared"
            case Standing.SAME:
                return f"reports {runs}"


_ORDERED = {Order.OLDER: Standing.OLDER, Order.NEWER: Standing.NEWER}


def confirmed(
    unit: Unit,
    results: tuple[DeviceResult, ...],
    reported: ReportedVersions,
    version: str,
    *,
    final: bool,
    doubted: frozenset[str] = frozenset(),
) -> Unit:
    """Return an ended unit under proof by version: with its results, or running on while devices may still report.

    `final` says that the time to report is over.
    """
    waiting = [r for r in results if undecided(r, reported, version, doubted)]
    checked = tuple(proved(r, reported, version, final=final) for r in results)
    contrary = [
        _name(r)
        for r, new in zip(results, checked, strict=True)
        if new.outcome is Outcome.SUCCEEDED and r.outcome is not Outcome.SUCCEEDED
    ]
    concerns = (*unit.findings, *_concerns(waiting, contrary, reported, version))
    if not waiting or final:
        return msgspec.structs.replace(unit, results=checked, findings=concerns, claims=VersionClaims())
    succeeded = sum(r.outcome is Outcome.SUCCEEDED for r in checked)
    at_it = {r.device for r in waiting}
    lost = [r for r in checked if r.outcome is Outcome.FAILED and not r.silent and r.device not in at_it]
    failed = len(lost)
    counts = {**unit.progress, "succeeded": succeeded, "waitingForVersion": len(waiting)}
    if not unit.progress:
        counts["failed"] = failed
    progress = {name: n for name, n in counts.items() if n}
    claims = VersionClaims(open=sum(r.outcome is Outcome.SUCCEEDED for r in waiting), read=True)
    tally = {Outcome.SUCCEEDED: succeeded, Outcome.FAILED: failed, Outcome.WAITING: len(checked) - succeeded - failed}
    reasons = Counter(r.reason or Reason.UNKNOWN for r in lost)
    return msgspec.structs.replace(
        unit,
        phase=UnitPhase.RUNNING,
        results=None,
        progress=progress,
        findings=concerns,
        tally={outcome: n for outcome, n in tally.items() if n},
        failures=dict(sorted(reasons.items())),
        claims=claims,
    )


def some(names: list[str]) -> Json:
    """Return devices for a finding: how many, and the first by name."""
    return {"devices": len(names), "some": [*sorted(names)[:NAMES]]}


def _concerns(
    waiting: list[DeviceResult], contrary: list[str], reported: ReportedVersions, version: str
) -> list[ServiceFinding]:
    found = []
    kinds: dict[str, Json] = {}
    for kind in (Standing.ROLLED_BACK, Standing.OLDER, Standing.NEWER, Standing.UNKNOWN):
        found_so = [r for r in waiting if reported.standing(r.device, version) is kind]
        if found_so:
            first = sorted(found_so, key=_name)[:NAMES]
            runs: dict[str, Json] = {_name(r): reported.versions[r.device] for r in first}
            kinds[kind.value] = {"devices": len(found_so), "reported": runs}
    if kinds:
        found.append(ServiceFinding(field="devices.version", desired=version, observed={**kinds}, cause=Cause.VERSION))
    if contrary:
        found.append(
            ServiceFinding(field="devices.failedButUpdated", desired=None, observed=some(contrary), cause=Cause.VERSION)
        )
    return found


def undecided(
    result: DeviceResult, reported: ReportedVersions, version: str, doubted: frozenset[str] = frozenset()
) -> bool:
    """Return whether a device's result may still change: it may have the image and has not reported the version."""
    may_have_it = result.outcome is Outcome.SUCCEEDED or result.device in doubted
    return may_have_it and reported.versions.get(result.device) != version


def proved(result: DeviceResult, reported: ReportedVersions, version: str, *, final: bool) -> DeviceResult:
    """Return a device's result by the version it reports."""
    device = result.device
    if reported.versions.get(device) == version:
        if result.outcome is Outcome.SUCCEEDED:
            return result
        said = f"its transfer said {_words(result)}"
        return msgspec.structs.replace(
            result, outcome=Outcome.SUCCEEDED, reason=None, detail=f"reports {version}, although {said}"
        )
    text = reported.words(device, version)
    if result.outcome is not Outcome.SUCCEEDED:
        if device not in reported.versions:
            return result  # no version was read
        return msgspec.structs.replace(result, detail="; ".join(t for t in (result.detail, text) if t))
    if not final:
        return msgspec.structs.replace(result, outcome=Outcome.WAITING, detail=f"so far {text}")
    return msgspec.structs.replace(
        result, outcome=Outcome.FAILED, reason=Reason.VERSION, detail=f"{text}; declared is {version}"
    )


def _words(result: DeviceResult) -> str:
    return result.reason.value if result.reason else result.outcome.value


def _name(result: DeviceResult) -> str:
    """Return what people call a device."""
    return result.name or result.device
