"""Reads back the data rate of a FUOTA session: the service chooses it by no published rule.

1. It is read while the unit runs, once a group: a session keeps its rate, so what was read is remembered. Before the
   start a group may show another session, or none; with the session's end the entry closes.
2. Another rate than the plan assumed is no fault of the task and cannot be set back: it is reported with the time the
   session takes at that rate, at the pace the duty cycle allows.
3. A session that may not be read stalls nothing that is on air; it is reported, with the permission.
"""

from __future__ import annotations

import msgspec

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.fuota.reads import SERVICE
from otactl.errors import StalledError
from otactl.lorawan.errors import LorawanError
from otactl.model import Attempt, Cause, Json, JsonObject, Rollout, ServiceFinding, Unit, UnitPhase

FIELD = "session.dataRate"
_GROUP = "group:"


class SessionReader:
    """Reads sessions back."""

    def __init__(self, transport: AwsClient) -> None:
        self._transport = transport

    def reported(self, unit: Unit, attempt: Attempt, rollout: Rollout) -> Unit:
        """Return the unit with the rates its groups run at, and what differs from the plan."""
        spec = FuotaConfig.of(rollout)
        if spec.data_rate is None or unit.phase is not UnitPhase.RUNNING:
            return unit
        if attempt.generation != rollout.generation:
            return unit  # what was planned for it is not declared any more
        rates, refused = dict(attempt.data_rates), ""
        for key in (m for m in unit.members if m.startswith(_GROUP) and m not in rates):
            try:
                rate = session_rate(self._transport, key.removeprefix(_GROUP))
            except StalledError as error:
                refused = str(error)
                break
            if rate is not None:
                rates[key] = rate
        found = differing(rollout, spec.data_rate, _redundancy(unit), rates)
        if refused:
            found = (_concern({"dataRate": spec.data_rate}, f"not readable: {refused}"),)
        return msgspec.structs.replace(unit, data_rates=rates, findings=(*unit.findings, *found))


def session_rate(client: AwsClient, group: str) -> int | None:
    """Return a group's data rate; None while it shows no session."""
    try:
        answer = client.call(SERVICE, "GetMulticastGroupSession", {"Id": group}, repeatable=True)
    except NotFoundError:
        return None
    session = answer.get("LoRaWAN")
    rate = session.get("DlDr") if isinstance(session, dict) else None
    return rate if isinstance(rate, int) else None


def differing(
    rollout: Rollout, planned: int, redundancy: int | None, rates: dict[str, int]
) -> tuple[ServiceFinding, ...]:
    """Return one entry for all groups that run at another rate than planned.

    The slowest of them, and how long it takes.
    """
    others = {key: rate for key, rate in rates.items() if rate != planned}
    if not others:
        return ()
    figures = [_figures(rollout, redundancy, rate) for rate in sorted(set(others.values()))]
    longest = max(figures, key=_seconds)
    groups: JsonObject = {key.removeprefix(_GROUP): rate for key, rate in sorted(others.items())}
    return (_concern(_figures(rollout, redundancy, planned), {**longest, "groups": groups}),)


def _figures(rollout: Rollout, redundancy: int | None, rate: int) -> JsonObject:
    """Return a rate with what it makes of the session; alone where the region has no such rate."""
    try:
        plan = FuotaConfig.of(rollout).session(rollout.firmware.size_bytes, redundancy, rate)
    except LorawanError:
        plan = None
    if plan is None:
        return {"dataRate": rate}
    return {"dataRate": rate, "sessionSeconds": round(plan.session_seconds_rounded_up)}


def _seconds(figures: JsonObject) -> float:
    value = figures.get("sessionSeconds")
    return value if isinstance(value, int) else 0


def _redundancy(unit: Unit) -> int | None:
    """Return what the task was made with: a retry may have more than is declared."""
    value = unit.fields.get("redundancyPercent")
    return value if isinstance(value, int) else None


def _concern(desired: Json, observed: Json) -> ServiceFinding:
    return ServiceFinding(field=FIELD, desired=desired, observed=observed, cause=Cause.VENDOR)
