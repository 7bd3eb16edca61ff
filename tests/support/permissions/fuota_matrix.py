"""Who may do what with the roles and buckets of a stack, as IAM's rules decide it; writes docs/permissions.md.

Every row is judged by the evaluator over the very documents that the program registers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra import iam_documents, ota_permissions, permissions
from infra.containers import ECS_TASKS
from infra.iam_documents import IOT, IOT_WIRELESS, Names
from infra.workers import boot_policy
from otactl_simulator.iam.policy import Decision, Request, evaluate, may_assume
from tests.support.permissions.ota_matrix import Question, as_the_service, of_updates, of_versions
from tests.support.permissions.tuya_matrix import of_the_secret
from tests.support.permissions.workers_matrix import of_the_boot
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import ACCOUNT, PROVING, SMALL, WHOLE, WORKERS

NAMES = Names(read(WHOLE))
STABLE, BETA = NAMES.settings.channels
OTHER_ACCOUNT = "210987654321"
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{iam_documents.GITHUB_ISSUER}"
DIGEST = "9f" * 32
TASK = "arn:aws:iotwireless:{region}:{account}:FuotaTask/1"
OURS, THEIRS = {"aws:ResourceTag/otactl:owner": "acme"}, {"aws:ResourceTag/otactl:owner": "umbrella"}
TLS, PLAIN = {"aws:SecureTransport": "true"}, {"aws:SecureTransport": "false"}


@dataclass(frozen=True)
class Row:
    """One question and its answer."""

    part: str
    who: str
    does: str
    allowed: bool
    judge: Callable[[], Decision] = field(compare=False)

    @property
    def verdict(self) -> Decision:
        """What the evaluator says."""
        return self.judge()


def session(role: str) -> str:
    """The session ARN of a role."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/session"


def task(region: str = "eu-west-1", account: str = ACCOUNT) -> str:
    """A task's ARN."""
    return TASK.format(region=region, account=account)


def _identity(policy: Mapping[str, Any], role: str, action: str, resource: str, **context: Any) -> Decision:
    given = {key: value for extra in context.values() for key, value in extra.items()}
    return evaluate([policy], [], Request(session(role), action, resource, given))


def _assumes(
    part: str, who: str, principal: str, trust: Mapping[str, Any], role: str, allowed: bool, **context: Any
) -> Row:
    action = "sts:AssumeRoleWithWebIdentity" if "oidc-provider" in principal else "sts:AssumeRole"
    given = {key: value for extra in context.values() for key, value in extra.items()}

    def judge() -> Decision:
        return may_assume(trust, principal, given, role_arn=NAMES.role_arn(role), action=action)

    return Row(part, who, "assumes it", allowed, judge)


def _update_role() -> list[Row]:
    part, role = "FirmwareUpdateRole of channel stable", NAMES.update_role(STABLE)
    trust = iam_documents.service_trust(NAMES.settings, IOT_WIRELESS, conditions=False)
    policy = iam_documents.firmware_read(NAMES, STABLE)
    image, other = f"arn:aws:s3:::{STABLE.bucket}/probe.bin", f"arn:aws:s3:::{BETA.bucket}/beta/probe.bin"

    def may(who: str, does: str, action: str, resource: str, allowed: bool) -> Row:
        return Row(part, who, does, allowed, lambda: _identity(policy, role, action, resource))

    itself = "AWS IoT Wireless with the role"
    return [
        _assumes(part, "AWS IoT Wireless", IOT_WIRELESS, trust, role, True),
        _assumes(part, "another service (AWS Lambda)", "lambda.amazonaws.com", trust, role, False),
        _assumes(part, "a user of the account", f"arn:aws:iam::{ACCOUNT}:user/ada", trust, role, False),
        _assumes(part, "another account", f"arn:aws:iam::{OTHER_ACCOUNT}:user/eve", trust, role, False),
        _assumes(part, "anybody", "*", trust, role, False),
        may(itself, "reads an image", "s3:GetObject", image, True),
        may(itself, "reads a version of an image", "s3:GetObjectVersion", image, True),
        may(itself, "reads another channel's image", "s3:GetObject", other, False),
        may(itself, "writes an image", "s3:PutObject", image, False),
        may(itself, "deletes an image", "s3:DeleteObject", image, False),
        may(itself, "lists the bucket", "s3:ListBucket", f"arn:aws:s3:::{STABLE.bucket}", False),
    ]


def _conditions() -> list[Row]:
    part, role = "FirmwareUpdateRole with options.sourceConditions", NAMES.update_role(STABLE)
    trust = iam_documents.service_trust(NAMES.settings, IOT_WIRELESS, conditions=True)
    right = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": task()}
    account = {"aws:SourceAccount": OTHER_ACCOUNT, "aws:SourceArn": task(account=OTHER_ACCOUNT)}
    region = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": task(region="us-east-1")}
    rows = [
        ("for a task of ours", right, True),
        ("for another account's task", account, False),
        ("for a task of another Region", region, False),
        ("without saying for what", {}, False),
    ]
    return [_assumes(part, f"AWS IoT Wireless {n}", IOT_WIRELESS, trust, role, ok, given=g) for n, g, ok in rows]


def _ota_role() -> list[Row]:
    part, role = "OtaServiceRole", NAMES.ota_role
    trust = iam_documents.service_trust(NAMES.settings, IOT, conditions=True)
    policy = ota_permissions.service(NAMES)
    right = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": NAMES.iot("otaupdate/x")}
    wrong = {"aws:SourceAccount": OTHER_ACCOUNT, "aws:SourceArn": "arn:aws:iot:eu-west-1:210987654321:otaupdate/x"}

    def may(does: str, action: str, resource: str, allowed: bool) -> Row:
        return Row(part, "AWS IoT with the role", does, allowed, lambda: _identity(policy, role, action, resource))

    return [
        _assumes(part, "AWS IoT for an update of ours", IOT, trust, role, True, given=right),
        _assumes(part, "AWS IoT for another account's update", IOT, trust, role, False, given=wrong),
        _assumes(part, "AWS IoT Wireless", IOT_WIRELESS, trust, role, False, given=right),
        *(may(*question) for question in as_the_service(NAMES)),
    ]


def _operators() -> list[Row]:
    rows: list[Row] = []
    controller, planner = permissions.controller(NAMES), permissions.planner(NAMES)
    update = NAMES.role_arn(NAMES.update_role(STABLE))
    fuota, lambda_ = {"iam:PassedToService": IOT_WIRELESS}, {"iam:PassedToService": "lambda.amazonaws.com"}
    marked, unmarked = {"aws:RequestTag/otactl:owner": "acme"}, {"aws:RequestTag/otactl:owner": "umbrella"}
    questions: list[Question] = [
        ("lists tasks", "iotwireless:ListFuotaTasks", "*", {}, True, True),
        ("reads a task", "iotwireless:GetFuotaTask", task(), {}, True, True),
        ("reads a task of another Region", "iotwireless:GetFuotaTask", task(region="us-east-1"), {}, False, False),
        ("makes a task with our mark", "iotwireless:CreateFuotaTask", "*", marked, True, False),
        ("makes a task with another's mark", "iotwireless:CreateFuotaTask", "*", unmarked, False, False),
        ("makes a task without a mark", "iotwireless:CreateFuotaTask", "*", {}, False, False),
        ("starts a task of ours", "iotwireless:StartFuotaTask", task(), OURS, True, False),
        ("starts another's task", "iotwireless:StartFuotaTask", task(), THEIRS, False, False),
        ("deletes another's task", "iotwireless:DeleteFuotaTask", task(), THEIRS, False, False),
        ("puts our mark back on a task without one", "iotwireless:TagResource", task(), marked, True, False),
        ("marks another's task as ours", "iotwireless:TagResource", task(), {**marked, **THEIRS}, False, False),
        ("deletes a device", "iotwireless:DeleteWirelessDevice", NAMES.wireless("WirelessDevice"), {}, False, False),
        ("passes the update role to AWS IoT Wireless", "iam:PassRole", update, fuota, True, False),
        ("passes the update role to AWS Lambda", "iam:PassRole", update, lambda_, False, False),
        ("passes itself on", "iam:PassRole", NAMES.role_arn(NAMES.controller_role), fuota, False, False),
        ("checks an image", "s3:GetObject", f"arn:aws:s3:::{STABLE.bucket}/x.bin", {}, True, True),
        ("writes an image", "s3:PutObject", f"arn:aws:s3:::{STABLE.bucket}/x.bin", {}, False, False),
        ("reads the journal", "s3:GetObject", "arn:aws:s3:::acme-otactl-journal/journal/x", {}, True, True),
        ("writes the journal", "s3:PutObject", "arn:aws:s3:::acme-otactl-journal/journal/x", {}, True, False),
        ("deletes from the journal", "s3:DeleteObject", "arn:aws:s3:::acme-otactl-journal/journal/x", {}, False, False),
        ("changes the update role", "iam:PutRolePolicy", update, {}, False, False),
    ]
    updates, without = of_updates(NAMES), permissions.controller(Names(read(SMALL)))
    secret = of_the_secret(NAMES)
    proving = Names(read(PROVING))
    versions = of_versions(proving)
    for part, role, policy, asked, answer in (
        ("ControllerRole", NAMES.controller_role, controller, questions, 4),
        ("PlannerRole", NAMES.planner_role, planner, questions, 5),
        ("ControllerRole with options.iotOta", NAMES.controller_role, controller, updates, 4),
        ("PlannerRole with options.iotOta", NAMES.planner_role, planner, updates, 5),
        ("ControllerRole without options.iotOta", NAMES.controller_role, without, updates, None),
        ("ControllerRole with options.tuyaSecret", NAMES.controller_role, controller, secret, 4),
        ("PlannerRole with options.tuyaSecret", NAMES.planner_role, planner, secret, 5),
        ("ControllerRole without options.tuyaSecret", NAMES.controller_role, without, secret, None),
        (
            "ControllerRole with options.proveVersions",
            proving.controller_role,
            permissions.controller(proving),
            versions,
            4,
        ),
        ("PlannerRole with options.proveVersions", proving.planner_role, permissions.planner(proving), versions, 5),
        ("ControllerRole without options.proveVersions", NAMES.controller_role, without, versions, None),
    ):
        for question in asked:
            does, action, resource, context, *_ = question

            def judge(p: Any = policy, r: str = role, a: str = action, o: str = resource, c: Any = context) -> Decision:
                return _identity(p, r, a, o, given=c)

            rows.append(Row(part, "otactl", does, answer is not None and bool(question[answer]), judge))
    return rows


def _people() -> list[Row]:
    rows: list[Row] = []
    github = NAMES.settings.github
    assert github is not None
    subjects = [
        ("the workflow of environment prod", "repo:acme/firmware:environment:prod", True, True),
        ("a pull request's workflow", "repo:acme/firmware:pull_request", False, True),
        ("a workflow of another branch", "repo:acme/firmware:ref:refs/heads/try", False, False),
        ("another repository", "repo:umbrella/firmware:environment:prod", False, False),
    ]
    for part, role, wanted, column in (
        ("ControllerRole", NAMES.controller_role, [iam_documents.apply_subject(github)], 2),
        ("PlannerRole", NAMES.planner_role, iam_documents.plan_subjects(github), 3),
    ):
        trust = iam_documents.people_trust(NAMES, GITHUB, wanted, container=role == NAMES.controller_role)
        for line in subjects:
            said = {
                f"{iam_documents.GITHUB_ISSUER}:aud": "sts.amazonaws.com",
                f"{iam_documents.GITHUB_ISSUER}:sub": line[1],
            }
            rows.append(_assumes(part, line[0], GITHUB, trust, role, bool(line[column]), given=said))
        other = {f"{iam_documents.GITHUB_ISSUER}:aud": "someone", f"{iam_documents.GITHUB_ISSUER}:sub": subjects[0][1]}
        rows.append(_assumes(part, "a token for another audience", GITHUB, trust, role, False, given=other))
        oncall, stranger = (f"arn:aws:iam::{ACCOUNT}:role/{n}" for n in ("oncall", "intern"))
        rows.append(_assumes(part, "the declared principal", oncall, trust, role, True))
        rows.append(_assumes(part, "another role of the account", stranger, trust, role, False))
        ours = {"aws:SourceAccount": ACCOUNT}
        rows.append(
            _assumes(part, "the scheduled container", "ecs-tasks.amazonaws.com", trust, role, column == 2, g=ours)
        )
    return rows


def _workers() -> list[Row]:
    names = Names(read(WORKERS))
    declared = names.settings.options.workers
    assert declared is not None
    part, role, policy = "Role that boots workers, with options.workers", "workers-boot", boot_policy(names, declared)
    trust = iam_documents.own_service_trust(names.settings, ECS_TASKS)

    def may(does: str, action: str, resource: str, context: dict[str, str], allowed: bool) -> Row:
        return Row(part, "ECS", does, allowed, lambda: _identity(policy, role, action, resource, given=context))

    controller, secret = permissions.controller(names), declared.password_secret
    work = iam_documents.people_trust(names, "", (), container=True)
    ours, theirs = {"aws:SourceAccount": ACCOUNT}, {"aws:SourceAccount": OTHER_ACCOUNT}
    itself = "ControllerRole with options.workers"
    return [
        _assumes(part, "ECS for a task of this account", ECS_TASKS, trust, role, True, given=ours),
        _assumes(part, "ECS for another account's task", ECS_TASKS, trust, role, False, given=theirs),
        _assumes(part, "a user of the account", f"arn:aws:iam::{ACCOUNT}:user/ada", trust, role, False),
        *(may(*question) for question in of_the_boot(names)),
        _assumes(itself, "a worker", ECS_TASKS, work, names.controller_role, True, given=ours),
        _assumes(itself, "a container of another account", ECS_TASKS, work, names.controller_role, False, given=theirs),
        Row(
            itself,
            "a worker",
            "reads the password of the database",
            False,
            lambda: _identity(controller, names.controller_role, "secretsmanager:GetSecretValue", secret),
        ),
    ]


def _bucket() -> list[Row]:
    part, policy = "Image bucket of channel stable", iam_documents.bucket_policy(NAMES, STABLE)
    everything: Mapping[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    admin = f"arn:aws:iam::{ACCOUNT}:user/admin"
    key = f"arn:aws:s3:::{STABLE.bucket}/probe/sha256/{DIGEST}/probe.bin"
    fresh = {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
    over, part_of = {"s3:ObjectCreationOperation": "true"}, {"s3:ObjectCreationOperation": "false"}

    def row(who: str, does: str, principal: str, action: str, allowed: bool, context: dict[str, str]) -> Row:
        own = [] if principal == "*" else [everything]
        asked = Request(principal, action, key, context, ACCOUNT)
        return Row(part, who, does, allowed, lambda: evaluate(own, [policy], asked))

    return [
        row("an administrator", "reads over TLS", admin, "s3:GetObject", True, TLS),
        row("an administrator", "reads over plain HTTP", admin, "s3:GetObject", False, PLAIN),
        row("an administrator", "writes a key that is not there", admin, "s3:PutObject", True, {**TLS, **fresh}),
        row("an administrator", "overwrites an image", admin, "s3:PutObject", False, {**TLS, **over}),
        row("an administrator", "uploads a part of a large image", admin, "s3:PutObject", True, {**TLS, **part_of}),
        row("anybody", "reads", "*", "s3:GetObject", False, TLS),
    ]


def rows() -> list[Row]:
    """The whole matrix."""
    return [*_update_role(), *_conditions(), *_ota_role(), *_people(), *_operators(), *_workers(), *_bucket()]


def page() -> str:
    """docs/permissions.md."""
    lines = [
        "# Who may do what",
        "",
        "Judged by the policy evaluator over the documents that `infra/` registers for a stack with everything on, or,",
        "where a heading says so, without an option; a test holds this page equal to them. `make docs` writes it.",
        "AWS's own evaluation is not proved here: see docs/unproved.md.",
    ]
    part = ""
    for row in rows():
        if row.part != part:
            part = row.part
            lines += ["", f"## {part}", "", "| Who | Does what | Verdict |", "|---|---|---|"]
        lines.append(f"| {row.who} | {row.does} | {_WORDS[row.verdict]} |")
    return "\n".join(lines) + "\n"


_WORDS = {Decision.ALLOWED: "allowed", Decision.EXPLICIT_DENY: "denied", Decision.IMPLICIT_DENY: "not allowed"}

if __name__ == "__main__":
    sys.stdout.write(page())
