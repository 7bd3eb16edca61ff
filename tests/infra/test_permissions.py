"""Every policy says exactly what is needed: the matrix of verdicts, the calls of the code, no wildcard in an action."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra import iam_documents, ota_permissions, permissions
from infra.iam_documents import Names
from otactl.backends.aws.operations import PASSED, PUSHES, READS, WRITES
from otactl_simulator.iam.policy import Decision
from tests.support.permissions import service_reference
from tests.support.permissions.fuota_matrix import NAMES, STABLE, Row, page, rows
from tests.support.pulumi.engine import ROOT
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import GATEWAYS, PLUGS, PROVING, SECRET, SECRET_KEY, SMALL, WHOLE

# STS asks for nothing; without ListBucket S3 tells no missing object from a forbidden one; HeadObject of a version, as
# OTA updates pin one, needs an action of its own.
FREE, BESIDES, VERSIONS = {"sts:GetCallerIdentity"}, {"s3:ListBucket"}, {"s3:GetObjectVersion"}
OTA_SERVICES = ("iot", "iot-data", "signer")
TUYA_SERVICES = ("secretsmanager",)


def actions(policy: Mapping[str, Any]) -> set[str]:
    return {a for s in policy["Statement"] for a in (s["Action"] if isinstance(s["Action"], list) else [s["Action"]])}


def needed(listed: Mapping[tuple[str, str], str], *, ota: bool, secret: bool = False) -> set[str]:
    """What the calls of a list need of IAM, with or without OTA updates and a secret of Tuya's."""
    without = {*(() if secret else TUYA_SERVICES), *(() if ota else OTA_SERVICES)}
    calls = {p for call, p in listed.items() if call not in PUSHES and call[0] not in without}
    return (calls | BESIDES | (VERSIONS if ota else set())) - FREE


@pytest.mark.parametrize("row", rows(), ids=lambda r: f"{r.part}: {r.who} {r.does}")
def test_the_evaluator_says_what_is_meant(row: Row) -> None:
    assert (row.verdict is Decision.ALLOWED) is row.allowed


def test_the_page_of_permissions_is_what_the_evaluator_says() -> None:
    assert (ROOT / "docs/permissions.md").read_text() == page(), "run `make docs`"


STACKS = pytest.mark.parametrize(("stack", "ota"), [(SMALL, False), (GATEWAYS, True)], ids=["without OTA", "with OTA"])


@STACKS
def test_the_controller_may_do_exactly_the_calls_the_code_makes(stack: dict[str, Any], ota: bool) -> None:
    wanted = needed(READS | WRITES, ota=ota) | set(PASSED.values())

    assert actions(permissions.controller(Names(read(stack)))) == wanted


@STACKS
def test_the_planner_may_do_exactly_the_reads(stack: dict[str, Any], ota: bool) -> None:
    assert actions(permissions.planner(Names(read(stack)))) == needed(READS, ota=ota)


@pytest.mark.parametrize("policy", [permissions.controller, permissions.planner])
def test_without_ota_updates_nothing_of_aws_iot_or_signer_is_granted(policy: Any) -> None:
    said = json.dumps(policy(Names(read(SMALL))))

    assert not [
        word for word in ('"iot:', '"signer:', "arn:aws:iot:", "arn:aws:signer:", "_ota-service") if word in said
    ]


@pytest.mark.parametrize("policy", [permissions.controller, permissions.planner])
def test_proof_by_version_adds_the_reads_of_versions_and_nothing_that_ota_updates_have_not(policy: Any) -> None:
    without, proving = (actions(policy(Names(read(stack)))) for stack in (SMALL, PROVING))
    both = {**GATEWAYS["otactl:options"], "proveVersions": True}

    assert proving - without == {"iot:DescribeThing", "iot:GetThingShadow", "iot:SearchIndex"}
    assert policy(Names(read({**GATEWAYS, "otactl:options": both}))) == policy(Names(read(GATEWAYS)))


@pytest.mark.parametrize("policy", [permissions.controller, permissions.planner])
def test_ota_updates_add_statements_and_change_none(policy: Any) -> None:
    without, with_them = (policy(Names(read(stack)))["Statement"] for stack in (SMALL, GATEWAYS))

    assert [s for s in with_them if s in without] == list(without)


def test_a_secret_of_tuyas_adds_its_read_for_the_controller_and_nothing_for_the_planner() -> None:
    plain = {**PLUGS, "otactl:options": {"tuyaSecret": {"arn": SECRET}}}
    wanted = needed(READS | WRITES, ota=False, secret=True) | set(PASSED.values())

    assert actions(permissions.controller(Names(read(plain)))) == wanted
    assert actions(permissions.controller(Names(read(PLUGS)))) == wanted | {"kms:Decrypt"}
    assert permissions.planner(Names(read(PLUGS))) == permissions.planner(Names(read(SMALL)))


def test_the_statements_of_a_secret_name_it_and_its_key_and_no_other() -> None:
    granted = permissions.controller(Names(read(PLUGS)))["Statement"][
        len(permissions.controller(Names(read(SMALL)))["Statement"]) :
    ]

    assert [(s["Sid"], s["Action"], s["Resource"]) for s in granted] == [
        ("ReadTuyaSecret", ["secretsmanager:GetSecretValue"], [SECRET]),
        ("DecryptTuyaSecret", ["kms:Decrypt"], [SECRET_KEY]),
    ]


def test_the_journal_adds_its_object_calls_and_no_deletion() -> None:
    options = {k: v for k, v in WHOLE["otactl:options"].items() if k not in ("journalBucket", "schedule")}
    without = Names(read({**WHOLE, "otactl:options": options}))
    added = actions(permissions.controller(NAMES)) - actions(permissions.controller(without))

    assert added == {"s3:PutObject"}
    assert "s3:PutObject" not in actions(permissions.planner(NAMES))


def test_an_update_role_reads_its_channels_images_and_nothing_else() -> None:
    (statement,) = iam_documents.firmware_read(NAMES, STABLE)["Statement"]

    assert statement["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]
    assert statement["Resource"] == [f"arn:aws:s3:::{STABLE.bucket}/*"]


MANAGED_POLICY = {
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:GetBucketLocation",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "signer:DescribeSigningJob",
    "signer:GetSigningProfile",
    "signer:StartSigningJob",
    "iot:CreateJob",
    "iot:DeleteJob",
    "iot:DescribeJob",
    "iot:CreateStream",
    "iot:DeleteStream",
}
PROFILES = {"signer:PutSigningProfile"}


def test_the_service_role_of_ota_updates_may_do_what_its_managed_policy_may_and_pass_itself() -> None:
    plain = Names(read({**SMALL, "otactl:options": {"iotOta": True}}))

    assert actions(ota_permissions.service(plain)) == MANAGED_POLICY | {"iam:GetRole", "iam:PassRole"}
    assert actions(ota_permissions.service(NAMES)) - actions(ota_permissions.service(plain)) == PROFILES


POLICIES = {
    "controller": permissions.controller(NAMES),
    "planner": permissions.planner(NAMES),
    "proving": permissions.controller(Names(read(PROVING))),
    "ota-service": ota_permissions.service(NAMES),
    "firmware-update": iam_documents.firmware_read(NAMES, STABLE),
}


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_no_action_has_a_wildcard_and_a_bare_one_stands_only_where_no_resource_exists(name: str) -> None:
    for statement in POLICIES[name]["Statement"]:
        assert not [a for a in statement["Action"] if "*" in a]
        if statement["Resource"] == ["*"]:
            assert statement["Sid"] in ("ReadAccount", "ReadIotAccount", "MakeOurTasks", "MakeSigningProfiles")
        else:
            assert "*" not in statement["Resource"]


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_no_statement_says_what_another_says_already(name: str) -> None:
    said = [
        (a, r, str(s.get("Condition"))) for s in POLICIES[name]["Statement"] for a in s["Action"] for r in s["Resource"]
    ]

    assert len(said) == len(set(said))


@pytest.mark.parametrize("name", ["controller", "planner", "proving", "ota-service"])
def test_resources_and_conditions_of_aws_iot_and_signer_are_of_the_kinds_their_actions_take(name: str) -> None:
    for statement in POLICIES[name]["Statement"]:
        for action in [a for a in statement["Action"] if a.startswith(("iot:", "signer:"))]:
            known = service_reference.ACTIONS[action]
            kinds = {service_reference.kind(arn) for arn in statement["Resource"]}
            assert kinds <= set(known.resources) if known.resources else kinds == {"*"}, action
            for key in [k for block in statement.get("Condition", {}).values() for k in block]:
                assert key.startswith(("aws:ResourceTag/", "aws:RequestTag/")), key
                tagged = kinds <= service_reference.TAGGED
                assert known.request_tags if key.startswith("aws:RequestTag/") else tagged, (action, key)


def test_a_job_is_made_for_its_targets_so_the_service_role_may_on_each_of_them() -> None:
    given = [s for s in POLICIES["ota-service"]["Statement"] if "iot:CreateJob" in s["Action"]]

    kinds = {service_reference.kind(arn) for s in given for arn in s["Resource"]}
    assert kinds == set(service_reference.ACTIONS["iot:CreateJob"].resources)
