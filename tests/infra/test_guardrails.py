"""What must never be ends the program, whoever declares it: in the ready program and beside an imported component."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from infra import guardrails
from tests.support.paths import ROOT
from tests.support.pulumi.engine import run
from tests.support.pulumi.stacks import ACCOUNT, SMALL

ROOT_OF_ACCOUNT = f"arn:aws:iam::{ACCOUNT}:root"
GITHUB = "token.actions.githubusercontent.com"


def one(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def federated(**subjects: str) -> str:
    said = {f"{GITHUB}:sub": value for value in subjects.values()}
    return one(
        Principal={"Federated": "arn:aws:iam::1:oidc-provider/x"},
        Action="sts:AssumeRoleWithWebIdentity",
        Condition={"StringLike": {f"{GITHUB}:aud": "sts.amazonaws.com", **said}},
    )


NEVER = [
    (guardrails.public_acl, "public-read", "has the ACL public-read"),
    (guardrails.not_blocked, None, "leaves a switch"),
    (guardrails.not_blocked, False, "leaves a switch"),
    (guardrails.no_versions, {"status": "Suspended"}, "versioning Suspended"),
    (guardrails.no_versions, None, "versioning None"),
    (guardrails.not_encrypted, [], "encrypts with nothing"),
    (
        guardrails.not_encrypted,
        [{"apply_server_side_encryption_by_default": {"sse_algorithm": "none"}}],
        "encrypts with ['none']",
    ),
    (guardrails.public_policy, one(Principal="*", Action="s3:GetObject", Resource="*"), "allows everyone"),
    (
        guardrails.public_policy,
        one(Principal={"AWS": ["*"]}, Action="s3:*", Condition={"Bool": {"aws:SecureTransport": "true"}}),
        "allows everyone",
    ),
    (
        guardrails.public_policy,
        one(Principal="*", Action="s3:*", Condition={"ArnLike": {"aws:PrincipalArn": "*"}}),
        "allows everyone",
    ),
    (guardrails.wildcard_trust, one(Principal={"AWS": "*"}, Action="sts:AssumeRole"), "trusts everyone"),
    (
        guardrails.wildcard_trust,
        one(Principal="*", Action="sts:AssumeRole", Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
        "trusts everyone",
    ),
    (guardrails.wildcard_trust, federated(), "every workflow"),
    (guardrails.wildcard_trust, federated(sub="repo:acme/*:pull_request"), "every workflow"),
    (guardrails.wildcard_trust, federated(sub="repo:acme/firmware:*"), "every workflow"),
    (guardrails.wildcard_action, one(Action="*", Resource="*"), "allows ['*'] on everything"),
    (guardrails.wildcard_action, one(Action=["iam:Get*"], Resource=["*"]), "allows ['iam:Get*'] on everything"),
    (guardrails.wildcard_action, one(NotAction="iam:*", Resource="x"), "every other action"),
    (guardrails.public_database, True, "has a public address"),
    (guardrails.public_database, None, "has a public address"),
    (guardrails.plain_storage, None, "stores in the clear"),
    (guardrails.from_everywhere, "0.0.0.0/0", "lets in 0.0.0.0/0"),
    (guardrails.from_everywhere, "::/0", "lets in ::/0"),
    (guardrails.public_task, {"assign_public_ip": True}, "public addresses"),
]


@pytest.mark.parametrize(("check", "value", "reason"), NEVER)
def test_what_must_never_be_is_named(check: guardrails.Check, value: object, reason: str) -> None:
    assert reason in check(value)


FINE = [
    (guardrails.public_acl, "private"),
    (guardrails.not_blocked, True),
    (guardrails.no_versions, {"status": "Enabled"}),
    (guardrails.not_encrypted, [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}]),
    (
        guardrails.public_policy,
        one(Principal="*", Action="kms:Decrypt", Condition={"ArnEquals": {"aws:PrincipalArn": [ROOT_OF_ACCOUNT]}}),
    ),
    (guardrails.public_policy, one(Principal={"AWS": ROOT_OF_ACCOUNT}, Action="kms:*", Resource="*")),
    (guardrails.public_policy, json.dumps({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}})),
    (guardrails.wildcard_trust, one(Principal={"Service": "iot.amazonaws.com"}, Action="sts:AssumeRole")),
    (guardrails.wildcard_trust, federated(sub="repo:acme/firmware:environment:prod")),
    (guardrails.wildcard_action, one(Action=["iotwireless:ListFuotaTasks"], Resource=["*"])),
    (guardrails.public_database, False),
    (guardrails.plain_storage, True),
    (guardrails.from_everywhere, "10.0.0.0/16"),
    (guardrails.from_everywhere, None),
    (guardrails.public_task, {"assign_public_ip": False}),
    (guardrails.public_task, {"subnets": []}),
]


WIRED = [
    ("aws:rds/instance:Instance", {"publicly_accessible": True, "storage_encrypted": True}, "a public address"),
    ("aws:rds/instance:Instance", {"publicly_accessible": False}, "stores in the clear"),
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidr_ipv6": "::/0"}, "lets in ::/0"),
    (
        "aws:ecs/service:Service",
        {"network_configuration": aws.ecs.ServiceNetworkConfigurationArgs(subnets=["s"], assign_public_ip=True)},
        "public addresses",
    ),
]


@pytest.mark.parametrize(("kind", "props", "reason"), WIRED, ids=[each[2] for each in WIRED])
def test_a_resource_of_the_workers_is_refused_by_its_type(kind: str, props: dict[str, Any], reason: str) -> None:
    resource: Any = None
    args = pulumi.ResourceTransformationArgs(resource, kind, "mine", props, pulumi.ResourceOptions())

    with pytest.raises(guardrails.NeverError, match=f"otactl: mine .*{reason}"):
        guardrails.Guardrails().transform(args)


@pytest.mark.parametrize(("check", "value"), FINE)
def test_what_a_stack_needs_is_let_through(check: guardrails.Check, value: object) -> None:
    assert check(value) == ""


HEAD = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
import pulumi
import pulumi_aws as aws
from infra import FirmwareRollouts, FirmwareRolloutsArgs

def environment(name, bucket):
    args = FirmwareRolloutsArgs(
        environment=name, account={ACCOUNT!r}, region="eu-west-1", owner="acme",
        channels=[{{"name": "stable", "bucket": bucket}}], access={{"principals": [{ROOT_OF_ACCOUNT!r}]}},
    )
    return args
"""


def program(folder: Path, text: str) -> Path:
    (folder / "__main__.py").write_text(HEAD + text)
    return folder


def test_a_component_is_imported_twice_into_one_program(tmp_path: Path) -> None:
    made = """
for name, bucket in (("prod", "acme-prod"), ("dev", "acme-dev")):
    pulumi.export(name, FirmwareRollouts(name, environment(name, bucket)).outputs["imageBucket"])
"""

    result = run({}, program=program(tmp_path, made))

    assert result.exit_code == 0, result.output
    assert result.outputs == {"prod": "acme-prod", "dev": "acme-dev"}
    outside = [r.name for r in result.resources if not r.parent.endswith(("::prod", "::dev")) and r.custom is False]
    assert {name for name in outside if not name.startswith(("prod", "dev"))} == set()


def test_the_component_in_the_page_runs_as_shown(tmp_path: Path) -> None:
    page = (ROOT / "docs/infra.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "__main__.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}")

    result = run({}, program=tmp_path)

    assert result.exit_code == 0, result.output
    assert result.outputs["imageBucket"] == "acme-firmware-eu"


def test_a_wrong_argument_of_a_component_is_named(tmp_path: Path) -> None:
    result = run({}, program=program(tmp_path, 'FirmwareRollouts("fleet", environment("prod", "Not_A_Bucket"))'))

    assert result.exit_code != 0
    assert "FirmwareRollouts fleet: otactl:channels[0].bucket is 'Not_A_Bucket'" in result.output


SLIPS = [
    ("versioning", "aws:s3/bucketVersioning:BucketVersioning", 'props["versioning_configuration"] = {"status": "Off"}'),
    ("private", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", 'props["block_public_acls"] = False'),
    ("role", "aws:iam/role:Role", f"props['assume_role_policy'] = '{one(Principal='*', Action='sts:AssumeRole')}'"),
]


@pytest.mark.parametrize(("name", "kind", "change"), SLIPS, ids=[s[0] for s in SLIPS])
def test_a_transformation_cannot_weaken_a_component(tmp_path: Path, name: str, kind: str, change: str) -> None:
    made = f"""
def weaken(args):
    props = args.props
    if args.type_ == {kind!r}:
        {change}
    return pulumi.ResourceTransformationResult(props, args.opts)

FirmwareRollouts("fleet", environment("prod", "acme-prod"), pulumi.ResourceOptions(transformations=[weaken]))
"""

    result = run({}, program=program(tmp_path, made))

    assert result.exit_code != 0
    assert "otactl: fleet-" in result.output
    assert "Traceback" not in result.output


def test_a_bucket_without_one_of_its_parts_ends_the_ready_program(tmp_path: Path) -> None:
    text = (ROOT / "infra/firmware_store.py").read_text()
    (tmp_path / "infra").mkdir()
    for file in (ROOT / "infra").glob("*.py"):
        (tmp_path / "infra" / file.name).write_text(file.read_text())
    (tmp_path / "infra/firmware_store.py").write_text(text.replace('f"{name}-versioning"', 'f"{name}-versions"'))

    result = run(SMALL, program=tmp_path / "infra")

    assert result.exit_code != 0
    assert "otactl: stable-store-bucket has no versioning" in result.output
