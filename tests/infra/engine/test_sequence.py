"""The example stack through the real engine, in one sequence: preview, up twice, a change, drift, refresh, destroy."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import boto3
import pytest
import yaml

from otactl_simulator.server import SimulatorServer
from tests.support.paths import ROOT
from tests.support.pulumi.cli import Project, Ran

STACK, BUCKET, PLANNER = "prod-eu", "acme-firmware-eu", "acme_prod-eu_planner"
BUCKETS = (BUCKET, f"{BUCKET}-beta", "acme-otactl-journal-eu")
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())["config"]
ON_THIS_ACCOUNT = {**CONFIG, "aws:allowedAccountIds": ["123456789012"]}
OPEN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


class Sequence:
    """Every step's print, and what the cloud held after it."""

    def __init__(self, project: Project, server: SimulatorServer) -> None:
        session = boto3.Session(region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
        self.s3, self.iam = (session.client(n, endpoint_url=server.url) for n in ("s3", "iam"))
        self.project, self.ran, self.policies = project, dict[str, Ran](), dict[str, Any]()
        project.stack(STACK, ON_THIS_ACCOUNT)
        quiet = ("--stack", STACK, "--suppress-progress")
        self.step("preview", "preview", *quiet)
        self.buckets_after_preview = self.s3.list_buckets()["Buckets"]
        self.step("up", "up", "--yes", "--skip-preview", *quiet)
        self.outputs = project.outputs(STACK)
        self.step("up again", "up", "--yes", "--skip-preview", *quiet)
        shorter = [{**c, **({"noncurrentDays": 14} if c["name"] == "beta" else {})} for c in CONFIG["otactl:channels"]]
        project.configure(STACK, {**ON_THIS_ACCOUNT, "otactl:channels": shorter})
        self.step("up changed", "up", "--yes", "--skip-preview", "--diff", *quiet)
        self.lifecycle = self.s3.get_bucket_lifecycle_configuration(Bucket=f"{BUCKET}-beta")["Rules"]
        self.drift_by_hand()
        self.step("refresh", "refresh", "--yes", "--skip-preview", "--diff", *quiet)
        self.step("up repairs", "up", "--yes", "--skip-preview", *quiet)
        self.policies["repaired"] = self.policy()
        renamed = [{**c, "bucket": f"{c['bucket']}-2"} for c in shorter]
        project.configure(STACK, {**ON_THIS_ACCOUNT, "otactl:channels": renamed})
        self.step("up renamed", "up", "--yes", *quiet)
        project.configure(STACK, {**ON_THIS_ACCOUNT, "otactl:channels": shorter})
        self.step("destroy", "destroy", "--yes", *quiet)
        self.step("destroy without preview", "destroy", "--yes", "--skip-preview", *quiet)

    def step(self, name: str, *words: str) -> None:
        """Run a command and keep what it printed."""
        self.ran[name] = self.project.pulumi(*words)

    def policy(self) -> Any:
        """Return the planner's policy in the cloud."""
        return self.iam.get_role_policy(RoleName=PLANNER, PolicyName="plan")["PolicyDocument"]

    def drift_by_hand(self) -> None:
        """Edit a policy and delete a bucket's guard, as a person in the console."""
        self.policies["declared"] = self.policy()
        self.iam.put_role_policy(RoleName=PLANNER, PolicyName="plan", PolicyDocument=json.dumps(OPEN))
        self.s3.delete_public_access_block(Bucket=BUCKET)


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory, plugins: Any, cloud: SimulatorServer) -> Sequence:
    """The sequence, run once."""
    return Sequence(Project(tmp_path_factory.mktemp("sequence") / "project", plugins, cloud.url), cloud)


def blocks() -> list[tuple[list[str], list[str]]]:
    """Return the commands of docs/infra.md, each with the lines that the page shows."""
    found = re.findall(r"```text\n\$ pulumi (.*?)\n(.*?)```", (ROOT / "docs/infra.md").read_text(), re.DOTALL)
    return [(shlex.split(command), text.splitlines()) for command, text in found]


def timeless(line: str) -> str:
    """Return a printed line without how long it took."""
    return re.sub(r"\b\d+(\.\d+)?s\b", "0s", line.rstrip())


def test_the_page_shows_each_step_as_it_was_printed(sequence: Sequence) -> None:
    assert [words for words, _ in blocks()] == [list(ran.words) for ran in sequence.ran.values()]
    for (words, lines), ran in zip(blocks(), sequence.ran.values(), strict=True):
        printed = {timeless(line) for line in ran.output.splitlines()}
        missing = [line for line in lines if line != "…" and timeless(line) not in printed]
        assert (words, missing) == (words, [])


def test_a_preview_shows_every_resource_and_creates_none(sequence: Sequence) -> None:
    ran = sequence.ran["preview"]

    assert (ran.exit_code, ran.count("to create")) == (0, sequence.ran["up"].count("created"))
    assert ran.count("to create") > 30
    assert sequence.buckets_after_preview == []


def test_up_puts_out_what_the_environments_manifests_use(sequence: Sequence) -> None:
    assert sequence.ran["up"].exit_code == 0, sequence.ran["up"].output
    assert sequence.outputs == json.loads((ROOT / "rollouts/environments/prod-eu.outputs.json").read_text())


def test_up_again_changes_nothing(sequence: Sequence) -> None:
    ran = sequence.ran["up again"]

    assert (ran.exit_code, ran.count("unchanged")) == (0, sequence.ran["up"].count("created")), ran.output


def test_a_changed_option_is_one_update_in_place(sequence: Sequence) -> None:
    ran = sequence.ran["up changed"]

    assert (ran.exit_code, ran.count("updated"), ran.count("created"), ran.count("replaced")) == (0, 1, 0, 0)
    assert "~ noncurrentDays: 30 => 14" in ran.output
    assert sequence.lifecycle[0]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 14


def test_refresh_sees_a_policy_edited_by_hand_and_a_guard_that_is_missing(sequence: Sequence) -> None:
    ran = sequence.ran["refresh"]

    assert (ran.exit_code, ran.count("updated"), ran.count("deleted")) == (0, 1, 1), ran.output
    assert "planner-plan" in ran.output
    assert "stable-store-private" in ran.output


def test_up_repairs_what_was_changed_by_hand(sequence: Sequence) -> None:
    ran = sequence.ran["up repairs"]

    assert (ran.exit_code, ran.count("updated"), ran.count("created")) == (0, 1, 1), ran.output
    assert sequence.policies["repaired"] == sequence.policies["declared"]
    assert sequence.s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]


def test_a_changed_bucket_name_is_refused_and_nothing_is_replaced(sequence: Sequence) -> None:
    ran = sequence.ran["up renamed"]

    assert ran.exit_code != 0
    assert 'unable to replace resource "urn:pulumi:prod-eu::otactl::otactl:infra:FirmwareStore$' in ran.output
    assert "currently marked for protection" in ran.output
    assert {b["Name"] for b in sequence.s3.list_buckets()["Buckets"]} == set(BUCKETS)


@pytest.mark.parametrize("step", ["destroy", "destroy without preview"])
def test_destroy_stops_at_protected_buckets(sequence: Sequence, step: str) -> None:
    ran = sequence.ran[step]

    assert ran.exit_code != 0
    assert "cannot be deleted\n    because it is protected" in ran.output


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_keeps_its_guards_through_a_destroy(sequence: Sequence, bucket: str) -> None:
    s3 = sequence.s3

    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    assert "DenyPlainHttp" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
