"""Keeps the types that moto behind the simulator lacks as they were given; nothing of their services is proved."""

from __future__ import annotations

from typing import ClassVar
from uuid import NAMESPACE_URL, uuid5

from tests.support.pulumi.provider.cloud import Cloud, Properties
from tests.support.pulumi.provider.kind import Kind


class Recorded(Kind):
    """A resource that is only kept; its id is its name."""

    tagged = True
    computed: ClassVar[tuple[str, ...]] = ("arn",)
    replaces: ClassVar[frozenset[str]] = frozenset({"name", "namePrefix"})
    named: ClassVar[str] = "name"

    def identify(self, cloud: Cloud, given: Properties) -> str:
        """Return the id it gets."""
        return str(given[self.named])

    def arn(self, cloud: Cloud, identifier: str) -> str:
        """Return the ARN it gets."""
        raise NotImplementedError

    def create(self, cloud: Cloud, given: Properties) -> str:
        identifier = self.identify(cloud, given)
        self._keep(cloud, identifier, given)
        return identifier

    def read(self, cloud: Cloud, identifier: str) -> Properties | None:
        return cloud.recorded(type(self).__name__, identifier)

    def update(self, cloud: Cloud, identifier: str, olds: Properties, news: Properties) -> None:
        self._keep(cloud, identifier, news)

    def delete(self, cloud: Cloud, identifier: str, state: Properties) -> None:
        cloud.forget(type(self).__name__, identifier)

    def _keep(self, cloud: Cloud, identifier: str, given: Properties) -> None:
        tags = {"tagsAll": self.all_tags(cloud, given)} if self.tagged else {}
        cloud.record(type(self).__name__, identifier, {**given, "arn": self.arn(cloud, identifier), **tags})


class Key(Recorded):
    documents, named, replaces = ("policy",), "", frozenset({"customerMasterKeySpec", "keyUsage", "multiRegion"})

    def identify(self, cloud: Cloud, given: Properties) -> str:
        return str(uuid5(NAMESPACE_URL, cloud.arn("kms", str(given.get("description")))))

    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("kms", f"key/{identifier}")


class EventRule(Recorded):
    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("events", f"rule/{identifier}")


class EventTarget(Recorded):
    """What a rule sends to; `arn` is its input."""

    tagged, named, computed, replaces = False, "", (), frozenset({"rule", "targetId", "eventBusName"})

    def identify(self, cloud: Cloud, given: Properties) -> str:
        return f"{given['rule']}-{given.get('targetId', 'target')}"

    def _keep(self, cloud: Cloud, identifier: str, given: Properties) -> None:
        cloud.record("EventTarget", identifier, given)


class LogGroup(Recorded):
    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("logs", f"log-group:{identifier}")


class TaskDefinition(Recorded):
    """A revision is never changed: every change replaces it by the family's next."""

    named = "family"
    replaces = frozenset(
        {"containerDefinitions", "cpu", "executionRoleArn", "family", "memory", "networkMode", "taskRoleArn"}
    )

    def create(self, cloud: Cloud, given: Properties) -> str:
        family = self.identify(cloud, given)
        cloud.record("TaskDefinitionRevision", family, {"last": self._last(cloud, family) + 1})
        return super().create(cloud, given)

    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("ecs", f"task-definition/{identifier}:{self._last(cloud, identifier)}")

    def _last(self, cloud: Cloud, family: str) -> int:
        return int((cloud.recorded("TaskDefinitionRevision", family) or {"last": 0})["last"])


class Schedule(Recorded):
    tagged, replaces = False, frozenset({"groupName", "name", "namePrefix"})

    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("scheduler", f"schedule/default/{identifier}")


class SecurityGroup(Recorded):
    """A security group; its id is what rules name."""

    replaces = frozenset({"description", "name", "namePrefix", "vpcId"})

    def identify(self, cloud: Cloud, given: Properties) -> str:
        return f"sg-{uuid5(NAMESPACE_URL, str(given['name'])).hex[:17]}"

    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("ec2", f"security-group/{identifier}")


class SecurityGroupRule(Recorded):
    named, replaces = "", frozenset({"securityGroupId"})

    def identify(self, cloud: Cloud, given: Properties) -> str:
        said = sorted((name, str(value)) for name, value in given.items())
        return f"sgr-{uuid5(NAMESPACE_URL, str(said)).hex[:17]}"

    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("ec2", f"security-group-rule/{identifier}")


class SubnetGroup(Recorded):
    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("rds", f"subgrp:{identifier}")


class ParameterGroup(Recorded):
    replaces = frozenset({"description", "family", "name", "namePrefix"})

    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("rds", f"pg:{identifier}")


class DatabaseInstance(Recorded):
    """A database of RDS, with the address and the administrator's secret that RDS gives it."""

    named = "identifier"
    computed = ("address", "arn", "masterUserSecrets")
    replaces = frozenset({"dbName", "dbSubnetGroupName", "engine", "kmsKeyId", "storageEncrypted", "username"})

    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("rds", f"db:{identifier}")

    def read(self, cloud: Cloud, identifier: str) -> Properties | None:
        found = super().read(cloud, identifier)
        if found is None:
            return None
        secret = {"secretArn": cloud.arn("secretsmanager", f"secret:rds!db-{identifier}-AbCdEf")}
        region = secret["secretArn"].split(":")[3]
        return {**found, "address": f"{identifier}.c1.{region}.rds.amazonaws.com", "masterUserSecrets": [secret]}


class Service(Recorded):
    replaces = frozenset({"cluster", "launchType", "name"})

    def arn(self, cloud: Cloud, identifier: str) -> str:
        return cloud.arn("ecs", f"service/{identifier}")


KINDS: dict[str, Kind] = {
    "aws:kms/key:Key": Key(),
    "aws:cloudwatch/eventRule:EventRule": EventRule(),
    "aws:cloudwatch/eventTarget:EventTarget": EventTarget(),
    "aws:cloudwatch/logGroup:LogGroup": LogGroup(),
    "aws:ecs/taskDefinition:TaskDefinition": TaskDefinition(),
    "aws:scheduler/schedule:Schedule": Schedule(),
    "aws:ec2/securityGroup:SecurityGroup": SecurityGroup(),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": SecurityGroupRule(),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": SecurityGroupRule(),
    "aws:rds/subnetGroup:SubnetGroup": SubnetGroup(),
    "aws:rds/parameterGroup:ParameterGroup": ParameterGroup(),
    "aws:rds/instance:Instance": DatabaseInstance(),
    "aws:ecs/service:Service": Service(),
}
