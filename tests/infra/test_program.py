"""The unmodified program in a process of its own: previewed, applied to moto, refused; and once more under mocks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from infra.program import stack
from otactl_simulator.server import SimulatorServer
from tests.support.pulumi.apply import Applier
from tests.support.pulumi.engine import ROOT, UNKNOWN, Result, run
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import ACCOUNT, SMALL, WHOLE, WORKERS

LOGGING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::acme-logs/*",
        }
    ],
}


@pytest.fixture(scope="module")
def applied() -> Iterator[tuple[Applier, Result]]:
    """Everything on, applied to moto behind the simulator."""
    with SimulatorServer() as server:
        applier = Applier(server.url)
        applier.s3.create_bucket(Bucket="acme-logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        applier.s3.put_bucket_policy(Bucket="acme-logs", Policy=json.dumps(LOGGING))
        yield applier, run(WHOLE, apply=applier)


def test_it_applies_whole(applied: tuple[Applier, Result]) -> None:
    _, result = applied

    assert result.exit_code == 0, result.output
    assert result.logs == []
    assert len(result.of("s3/bucket:Bucket")) == 3


def test_it_puts_out_the_names_that_manifests_use(applied: tuple[Applier, Result]) -> None:
    _, result = applied

    stem = f"arn:aws:iam::{ACCOUNT}:role/acme_prod-eu"
    assert result.outputs == {
        "imageBucket": "acme-firmware-eu",
        "firmwareUpdateRoleArn": f"{stem}_stable_fuota",
        "stable.imageBucket": "acme-firmware-eu",
        "stable.firmwareUpdateRoleArn": f"{stem}_stable_fuota",
        "beta.imageBucket": "acme-firmware-beta",
        "beta.firmwareUpdateRoleArn": f"{stem}_beta_fuota",
        "controllerRoleArn": f"{stem}_controller",
        "plannerRoleArn": f"{stem}_planner",
        "otaServiceRoleArn": f"{stem}_ota-service",
        "journal": "s3://acme-otactl-journal/journal",
    }


@pytest.mark.parametrize("bucket", ["acme-firmware-eu", "acme-firmware-beta", "acme-otactl-journal"])
def test_every_bucket_is_private_versioned_encrypted_and_tls_only(applied: tuple[Applier, Result], bucket: str) -> None:
    s3 = applied[0].s3

    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    expected = "aws:kms" if bucket == "acme-firmware-beta" else "AES256"
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == expected
    (owner,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced"
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert "DenyPlainHttp" in {s["Sid"] for s in policy["Statement"]}


def test_replaced_versions_and_broken_uploads_go_as_the_channel_says(applied: tuple[Applier, Result]) -> None:
    (rule,) = applied[0].s3.get_bucket_lifecycle_configuration(Bucket="acme-firmware-beta")["Rules"]

    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    assert "Expiration" not in rule


def test_what_must_not_be_lost_is_protected_and_everything_has_its_parent(applied: tuple[Applier, Result]) -> None:
    _, result = applied

    guards = ("bucket", "versioning", "encryption", "lifecycle", "ownership", "private", "policy")
    stores = {f"{store}-{guard}" for store in ("stable-store", "beta-store", "journal") for guard in guards}
    assert {r.name for r in result.resources if r.protect} == {*stores, "beta-store-key", "github"}
    inside = [
        r for r in result.resources if r.custom and r.name.startswith(("stable-", "beta-", "controller-", "planner-"))
    ]
    assert inside
    assert all("otactl:infra:" in r.parent for r in inside)


def test_no_deprecated_name_or_inline_argument_is_used(applied: tuple[Applier, Result]) -> None:
    _, result = applied

    assert [r.type for r in result.resources if r.type.endswith("V2")] == []
    for bucket in result.of("s3/bucket:Bucket"):
        assert set(bucket.inputs) <= {"bucket", "forceDestroy"}
        assert bucket.inputs.get("forceDestroy") is not True
    for role in result.of("iam/role:Role"):
        assert not {"inlinePolicies", "managedPolicyArns"} & set(role.inputs)


def test_a_preview_shows_every_policy_in_full_and_leaves_unknown_what_only_aws_gives() -> None:
    result = run(WHOLE)

    assert result.exit_code == 0, result.output
    assert result.outputs["controllerRoleArn"] == UNKNOWN
    policies = [r for r in result.resources if "policy" in r.inputs and "decrypt" not in r.name]
    assert len(policies) > 8
    assert all(UNKNOWN not in json.dumps(r.inputs["policy"]) for r in policies)


def test_a_program_that_gives_a_urn_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import pulumi\nfor _ in range(2):\n    pulumi.ComponentResource('otactl:infra:X', 'same')\n"
    )

    result = run({}, program=tmp_path)

    assert result.exit_code != 0
    assert "duplicate resource URN" in result.output


def test_an_apply_that_fails_ends_the_program_with_the_resource_named() -> None:
    def refuse(kind: str, inputs: Any) -> tuple[str, dict[str, Any]]:
        raise RuntimeError(f"no {kind} today")

    result = run(SMALL, apply=refuse)

    assert result.exit_code != 0
    assert "today" in result.output


MANY = [{"name": f"channel-number-{n:05}", "bucket": f"acme-firmware-images-{n:05}"} for n in range(40)]
CROWD = {"principals": [f"arn:aws:iam::{ACCOUNT}:role/engineer-number-{n:02}" for n in range(60)]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("otactl:account", "12"),
        ("otactl:chanels", []),
        ("otactl:channels", "["),
        ("otactl:channels", MANY),
        ("otactl:access", CROWD),
        ("aws:allowedAccountIds", ["210987654321"]),
        ("aws:allowedAccountIds", "none"),
    ],
)
def test_a_wrong_setting_ends_the_program_with_one_line(key: str, value: Any) -> None:
    result = run({**SMALL, key: value})

    assert result.exit_code == 1
    assert result.output.strip().startswith(f"otactl: Pulumi.prod-eu.yaml: {key.partition(':')[0]}:")
    assert len(result.output.strip().splitlines()) == 1
    assert result.resources == []


def test_two_stacks_share_no_name() -> None:
    first, second = run(SMALL), run(SMALL, stack="dev")

    names = [{r.inputs.get("name") for r in result.of("iam/role:Role")} for result in (first, second)]
    assert names[0] & names[1] == set()


class Recorder(pulumi.runtime.Mocks):
    """Pulumi's own mocks: every resource gets an id and an ARN."""

    def __init__(self) -> None:
        self.types: list[str] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.types.append(args.typ)
        name = args.inputs.get("name") or args.inputs.get("bucket") or args.name
        return str(name), {**args.inputs, "arn": f"arn:aws:x:::{name}"}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program asks AWS for {args.token}; everything is in its settings")


@pytest.fixture
def loops_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pulumi's test decorator takes the thread's event loop, which another test may have closed, and leaves its own."""
    made: list[asyncio.AbstractEventLoop] = []
    plain = asyncio.new_event_loop

    def noted() -> asyncio.AbstractEventLoop:
        made.append(plain())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", noted)
    asyncio.set_event_loop(asyncio.new_event_loop())
    yield
    asyncio.set_event_loop(None)
    for loop in made:
        loop.close()


def test_under_mocks_every_output_resolves_and_nothing_is_asked_of_aws(loops_of_its_own: None) -> None:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="otactl", stack="prod-eu", preview=False)
    found: dict[str, str] = {}

    def note(name: str) -> Any:
        return lambda value: found.__setitem__(name, value)

    @pulumi.runtime.test
    def program() -> Any:
        return pulumi.Output.all(*[v.apply(note(k)) for k, v in stack(read(WHOLE)).items()])

    program()

    assert found["firmwareUpdateRoleArn"] == "arn:aws:x:::acme_prod-eu_stable_fuota"
    assert found["journal"] == "s3://acme-otactl-journal/journal"
    assert recorder.types.count("aws:iam/role:Role") == 8


def test_pulumi_yaml_documents_every_setting_the_program_reads() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())

    assert (project["name"], project["main"], project["runtime"]["name"]) == ("otactl", "infra/", "python")
    assert set(project["config"]) == {k for k in WHOLE if k.startswith("otactl:")}
    # Project.Validate of Pulumi: a key of another namespace needs a value and has neither type nor default.
    assert all(key.startswith(f"{project['name']}:") for key in project["config"])
    assert {e["type"] for e in project["config"].values()} <= {"string", "array", "object", "boolean", "integer"}
    assert all("items" in e for e in project["config"].values() if e["type"] == "array")
    assert all(entry["description"] for entry in project["config"].values())
    reported = json.dumps(project["config"])
    for name in (*WHOLE["otactl:options"], *WORKERS["otactl:options"]):
        assert name in reported


@pytest.mark.parametrize("name", ["dev", "prod-eu"])
def test_the_example_stacks_apply(name: str) -> None:
    config = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"]
    with SimulatorServer() as server:
        result = run(config, stack=name, apply=Applier(server.url))

    assert result.exit_code == 0, result.output
    if name == "prod-eu":
        written = json.loads((ROOT / "rollouts/environments/prod-eu.outputs.json").read_text())
        assert result.outputs == written, "the example environment holds what its stack puts out"


def test_names_fit_iam_and_no_two_stacks_can_share_one() -> None:
    long = [{"name": "long-term-support-01", "bucket": "acme-firmware-lts"}]
    config = {**SMALL, "otactl:owner": "acme-devices", "otactl:channels": long}
    longest = run(config, stack="production-eu-west-1")
    first = run({**SMALL, "otactl:channels": [{"name": "eu-stable", "bucket": "acme-one"}]}, stack="prod")
    second = run({**SMALL, "otactl:channels": [{"name": "stable", "bucket": "acme-two"}]}, stack="prod-eu")

    assert max(len(r.inputs["name"]) for r in longest.of("iam/role:Role")) <= 64
    names = [{r.inputs["name"] for r in result.of("iam/role:Role")} for result in (first, second)]
    assert names[0] & names[1] == set()


def test_the_service_role_of_ota_updates_uses_a_channels_key_both_ways(applied: tuple[Applier, Result]) -> None:
    policies = [r for r in applied[1].of("iam/rolePolicy:RolePolicy") if r.inputs["role"] == "acme_prod-eu_ota-service"]

    assert any("kms:GenerateDataKey" in r.inputs["policy"] for r in policies)
