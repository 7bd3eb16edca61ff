"""Reads the settings of workers and of their database. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from .config_reader import Reader

CLUSTER = re.compile(r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:cluster/.+")
IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:@-]+")
SECRET = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}")
KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")
SUBNET, GROUP = re.compile(r"subnet-[0-9a-f]+"), re.compile(r"sg-[0-9a-f]+")
_VPC = re.compile(r"vpc-[0-9a-f]+")
_CLASS = re.compile(r"db\.[a-z0-9-]+\.[a-z0-9]+")
_USER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PATH = re.compile(r"/[A-Za-z0-9._/-]+")
_SOURCE = re.compile(r"(git\+https://|s3://|/)[^\s@]\S*")
# AWS Fargate, "Task CPU and memory": the memory in MiB that goes with each number of CPU units.
MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
}


@dataclass(frozen=True, kw_only=True)
class Database:
    """A PostgreSQL of RDS in private subnets; `clients` are security groups besides the workers' that may connect."""

    vpc: str
    subnets: tuple[str, ...]
    clients: tuple[str, ...] = ()
    instance_class: str = "db.t4g.small"
    storage_gib: int = 20
    backup_days: int = 14
    two_zones: bool = True


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The workers as a service of ECS on Fargate.

    `password_secret` holds the password of the database user `user`; `password_key` encrypts it, if it is a customer's.
    `ca_file` is the path in the image of the certificates that RDS signs with. `source` is where manifests are read.
    """

    image: str
    cluster: str
    subnets: tuple[str, ...]
    password_secret: str
    password_key: str = ""
    user: str = "otactl"
    ca_file: str = "/etc/otactl/rds-ca.pem"
    source: str = "/rollouts"
    count: int = 2
    concurrency: int = 2
    cpu: int = 512
    memory: int = 2048

    @property
    def source_bucket(self) -> tuple[str, str]:
        """Return the bucket that manifests are read from and the prefix in it; empty where they are elsewhere."""
        if not self.source.startswith("s3://"):
            return "", ""
        bucket, _, prefix = self.source.removeprefix("s3://").partition("/")
        return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""


def database(given: Reader | None) -> Database | None:
    """Return the database that a stack asks for."""
    if given is None:
        return None
    found = Database(
        vpc=given.text("vpc", _VPC, "vpc-…"),
        subnets=given.texts("subnets", SUBNET, "subnet-…, in two zones at least", least=2),
        clients=given.texts("clients", GROUP, "sg-…"),
        instance_class=given.text("instanceClass", _CLASS, "a class of RDS, such as db.t4g.small", "db.t4g.small"),
        storage_gib=given.number("storageGib", 20, 20, 65536),
        backup_days=given.number("backupDays", 14, 1, 35),
        two_zones=given.flag("twoZones", True),
    )
    given.end()
    return found


def workers(given: Reader | None) -> Workers | None:
    """Return the workers that a stack asks for."""
    if given is None:
        return None
    secret = given.inner("passwordSecret")
    if secret is None:
        given.refuse("passwordSecret", "is missing; it is {arn, key?} of the secret with the database user's password")
    found = Workers(
        image=given.text("image", IMAGE, "a container image"),
        cluster=given.text("cluster", CLUSTER, "an ECS cluster's ARN"),
        subnets=given.texts("subnets", SUBNET, "subnet-…", least=1),
        password_secret=secret.text("arn", SECRET, "the whole ARN of a secret whose text is the password"),
        password_key=secret.text("key", KEY, "the ARN of the KMS key that encrypts the secret", ""),
        user=given.text("user", _USER, "the name of the database user", "otactl"),
        ca_file=given.text("caFile", _PATH, "a path in the image", "/etc/otactl/rds-ca.pem"),
        source=given.text("source", _SOURCE, "git+https://…, s3://… or a folder of the image", "/rollouts"),
        count=given.number("count", 2, 0, 100),
        concurrency=given.number("concurrency", 2, 1, 16),
        cpu=given.number("cpu", 512, 256, 4096),
        memory=given.number("memory", 2048, 512, 30720),
    )
    secret.end()
    given.end()
    if found.memory not in MEMORY.get(found.cpu, ()):
        _refuse_size(given, found)
    if found.memory < (found.concurrency + 1) * 256:
        given.refuse("concurrency", f"is {found.concurrency}; a pass needs 256 MiB at least, so raise memory")
    return found


def _refuse_size(given: Reader, found: Workers) -> NoReturn:
    sizes = MEMORY.get(found.cpu)
    if sizes is None:
        given.refuse("cpu", f"is {found.cpu}; Fargate has {', '.join(map(str, MEMORY))}")
    given.refuse("memory", f"is {found.memory}; with cpu {found.cpu} Fargate has {', '.join(map(str, sizes))}")
