"""Proof by version with the program's role and every caller judged: enough, and nothing superfluous."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from infra import permissions
from infra.iam_documents import Names
from otactl.model import Gate, Phase, Rollout, Strategy, VersionConfirm, VersionProof
from tests.support.fuota_stage import DIGEST, INDEXED, declared
from tests.support.pulumi.provisioned_stack import ProvisionedFuotaStage, less, named, refused, run_and_report
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import PROVING

NAMES = Names(read(PROVING))
PROOFS = {
    "iot:GetThingShadow": VersionProof(shadow="reported.firmware.version"),
    "iot:DescribeThing": VersionProof(attribute="firmwareVersion"),
    "iot:SearchIndex": VersionProof(index_query="shadow.reported.firmware.version:2.4.1"),
}


def proved(at: ProvisionedFuotaStage, action: str) -> Rollout:
    """A canary of devices with things, proved by what an action reads."""
    devices = [{"devEui": e, "rfRegion": "EU868", "thing": f"probe-{n}"} for n, e in enumerate(at.euis)]
    things = [{"name": f"probe-{n}", "firmwareVersion": "2.4.0"} for n in range(len(at.euis))]
    at.fleet(devices=devices, things=things, images={DIGEST: "2.4.1"}, indexing=INDEXED)
    confirm = VersionConfirm(version=PROOFS[action], within="6h")
    waves = declared().strategy.waves[:1]
    return at.rollout(
        replace(declared(), strategy=Strategy(waves=waves, gate=Gate(min_success_percent=90), confirm=confirm))
    )


def lines(at: ProvisionedFuotaStage, rollout: Rollout) -> list[str]:
    """What four runs of cron report."""
    found = []
    for _ in range(4):
        found += run_and_report(at, rollout)
        at.advance(3600)
    return found


@pytest.mark.parametrize("action", sorted(PROOFS))
def test_with_its_role_the_controller_proves_versions(provisioned_proving: ProvisionedFuotaStage, action: str) -> None:
    rollout = proved(provisioned_proving, action)
    provisioned_proving.act_as("controllerRoleArn")

    said = lines(provisioned_proving, rollout)

    assert not [line for line in said if "grant " in line]
    assert refused(provisioned_proving) == []
    assert provisioned_proving.record().phase is Phase.SUCCEEDED


@pytest.mark.parametrize("action", sorted(PROOFS))
def test_without_the_action_no_verdict_is_given_and_it_is_named(
    provisioned_proving: ProvisionedFuotaStage, action: str
) -> None:
    rollout = proved(provisioned_proving, action)
    policy = less(permissions.controller(NAMES), action)
    provisioned_proving.iam.put_role_policy(
        RoleName=NAMES.controller_role, PolicyName="reconcile", PolicyDocument=json.dumps(policy)
    )
    provisioned_proving.act_as("controllerRoleArn")

    said = lines(provisioned_proving, rollout)

    assert named(said, action), said[:6]
    assert [w.verdict for w in provisioned_proving.record().waves if w.verdict is not None] == []
