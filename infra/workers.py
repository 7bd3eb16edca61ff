"""Creates the workers: `otactl workers` as a service of ECS on Fargate, in private subnets, as ControllerRole.

1. A container has no public address, no capabilities and a root file system that it cannot write.
2. It reaches the database and HTTPS, and nothing reaches it: its health is asked inside the container.
3. The password of its database user is read from Secrets Manager by the role that boots it, and by no other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from . import worker_settings
from .containers import ECS_TASKS, log_driver, pull_image
from .iam_documents import Document, Names, allow, document, own_service_trust
from .worker_database import NAME, PORT, WorkerDatabase

LOG_DAYS = 90
STOP_SECONDS = 120  # the most that Fargate waits between SIGTERM and SIGKILL
OWN_MIB = 256  # of the worker itself; its passes share the rest
HEALTH = "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=3)"


@dataclass(frozen=True, kw_only=True)
class WorkersArgs:
    """What workers need besides their database: their settings, the VPC, and the role that they work with."""

    names: Names
    declared: worker_settings.Workers
    vpc: str
    controller: pulumi.Output[str]


class Workers(pulumi.ComponentResource):
    """The service and what it needs."""

    def __init__(self, args: WorkersArgs, database: WorkerDatabase, opts: pulumi.ResourceOptions | None = None) -> None:
        names, declared = args.names, args.declared
        super().__init__("otactl:infra:Workers", names.logical("workers"), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = self._network(names, args.vpc, database, child)
        boot = aws.iam.Role(
            names.logical("workers-boot"),
            name=f"{names.stem}_workers-boot",
            description="ECS boots the workers of otactl",
            assume_role_policy=json.dumps(own_service_trust(names.settings, ECS_TASKS)),
            opts=child,
        )
        aws.iam.RolePolicy(
            names.logical("workers-boot-policy"),
            name="boot",
            role=boot.id,
            policy=json.dumps(boot_policy(names, declared)),
            opts=child,
        )
        logs = aws.cloudwatch.LogGroup(
            names.logical("workers-logs"), name=log_group(names), retention_in_days=LOG_DAYS, opts=child
        )
        task = aws.ecs.TaskDefinition(
            names.logical("workers-task"),
            family=f"{names.stem}_workers",
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(declared.cpu),
            memory=str(declared.memory),
            task_role_arn=args.controller,
            execution_role_arn=boot.arn,
            volumes=[aws.ecs.TaskDefinitionVolumeArgs(name="tmp")],
            container_definitions=pulumi.Output.all(logs.name, database.host).apply(
                lambda found: json.dumps([container(names, declared, log_group=found[0], host=found[1])])
            ),
            opts=child,
        )
        aws.ecs.Service(
            names.logical("workers-service"),
            name=f"{names.stem}_workers",
            cluster=declared.cluster,
            task_definition=task.arn,
            launch_type="FARGATE",
            desired_count=declared.count,
            enable_execute_command=False,
            propagate_tags="SERVICE",
            # Passes are exclusive by the lease, so old and new workers may run side by side.
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=list(declared.subnets), security_groups=[group], assign_public_ip=False
            ),
            opts=child,
        )
        self.register_outputs({})

    @staticmethod
    def _network(names: Names, vpc: str, database: WorkerDatabase, child: pulumi.ResourceOptions) -> pulumi.Output[str]:
        group = aws.ec2.SecurityGroup(
            names.logical("workers-group"),
            name=f"{names.dashed}-workers",
            description="Workers of otactl: nothing comes in, HTTPS and PostgreSQL go out",
            vpc_id=vpc,
            opts=child,
        )
        aws.vpc.SecurityGroupEgressRule(
            names.logical("workers-to-https"),
            security_group_id=group.id,
            description="The services, the registry, Git",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=child,
        )
        aws.vpc.SecurityGroupEgressRule(
            names.logical("workers-to-database"),
            security_group_id=group.id,
            description="PostgreSQL",
            referenced_security_group_id=database.group,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            opts=child,
        )
        database.let_in(names.logical("database-from-workers"), group.id, child)
        return group.id


def log_group(names: Names) -> str:
    """Return the log group of the workers."""
    return f"/otactl/{names.stem}/workers"


def boot_policy(names: Names, declared: worker_settings.Workers) -> Document:
    """Return what boots a worker may: pull its image, write its log, read the one password."""
    secret = declared.password_secret
    decrypt = allow(
        "DecryptPassword",
        ["kms:Decrypt"],
        [declared.password_key],
        StringEquals={"kms:ViaService": names.via("secretsmanager"), "kms:EncryptionContext:SecretARN": secret},
    )
    streams = names.arn("logs", f"log-group:{log_group(names)}:*")
    return document(
        [
            *pull_image(declared.image, names.settings.partition),
            allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [streams]),
            allow("ReadPassword", ["secretsmanager:GetSecretValue"], [secret]),
            *([decrypt] if declared.password_key else []),
        ]
    )


def container(names: Names, declared: worker_settings.Workers, *, log_group: str, host: str) -> dict[str, object]:
    """Return the container of a worker; libpq takes the connection from the PG… variables."""
    settings = names.settings
    environment = {
        "AWS_REGION": settings.region,
        "OTACTL_JOURNAL": f"postgresql:///{NAME}",
        "PGDATABASE": NAME,
        "PGHOST": host,
        "PGPORT": str(PORT),
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": declared.ca_file,
        "PGUSER": declared.user,
    }
    return {
        "name": "otactl",
        "image": declared.image,
        "essential": True,
        "command": [
            "workers",
            "run",
            "--source",
            declared.source,
            "--grace",
            f"{STOP_SECONDS - 30}s",
            "--concurrency",
            str(declared.concurrency),
            "--pass-memory",
            str((declared.memory - OWN_MIB) // declared.concurrency),
        ],
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        "secrets": [{"name": "PGPASSWORD", "valueFrom": declared.password_secret}],
        "user": "65532:65532",
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],  # noqa: S108 - a volume of its own
        "stopTimeout": STOP_SECONDS,
        "healthCheck": {
            "command": ["CMD", "python", "-c", HEALTH],
            "interval": 30,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 60,
        },
        "logConfiguration": log_driver(log_group, settings.region),
    }
