"""Sorts the units that services show: those to adopt, with their manifests, and those left alone, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from otactl.cli.adopted_manifests import NewManifest, manifest_of, taken_names
from otactl.model import AdoptionRequest, Doubt, Environment, ExistingUnit, Outcome, Phase, UnitPhase, tally
from otactl.planning import adoption
from otactl.reconcile.adopt import Adopter, Adoption
from otactl.report import adoption as report
from otactl.wording import count


@dataclass
class SortedUnits:
    """What is done with each unit; `restored` were adopted before, and only their manifests are missing."""

    adopted: list[tuple[NewManifest, Adoption]] = field(default_factory=list)
    restored: list[tuple[NewManifest, Adoption]] = field(default_factory=list)
    left: list[tuple[str, ExistingUnit]] = field(default_factory=list)

    @property
    def files(self) -> dict[str, bytes]:
        """Return the manifests to write, by file."""
        return {manifest.file: manifest.text for manifest, _ in (*self.adopted, *self.restored)}

    @property
    def fresh(self) -> list[Adoption]:
        """Return the adoptions to record."""
        return [adoption for _, adoption in self.adopted]

    def report(
        self, environment: str, not_read: tuple[report.ServiceNotRead, ...], *, dry_run: bool
    ) -> report.AdoptionReport:
        """Return what is shown of it."""
        fresh = [_adopted(manifest, each, restored=False) for manifest, each in self.adopted]
        again = [_adopted(manifest, each, restored=True) for manifest, each in self.restored]
        return report.AdoptionReport(
            environment=environment,
            dry_run=dry_run,
            adopted=(*fresh, *again),
            left_alone=tuple(_left(kind, unit) for kind, unit in self.left),
            not_read=not_read,
        )


def sort_out(
    adopter: Adopter,
    found: Mapping[str, tuple[ExistingUnit, ...]],
    request: AdoptionRequest,
    environment: Environment,
    folder: str,
) -> SortedUnits:
    """Decide on every unit that was found, and on those that were asked for and not found."""
    sorted_out = SortedUnits()
    taken = taken_names(folder, environment) | set(adopter.records)
    to_judge: list[tuple[NewManifest, Adoption]] = []
    for kind, units in found.items():
        for unit in adoption.doubted(units, adopter.records.values(), kind, adopter.environment):
            if request.ids and unit.vendor_id not in request.ids:
                continue
            before = adopter.unwritten.get(unit.vendor_id, "")
            doubt = _missing(unit, before, environment) if before and not request.ids else None
            made = doubt or (manifest_of(kind, unit, environment, folder, taken, before) if not unit.doubts else None)
            if made is None or isinstance(made, Doubt):
                sorted_out.left.append((kind, unit.with_doubt(made)))
                continue
            taken.add(made.rollout.name)
            candidate = (made, adopter.taken_up(unit, made.rollout))
            if not before:
                to_judge.append(candidate)
            elif adopter.records[before].generation == made.rollout.generation:
                sorted_out.restored.append((made, adopter.known_adoption(unit, made.rollout)))
            else:
                sorted_out.left.append((kind, unit.with_doubt(_changed(before))))
    for (manifest, _), judged in zip(to_judge, adopter.judged([each for _, each in to_judge]), strict=True):
        if judged.doubt is None:
            sorted_out.adopted.append((manifest, judged))
        else:
            sorted_out.left.append((judged.rollout.backend_kind, judged.unit.with_doubt(judged.doubt)))
    sorted_out.left += [("", _not_found(each)) for each in _unknown(request, found, adopter)]
    return sorted_out


def _missing(unit: ExistingUnit, rollout: str, environment: Environment) -> Doubt:
    text = f"it was adopted as rollout {rollout}, whose manifest is not there"
    fix = f"put it back from Git, or write it again: otactl adopt {environment.name} --unit {unit.vendor_id}"
    return Doubt(code="manifest_is_missing", message=text, fix=fix)


def _changed(rollout: str) -> Doubt:
    text = f"it was adopted as rollout {rollout}, whose manifest is not there, and its service shows it otherwise now"
    return Doubt(code="manifest_is_missing", message=text, fix="put the manifest back from Git")


def _unknown(
    request: AdoptionRequest, found: Mapping[str, tuple[ExistingUnit, ...]], adopter: Adopter
) -> tuple[str, ...]:
    shown = {unit.vendor_id for units in found.values() for unit in units} | adopter.known
    return tuple(each for each in request.ids if each not in shown)


def _not_found(unit_id: str) -> ExistingUnit:
    text = "no service that was read has it"
    doubt = Doubt(code="unit_is_not_found", message=text, fix="check the id, the Region, --service and --within")
    return ExistingUnit(vendor_id=unit_id, phase=UnitPhase.ABSENT, doubts=(doubt,))


def _adopted(manifest: NewManifest, each: Adoption, *, restored: bool) -> report.AdoptedUnit:
    unit, rollout = each.unit, each.rollout
    return report.AdoptedUnit(
        service=rollout.backend_kind,
        unit=unit.vendor_id,
        unit_name=unit.name,
        rollout=rollout.name,
        file=manifest.file,
        version=rollout.firmware.version,
        phase=each.record.phase.value,
        devices=len(unit.devices) or None,
        restored=restored,
        notes=(*unit.notes, *_failed(each)),
    )


def _failed(each: Adoption) -> tuple[str, ...]:
    """Return what a person should know of a unit that had ended without success on every device."""
    if each.record.phase is not Phase.FAILED:
        return ()
    results = tuple(result for attempt in each.record.attempts for result in attempt.results)
    reached = tally(results)[Outcome.SUCCEEDED]
    text = f"{reached} of {count(len(results), 'device')} succeeded, and its gate asks for all: lower "
    return (f"{text}strategy.gate.minSuccessPercent to what you accept, or every run reports it as failed",)


def _left(kind: str, unit: ExistingUnit) -> report.UnitLeftAlone:
    reasons = tuple(report.Reason(code=d.code, message=d.message, fix=d.fix) for d in unit.doubts)
    return report.UnitLeftAlone(service=kind, unit=unit.vendor_id, unit_name=unit.name, reasons=reasons)
