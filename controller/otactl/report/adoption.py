"""Renders what `otactl adopt` took over, and what it left alone, each with the reason."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from otactl.model import Phase, Value
from otactl.report.journals_used import UsedJournal, footer, with_journals
from otactl.report.sanitize import as_json as json_text
from otactl.report.sanitize import plain
from otactl.wording import count


class AdoptedUnit(Value, frozen=True, kw_only=True):
    """A unit that has a manifest and a record now."""

    service: Annotated[str, Meta(description="Kind of the backend.", examples=["fuota"])]
    unit: Annotated[
        str, Meta(description="The service's id of the unit.", examples=["1b9c3c1e-0a0f-4d0e-9d57-0d2f1f1f7c11"])
    ]
    unit_name: Annotated[str, Meta(description="What the unit is called at its service.", examples=["probe-spring"])]
    rollout: Annotated[str, Meta(description="Name of the rollout that declares it.", examples=["probe-spring"])]
    file: Annotated[str, Meta(description="The manifest.", examples=["rollouts/probe-spring.yaml"])]
    version: Annotated[str, Meta(description="The firmware version it sends.", examples=["2.4.1"])]
    phase: Annotated[
        str,
        Meta(
            description="Phase of the rollout.",
            examples=["Succeeded"],
            extra_json_schema={"enum": [phase.value for phase in Phase]},
        ),
    ]
    devices: Annotated[
        int | None, Meta(description="Devices it was sent to; null where the service does not name them.", examples=[3])
    ]
    restored: Annotated[
        bool, Meta(description="Whether it was adopted before, and only its manifest was missing.", examples=[False])
    ]
    notes: Annotated[
        tuple[str, ...],
        Meta(description="What was assumed, or is to be looked at.", examples=[["the data rate is assumed"]]),
    ]


class Reason(Value, frozen=True, kw_only=True):
    """Why a unit was left alone."""

    code: Annotated[str, Meta(description="A code that `otactl explain` knows.", examples=["units_overlap"])]
    message: Annotated[str, Meta(description="What is in doubt.", examples=["two units are at the same devices"])]
    fix: Annotated[str, Meta(description="What a person can do.", examples=["cancel one of them"])]


class UnitLeftAlone(Value, frozen=True, kw_only=True):
    """A unit that was not adopted."""

    service: Annotated[str, Meta(description="Kind of the backend; empty where no service has it.", examples=["tuya"])]
    unit: Annotated[str, Meta(description="The service's id of the unit.", examples=["10032"])]
    unit_name: Annotated[str, Meta(description="What the unit is called at its service.", examples=["plug-2.4.1"])]
    reasons: Annotated[tuple[Reason, ...], Meta(description="Everything that is in doubt.")]


class ServiceNotRead(Value, frozen=True, kw_only=True):
    """A service of which nothing, or not all, was read."""

    service: Annotated[str, Meta(description="Kind of the backend.", examples=["tuya"])]
    reason: Annotated[
        str, Meta(description="PascalCase reason; empty where it was not asked.", examples=["NoCredentials"])
    ]
    message: Annotated[str, Meta(description="Why, and what to do.", examples=["name products with --within"])]


class AdoptionReport(Value, frozen=True, kw_only=True):
    """All that one adoption did."""

    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    dry_run: Annotated[bool, Meta(description="Whether nothing was written.", examples=[False])]
    adopted: Annotated[tuple[AdoptedUnit, ...], Meta(description="Units that are rollouts now, the oldest first.")]
    left_alone: Annotated[tuple[UnitLeftAlone, ...], Meta(description="Units that were not adopted.")]
    not_read: Annotated[tuple[ServiceNotRead, ...], Meta(description="Services of which not all was read.")]


def as_json(report: AdoptionReport, used: tuple[UsedJournal, ...]) -> str:
    """Render one JSON document."""
    return json_text(with_journals(report, used))


def as_text(report: AdoptionReport, used: tuple[UsedJournal, ...], following: str) -> str:
    """Render the report for people; `following` is the command that comes next."""
    did = "would adopt" if report.dry_run else "adopted"
    lines = [f"{did} {count(len(report.adopted), 'unit')} of environment {report.environment}"]
    for each in report.adopted:
        devices = f", {count(each.devices, 'device')}" if each.devices is not None else ""
        again = ", its manifest was missing" if each.restored else ""
        lines.append(
            f"  {each.file}: {each.service} {_named(each)}, version {each.version}{devices}: {each.phase}{again}"
        )
        lines += [f"    {note}" for note in each.notes]
    if report.left_alone:
        lines.append(f"left alone: {count(len(report.left_alone), 'unit')}")
    for left in report.left_alone:
        lines.append(f"  {' '.join(part for part in (left.service, _named(left)) if part)}")
        for reason in left.reasons:
            lines += [f"    {reason.code}: {reason.message}", f"      to do: {reason.fix}"]
    lines += [f"not all of {each.service} was read: {_why(each)}" for each in report.not_read]
    if report.adopted:
        lines.append(f"next: {following}")
    return "\n".join(plain(line) for line in lines) + "".join(f"\n{line}" for line in footer(used, "text"))


def _named(unit: AdoptedUnit | UnitLeftAlone) -> str:
    return unit.unit + (f" ({unit.unit_name})" if unit.unit_name not in ("", unit.unit) else "")


def _why(service: ServiceNotRead) -> str:
    return f"{service.reason}: {service.message}" if service.reason else service.message
