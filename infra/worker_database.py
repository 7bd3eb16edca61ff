"""Creates a PostgreSQL of RDS for journals and the queue of workers: private, encrypted, TLS only, backed up.

1. The password of its administrator is RDS's own, in Secrets Manager; neither the program nor its state holds one.
2. What would lose the journal is protected as buckets are, and a last snapshot is taken where it is not.
"""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from .iam_documents import Names
from .worker_settings import Database

ENGINE, FAMILY, PORT, NAME = "17", "postgres17", 5432, "otactl"
ADMIN = "otactl_admin"
LOGS, LOG_DAYS = ("postgresql", "upgrade"), 90


class WorkerDatabase(pulumi.ComponentResource):
    """The database; `host` is its address, `group` the security group that lets its clients in."""

    host: pulumi.Output[str]
    group: pulumi.Output[str]
    admin_secret: pulumi.Output[str]

    def __init__(self, names: Names, declared: Database, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("otactl:infra:WorkerDatabase", names.logical("database"), None, opts)
        protect = names.settings.options.protect
        child, kept = pulumi.ResourceOptions(parent=self), pulumi.ResourceOptions(parent=self, protect=protect)
        group = aws.ec2.SecurityGroup(
            names.logical("database-group"),
            name=f"{names.dashed}-database",
            description="PostgreSQL of otactl: its clients come in, nothing goes out",
            vpc_id=declared.vpc,
            opts=child,
        )
        self.group = group.id
        for client in declared.clients:
            self.let_in(names.logical(f"database-from-{client}"), client, child)
        subnets = aws.rds.SubnetGroup(
            names.logical("database-subnets"), name=names.dashed, subnet_ids=list(declared.subnets), opts=kept
        )
        parameters = aws.rds.ParameterGroup(
            names.logical("database-parameters"),
            name=names.dashed,
            family=FAMILY,
            parameters=[aws.rds.ParameterGroupParameterArgs(name="rds.force_ssl", value="1")],
            opts=kept,
        )
        logs = [
            aws.cloudwatch.LogGroup(
                names.logical(f"database-log-{log}"),
                name=f"/aws/rds/instance/{names.dashed}/{log}",
                retention_in_days=LOG_DAYS,
                opts=child,
            )
            for log in LOGS
        ]
        made = aws.rds.Instance(
            names.logical("database"),
            identifier=names.dashed,
            engine="postgres",
            engine_version=ENGINE,
            auto_minor_version_upgrade=True,
            instance_class=declared.instance_class,
            allocated_storage=declared.storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            multi_az=declared.two_zones,
            db_name=NAME,
            port=PORT,
            username=ADMIN,
            manage_master_user_password=True,
            iam_database_authentication_enabled=True,
            db_subnet_group_name=subnets.name,
            parameter_group_name=parameters.name,
            vpc_security_group_ids=[group.id],
            publicly_accessible=False,
            backup_retention_period=declared.backup_days,
            copy_tags_to_snapshot=True,
            delete_automated_backups=False,
            deletion_protection=protect,
            skip_final_snapshot=False,
            final_snapshot_identifier=f"{names.dashed}-last",
            enabled_cloudwatch_logs_exports=list(LOGS),
            opts=pulumi.ResourceOptions(parent=self, protect=protect, depends_on=logs),
        )
        self.host = made.address
        self.admin_secret = made.master_user_secrets.apply(lambda found: (found[0].secret_arn if found else None) or "")
        self.register_outputs({"host": self.host})

    def let_in(self, name: str, client: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
        """Let the members of a security group connect."""
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=self.group,
            referenced_security_group_id=client,
            description="PostgreSQL",
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            opts=opts,
        )
