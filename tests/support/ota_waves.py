"""Rollouts of things in waves, and what they sent."""

from __future__ import annotations

from otactl.model import (
    Device,
    Gate,
    Rollout,
    Strategy,
    Targets,
    Wave,
)
from otactl.reconcile.run_report import RunReport
from tests.support.fuota_stage import edited, pushed
from tests.support.ota_stage import OtaStage, gateway


def things(*names: str) -> Targets:
    """Targets that are things."""
    return Targets(things=tuple(Device(id=name) for name in names))


def waves(*named: tuple[str, Targets], **changes: object) -> Rollout:
    """Rollout with a wave for each pair of name and targets."""
    listed = tuple(Wave(name=name, targets=targets) for name, targets in named)
    return gateway(strategy=Strategy(waves=listed, gate=Gate(min_success_percent=90)), **changes)


def targets_of_creates(ota_stage: OtaStage) -> list[list[str]]:
    """Lists the targets of each update that was created."""
    creates = ota_stage.carried_out("CreateOTAUpdate")
    return [[arn.split("/")[-1] for arn in c["parameters"]["targets"]] for c in creates]


def holds(report: RunReport) -> list[str]:
    """Names why the only rollout of a run does not go on."""
    return [h.reason for h in report.rollouts[0].holds]


def newer(ota_stage: OtaStage, rollout: Rollout) -> Rollout:
    """Returns the rollout with a newer image, pushed to the bucket."""
    return edited(rollout, firmware=pushed(ota_stage, "2.5.0", b"newer" * 500))
