"""Creates the optional parts of a stack: FUOTA logs, a watch on edits by hand, the controller on a schedule."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from .containers import ECR_PULLS, ECS_TASKS, log_driver
from .iam_documents import IOT_WIRELESS, Names, allow, document, own_service_trust, service_trust
from .settings import Schedule

LOGS_ROLE = "IoTWirelessLogsRole"
EDITS = (
    "AssociateMulticastGroupWithFuotaTask",
    "AssociateWirelessDeviceWithFuotaTask",
    "DeleteFuotaTask",
    "DisassociateMulticastGroupFromFuotaTask",
    "DisassociateWirelessDeviceFromFuotaTask",
    "StartFuotaTask",
    "TagResource",
    "UntagResource",
    "UpdateFuotaTask",
)


def fuota_logs(names: Names, parent: pulumi.Resource | None) -> None:
    """Create the role under which AWS IoT Wireless writes its logs; it searches for this name, once in an account.

    Which level it writes is the API's alone (UpdateLogLevelsByResourceTypes); docs/operating.md has the command.
    """
    settings, inside = names.settings, pulumi.ResourceOptions(parent=parent)
    role = aws.iam.Role(
        names.logical("fuota-logs"),
        name=LOGS_ROLE,
        opts=inside,
        assume_role_policy=json.dumps(service_trust(settings, IOT_WIRELESS, conditions=False)),
    )
    where = names.arn("logs", "log-group:/aws/iotwireless*")
    actions = [
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    ]
    policy = document([allow("WriteLogs", actions, [where])])
    aws.iam.RolePolicy(
        names.logical("fuota-logs-write"), name="write-logs", role=role.id, policy=json.dumps(policy), opts=inside
    )


def watch_edits(names: Names, parent: pulumi.Resource | None) -> None:
    """Return a topic when anyone but the controller changes a FUOTA task (needs a CloudTrail trail)."""
    settings, inside = names.settings, pulumi.ResourceOptions(parent=parent)
    controller = names.role_arn(names.controller_role)
    pattern = {
        "source": ["aws.iotwireless"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": [IOT_WIRELESS],
            "eventName": list(EDITS),
            # A field that is not there matches no anything-but: a user's edit has no session.
            "$or": [
                {"userIdentity": {"type": [{"anything-but": "AssumedRole"}]}},
                {"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": [{"anything-but": controller}]}}}},
            ],
        },
    }
    rule = aws.cloudwatch.EventRule(
        names.logical("edits-by-hand"),
        name=f"{names.stem}_edits-by-hand",
        event_pattern=json.dumps(pattern),
        opts=inside,
    )
    aws.cloudwatch.EventTarget(
        names.logical("edits-by-hand-topic"), rule=rule.name, arn=settings.options.watch_topic, opts=inside
    )


def scheduled(
    names: Names, schedule: Schedule, controller_arn: pulumi.Output[str], parent: pulumi.Resource | None
) -> None:
    """Create `otactl reconcile` as a container task, run by EventBridge Scheduler; the journal is the S3 one."""
    settings, inside = names.settings, pulumi.ResourceOptions(parent=parent)
    boot = aws.iam.Role(
        names.logical("task-boot"),
        opts=inside,
        name=f"{names.stem}_task-boot",
        assume_role_policy=json.dumps(own_service_trust(settings, ECS_TASKS)),
    )
    group = aws.cloudwatch.LogGroup(
        names.logical("task-logs"), name=f"/otactl/{names.stem}", retention_in_days=90, opts=inside
    )
    boots = document(
        [
            allow("SignInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
            allow("PullImage", ECR_PULLS, [names.arn("ecr", "repository/*")]),
            allow(
                "WriteLogs",
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                [names.arn("logs", f"log-group:/otactl/{names.stem}:*")],
            ),
        ]
    )
    aws.iam.RolePolicy(
        names.logical("task-boot-policy"), name="boot", role=boot.id, policy=json.dumps(boots), opts=inside
    )
    journal = f"s3://{settings.options.journal_bucket}/journal"
    container = {
        "name": "otactl",
        "image": schedule.image,
        "essential": True,
        "command": ["reconcile", "/rollouts"],
        "environment": [
            {"name": "AWS_REGION", "value": settings.region},
            {"name": "OTACTL_JOURNAL", "value": journal},
        ],
    }
    task = aws.ecs.TaskDefinition(
        names.logical("reconcile"),
        opts=inside,
        family=f"{names.stem}_reconcile",
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu="256",
        memory="512",
        task_role_arn=controller_arn,
        execution_role_arn=boot.arn,
        container_definitions=group.name.apply(
            lambda name: json.dumps([{**container, "logConfiguration": log_driver(name, settings.region)}])
        ),
    )
    starter = aws.iam.Role(
        names.logical("scheduler"),
        opts=inside,
        name=f"{names.stem}_scheduler",
        assume_role_policy=json.dumps(own_service_trust(settings, "scheduler.amazonaws.com")),
    )
    family = names.arn("ecs", f"task-definition/{names.stem}_reconcile:*")
    passed = [names.role_arn(names.controller_role), names.role_arn(f"{names.stem}_task-boot")]
    to_ecs = {"iam:PassedToService": ECS_TASKS}
    runs = document(
        [
            allow("RunTask", ["ecs:RunTask"], [family], ArnEquals={"ecs:cluster": schedule.cluster}),
            allow("PassTaskRoles", ["iam:PassRole"], passed, StringEquals=to_ecs),
        ]
    )
    aws.iam.RolePolicy(
        names.logical("scheduler-runs"), name="run-task", role=starter.id, policy=json.dumps(runs), opts=inside
    )
    aws.scheduler.Schedule(
        names.logical("reconcile"),
        opts=inside,
        name=f"{names.stem}_reconcile",
        schedule_expression=schedule.every,
        flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
        target=aws.scheduler.ScheduleTargetArgs(
            arn=schedule.cluster,
            role_arn=starter.arn,
            ecs_parameters=aws.scheduler.ScheduleTargetEcsParametersArgs(
                task_definition_arn=task.arn,
                launch_type="FARGATE",
                network_configuration=aws.scheduler.ScheduleTargetEcsParametersNetworkConfigurationArgs(
                    subnets=list(schedule.subnets), security_groups=list(schedule.security_groups)
                ),
            ),
        ),
    )
