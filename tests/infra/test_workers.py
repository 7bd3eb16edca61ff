"""Workers on Fargate with a PostgreSQL of RDS: an option of the program, private, off unless given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from infra import permissions
from infra.iam_documents import Names
from infra.worker_settings import MEMORY
from infra.workers import boot_policy
from otactl_simulator.server import SimulatorServer
from tests.support.pulumi.apply import Applier
from tests.support.pulumi.engine import Registration, Result, run
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import ACCOUNT, DATABASE, PASSWORD, SMALL, WHOLE, WORKERS, WORKING

HOST = "acme-prod-eu-0ef5f3.c1.eu-west-1.rds.amazonaws.com"
KINDS = ("aws:ec2/", "aws:ecs/service", "aws:rds/", "aws:vpc/", "otactl:infra:WorkerDatabase", "otactl:infra:Workers")


@pytest.fixture(scope="module")
def applied() -> Iterator[Result]:
    """The smallest stack with a database and workers."""
    with SimulatorServer() as server:
        yield run(WORKERS, apply=Applier(server.url))


@pytest.fixture(scope="module")
def whole() -> tuple[Result, Result]:
    """Everything on but schedule and protection, in a preview: without workers, and with them."""
    options = {k: v for k, v in {**WHOLE["otactl:options"], "protect": False}.items() if k != "schedule"}
    without = {**WHOLE, "otactl:options": options}
    return run(without), run({**without, "otactl:options": {**options, "database": DATABASE, "workers": WORKING}})


def one(result: Result, name: str) -> dict[str, Any]:
    (found,) = (r for r in result.resources if r.name == name and r.custom)
    return dict(found.inputs)


def container(result: Result) -> dict[str, Any]:
    (task,) = result.of("ecs/taskDefinition:TaskDefinition")
    (found,) = json.loads(task.inputs["containerDefinitions"])
    return dict(found)


def seen(resource: Registration) -> tuple[object, ...]:
    return (
        resource.parent,
        json.dumps(resource.inputs, sort_keys=True),
        resource.protect,
        *sorted(resource.dependencies),
    )


def test_a_stack_with_workers_applies_and_puts_out_where_its_database_is(applied: Result) -> None:
    assert (applied.exit_code, applied.logs) == (0, []), applied.output
    assert applied.outputs["databaseHost"] == HOST
    assert applied.outputs["databaseAdminSecretArn"].startswith("arn:aws:secretsmanager:eu-west-1:")


@pytest.fixture(scope="module")
def scheduled() -> Result:
    """A database beside the container of a schedule, in a preview."""
    return run({**WHOLE, "otactl:options": {**WHOLE["otactl:options"], "database": DATABASE}})


@pytest.mark.thorough
def test_a_stack_without_the_option_registers_nothing_of_it(whole: tuple[Result, Result]) -> None:
    without, _ = whole

    assert without.exit_code == 0, without.output
    assert [r.name for r in without.resources if r.type.startswith(KINDS)] == []
    assert [name for name in without.outputs if name.startswith("database")] == []


@pytest.mark.thorough
def test_the_option_adds_resources_and_changes_of_the_others_only_who_may_be_the_controller(
    whole: tuple[Result, Result],
) -> None:
    before, after = ({(r.type, r.name): seen(r) for r in result.resources} for result in whole)

    assert set(before) < set(after)
    assert [name for (_, name), value in before.items() if after[_, name] != value] == ["controller-role"]
    old, new = (json.loads(one(result, "controller-role")["assumeRolePolicy"])["Statement"] for result in whole)
    assert new[: len(old)] == old
    assert [(s["Sid"], s["Principal"]) for s in new[len(old) :]] == [
        ("ContainerAssumes", {"Service": "ecs-tasks.amazonaws.com"})
    ]


def test_a_database_without_workers_lets_in_its_clients_alone(scheduled: Result) -> None:
    assert scheduled.exit_code == 0, scheduled.output
    assert [r.inputs["referencedSecurityGroupId"] for r in scheduled.of("SecurityGroupIngressRule")] == ["sg-0c"]
    assert scheduled.of("ecs/service:Service") == []


def test_a_database_without_workers_lets_no_container_be_the_controller() -> None:
    options = read({**SMALL, "otactl:options": {"database": DATABASE}}).options

    assert (options.container, read(WORKERS).options.container, read(WHOLE).options.container) == (False, True, True)


def test_the_database_is_private_encrypted_backed_up_and_asks_for_tls(applied: Result) -> None:
    found = one(applied, "database")

    assert (found["publiclyAccessible"], found["storageEncrypted"], found["multiAz"]) == (False, True, True)
    assert (found["backupRetentionPeriod"], found["deletionProtection"], found["skipFinalSnapshot"]) == (
        14,
        True,
        False,
    )
    (tls,) = one(applied, "database-parameters")["parameters"]
    assert (tls["name"], tls["value"]) == ("rds.force_ssl", "1")
    assert found["parameterGroupName"] == one(applied, "database-parameters")["name"]
    assert {r.name for r in applied.resources if r.protect and r.name.startswith("database")} == {
        "database",
        "database-parameters",
        "database-subnets",
    }


@pytest.mark.thorough
def test_a_stack_that_is_not_protected_gives_its_database_up_with_a_last_snapshot(whole: tuple[Result, Result]) -> None:
    _, found = whole

    assert one(found, "database")["deletionProtection"] is False
    assert one(found, "database")["finalSnapshotIdentifier"] == "acme-prod-eu-0ef5f3-last"
    assert [r.name for r in found.resources if r.protect] == []


def test_no_password_is_in_the_program_or_its_state(applied: Result) -> None:
    assert one(applied, "database")["manageMasterUserPassword"] is True
    assert "password" not in one(applied, "database")
    assert container(applied)["secrets"] == [{"name": "PGPASSWORD", "valueFrom": PASSWORD}]
    assert "PGPASSWORD" not in {each["name"] for each in container(applied)["environment"]}


def test_a_worker_finds_its_journal_and_verifies_who_answers(applied: Result) -> None:
    environment = {each["name"]: each["value"] for each in container(applied)["environment"]}

    assert environment == {
        "AWS_REGION": "eu-west-1",
        "OTACTL_JOURNAL": "postgresql:///otactl",
        "PGDATABASE": "otactl",
        "PGHOST": HOST,
        "PGPORT": "5432",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/otactl/rds-ca.pem",
        "PGUSER": "otactl",
    }


def test_a_worker_stops_before_it_is_killed_and_its_passes_share_its_memory(applied: Result) -> None:
    found = container(applied)
    command = "workers run --source /rollouts --grace 90s --concurrency 2 --pass-memory 896"

    assert (found["command"], found["stopTimeout"]) == (command.split(), 120)
    assert one(applied, "workers-task")["memory"] == "2048"


@pytest.mark.parametrize(
    ("source", "listed", "images"),
    [
        ("s3://acme-manifests/fleet", {"StringEquals": {"s3:prefix": ["fleet/"]}}, "acme-manifests/fleet/*"),
        ("s3://acme-manifests", None, "acme-manifests/*"),
    ],
)
def test_manifests_in_a_bucket_are_the_controllers_to_read(source: str, listed: Any, images: str) -> None:
    with_bucket = {**SMALL, "otactl:options": {"database": DATABASE, "workers": {**WORKING, "source": source}}}
    without, with_them = (permissions.controller(Names(read(stack)))["Statement"] for stack in (WORKERS, with_bucket))
    listing, reading = with_them[len(without) :]

    assert (listing["Action"], listing["Resource"]) == (["s3:ListBucket"], ["arn:aws:s3:::acme-manifests"])
    assert listing.get("Condition") == listed
    assert (reading["Action"], reading["Resource"]) == (["s3:GetObject"], [f"arn:aws:s3:::{images}"])


def test_a_worker_writes_nothing_but_its_temporary_files_and_has_no_capabilities(applied: Result) -> None:
    found = container(applied)

    assert (found["readonlyRootFilesystem"], found["user"]) == (True, "65532:65532")
    assert found["linuxParameters"] == {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}
    assert [each["containerPath"] for each in found["mountPoints"]] == ["/tmp"]  # noqa: S108 - a volume of its own
    assert [each["sourceVolume"] for each in found["mountPoints"]] == [
        each["name"] for each in one(applied, "workers-task")["volumes"]
    ]


def test_nothing_reaches_a_worker_and_it_reaches_https_and_the_database(applied: Result) -> None:
    workers, database = (f"{name}-group" for name in ("workers", "database"))
    ids = {r.name: r.inputs for r in applied.resources if r.name in (workers, database)}
    rules = [(r.type.rsplit(":", 1)[-1], dict(r.inputs)) for r in applied.resources if "securityGroup" in r.type]
    outward = [r for kind, r in rules if kind == "SecurityGroupEgressRule"]
    inward = [r for kind, r in rules if kind == "SecurityGroupIngressRule"]
    (network,) = [one(applied, "workers-service")["networkConfiguration"]]

    assert set(ids) == {workers, database}
    assert network["assignPublicIp"] is False
    (own,) = network["securityGroups"]
    (theirs,) = one(applied, "database")["vpcSecurityGroupIds"]
    assert sorted((r["securityGroupId"], r["fromPort"], r["toPort"]) for r in outward) == [
        (own, 443, 443),
        (own, 5432, 5432),
    ]
    assert sorted((r["securityGroupId"], r["referencedSecurityGroupId"]) for r in inward) == sorted(
        [(theirs, "sg-0c"), (theirs, own)]
    )
    assert {(r["ipProtocol"], r["fromPort"], r["toPort"]) for r in inward} == {("tcp", 5432, 5432)}


def test_a_worker_is_the_controller_and_only_ecs_boots_it(applied: Result) -> None:
    task = one(applied, "workers-task")

    assert task["taskRoleArn"] == applied.outputs["controllerRoleArn"]
    assert task["executionRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/acme_prod-eu_workers-boot"


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        (WORKING["image"], ["arn:aws:ecr:eu-west-1:123456789012:repository/acme/otactl-workers"]),
        (
            "210987654321.dkr.ecr.us-east-1.amazonaws.com/otactl@sha256:9f",
            ["arn:aws:ecr:us-east-1:210987654321:repository/otactl"],
        ),
        ("ghcr.io/acme/otactl-workers:1", []),
    ],
)
def test_the_image_is_pulled_from_its_own_repository_and_no_other(image: str, allowed: list[str]) -> None:
    names = Names(read({**SMALL, "otactl:options": {"database": DATABASE, "workers": {**WORKING, "image": image}}}))
    declared = names.settings.options.workers
    assert declared is not None
    statements: Any = boot_policy(names, declared)["Statement"]

    pulls = [s["Resource"] for s in statements if any("BatchGetImage" in action for action in s["Action"])]
    assert pulls == ([allowed] if allowed else [])


def test_every_log_of_the_stack_ends(applied: Result) -> None:
    logs = {r.inputs["name"]: r.inputs["retentionInDays"] for r in applied.of("cloudwatch/logGroup:LogGroup")}

    assert logs == dict.fromkeys(
        (
            "/otactl/acme_prod-eu/workers",
            "/aws/rds/instance/acme-prod-eu-0ef5f3/postgresql",
            "/aws/rds/instance/acme-prod-eu-0ef5f3/upgrade",
        ),
        90,
    )


def test_every_key_of_the_containers_is_one_that_ecs_knows(applied: Result, scheduled: Result) -> None:
    model = ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape

    for found in (container(applied), container(scheduled)):
        report = ParamValidator().validate({"family": "x", "containerDefinitions": [found]}, shape)
        assert not report.has_errors(), report.generate_report()


def test_two_stacks_share_no_name_of_rds() -> None:
    owners = (("acme-x", "prod"), ("acme", "x-prod"))
    first, second = (Names(read({**WORKERS, "otactl:owner": owner}, stack=stack)).dashed for owner, stack in owners)

    assert first != second
    assert len(f"{'o' * 12}-{'s' * 20}-abcdef-last") < 63


def test_every_size_that_fargate_has_is_taken() -> None:
    for cpu, memories in MEMORY.items():
        for memory in (memories[0], memories[-1]):
            sized = {**WORKING, "cpu": cpu, "memory": memory, "concurrency": 1}
            found = read({**SMALL, "otactl:options": {"database": DATABASE, "workers": sized}}).options.workers
            assert found is not None
            assert (found.cpu, found.memory) == (cpu, memory)
