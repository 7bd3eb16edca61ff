"""Defines a stack's typed settings; the first missing or wrong key stops the program with its name and file.

Pure: what Pulumi read goes in as plain values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from .config_reader import Reader, SettingsError
from .regions import IOT_CORE, IOT_WIRELESS_API, domain_of, partition_of, regions_of
from .worker_settings import CLUSTER, GROUP, IMAGE, KEY, SECRET, SUBNET, Database, Workers, database, workers

_ACCOUNT = re.compile(r"\d{12}")
_OWNER = re.compile(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?")
_CHANNEL = re.compile(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?")
_BUCKET = re.compile(r"(?!xn--|sthree-)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9]([a-z0-9-]{1,61})[a-z0-9](?<!-s3alias)")
_PREFIX = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*/)*")
# GitHub's immutable subject claims put the ids behind owner and name.
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(@\d+)?/[A-Za-z0-9._-]+(@\d+)?")
_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(root|role/.+|user/.+)")
_PROVIDER = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:oidc-provider/token\.actions\.githubusercontent\.com")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]+")
_RETAIN_MODE = re.compile("GOVERNANCE|COMPLIANCE")
_EVERY = re.compile(r"rate\([1-9]\d* (minute|minutes|hour|hours)\)|cron\([^()]+\)")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One stream of images: a bucket, the prefix in it, and how long versions are kept.

    Object Lock keeps every version for `retain_years`, if not 0.
    """

    name: str
    bucket: str
    prefix: str = ""
    kms: bool = False
    access_logs: str = ""
    noncurrent_days: int = 365
    retain_years: int = 0
    retain_mode: str = "GOVERNANCE"

    @property
    def kept_days(self) -> int:
        """Return the days that replaced versions are kept: as declared, or as long as Object Lock keeps them."""
        return max(self.noncurrent_days, -(-self.retain_years * 36525 // 100))


@dataclass(frozen=True, kw_only=True)
class Github:
    """A repository whose workflows may assume the roles: `branch` or `environment` reconciles, pull requests plan."""

    repository: str
    branch: str = "main"
    environment: str = ""
    provider: str = ""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The controller as a container task, run by EventBridge Scheduler."""

    image: str
    cluster: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    every: str = "rate(5 minutes)"


@dataclass(frozen=True, kw_only=True)
class TuyaSecret:
    """The secret that spec.tuya.secretArn of the environment names; `key` encrypts it, if it is a customer's."""

    arn: str
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is off unless given."""

    journal_bucket: str = ""
    fuota: bool = True
    iot_ota: bool = False
    prove_versions: bool = False
    signing_profiles: bool = False
    source_conditions: bool = False
    protect: bool = True
    wireless_logs: bool = False
    watch_topic: str = ""
    schedule: Schedule | None = None
    tuya_secret: TuyaSecret | None = None
    database: Database | None = None
    workers: Workers | None = None

    @property
    def container(self) -> bool:
        """Return whether a container of the stack works as ControllerRole."""
        return self.schedule is not None or self.workers is not None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the program is configured with."""

    stack: str
    account: str
    region: str
    owner: str
    channels: tuple[Channel, ...]
    github: Github | None = None
    principals: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)

    @property
    def partition(self) -> str:
        """Return the partition of the stack's Region, as its ARNs have it."""
        return partition_of(self.region)

    @property
    def domain(self) -> str:
        """Return the DNS suffix of the stack's Region."""
        return domain_of(self.region)


def settings(given: Mapping[str, object], *, region: object, stack: str, source: str = "") -> Settings:
    """Read the `otactl:` values of a stack; SettingsError names the first that is wrong, and its source."""
    file = source or f"Pulumi.{stack}.yaml"
    reader = Reader(file, "otactl", given)
    if not _CHANNEL.fullmatch(stack):
        raise SettingsError(f"{file}: a stack is an environment: at most 20 characters, a-z, 0-9 and -, not {stack!r}")
    if not isinstance(region, str) or not region:
        raise SettingsError(f"{file}: aws:region is missing; it is the environment's Region")
    if not partition_of(region):
        raise SettingsError(f"{file}: aws:region is {region!r}, which is in no partition of AWS; such as eu-west-1")
    account = reader.text("account", _ACCOUNT, "the 12 digits of the account")
    owner = reader.text("owner", _OWNER, "a name of at most 12 characters, a-z, 0-9 and -")
    channels = _channels(reader, file)
    github, principals = _access(reader)
    options = _options(reader, wireless=region in regions_of(IOT_WIRELESS_API))
    reader.end()
    _serves(file, region, options)
    here, partition = f":{region}:{account}:", f"arn:{partition_of(region)}:"
    for name, arn in _arns(options):
        if here not in arn or not arn.startswith(partition):
            reader.refuse(f"options.{name}", f"is {arn}; it must be of this Region and account")
    principals = tuple(_in_partition(arn, region) for arn in principals)
    if github is not None:
        github = replace(github, provider=_in_partition(github.provider, region))
    if github is None and not principals:
        reader.refuse("access", "names no one; set github.repository or principals")
    names = [c.bucket for c in channels] + ([options.journal_bucket] if options.journal_bucket else [])
    if len(set(names)) < len(names):
        reader.refuse("channels", "share a bucket with each other or with the journal; each needs its own")
    return Settings(
        stack=stack,
        account=account,
        region=region,
        owner=owner,
        channels=channels,
        github=github,
        principals=principals,
        options=options,
    )


def _in_partition(arn: str, region: str) -> str:
    """Return an ARN of IAM as the stack's partition has it: it names no Region, and no other partition can be meant."""
    return re.sub(r"^arn:[a-z-]+:", f"arn:{partition_of(region)}:", arn)


def _serves(file: str, region: str, options: Options) -> None:
    """Refuse a Region that what is asked for is not in: FUOTA needs AWS IoT Wireless, OTA updates AWS IoT Core."""
    wireless, core = regions_of(IOT_WIRELESS_API), regions_of(IOT_CORE)
    message = f"{file}: aws:region is {region!r}, where AWS IoT"
    if options.fuota and region not in wireless:
        raise SettingsError(f"{message} Wireless does not exist; it is in {', '.join(sorted(wireless))}")
    if options.iot_ota and region not in core:
        raise SettingsError(f"{message} Core does not exist; it is in {', '.join(sorted(core))}")
    if not options.fuota and not options.iot_ota and options.tuya_secret is None:
        text = "does not exist" if region not in wireless else "is switched off by options.fuota"
        hint = f"it is in {', '.join(sorted(wireless))}; a stack elsewhere has options.iotOta or options.tuyaSecret"
        raise SettingsError(f"{message} Wireless {text}; {hint}")
    if options.wireless_logs and not options.fuota:
        raise SettingsError(f"{file}: otactl:options.wirelessLogs needs FUOTA, which this stack is without")


def _arns(options: Options) -> Iterator[tuple[str, str]]:
    """Yield the ARNs of what is used where the stack is, by their names."""
    if options.watch_topic:
        yield "watchTopic", options.watch_topic
    if options.schedule is not None:
        yield "schedule.cluster", options.schedule.cluster
    if options.tuya_secret is not None:
        yield "tuyaSecret.arn", options.tuya_secret.arn
        if options.tuya_secret.key:
            yield "tuyaSecret.key", options.tuya_secret.key
    if options.workers is not None:
        yield "workers.cluster", options.workers.cluster
        yield "workers.passwordSecret.arn", options.workers.password_secret
        if options.workers.password_key:
            yield "workers.passwordSecret.key", options.workers.password_key


def _channels(reader: Reader, file: str) -> tuple[Channel, ...]:
    listed = reader.take("channels")
    if not isinstance(listed, list) or not listed:
        reader.refuse("channels", "must be a list with at least one channel, such as [{name: stable, bucket: …}]")
    found = []
    for number, item in enumerate(listed):
        one = Reader(file, f"otactl:channels[{number}]", item)
        found.append(
            Channel(
                name=one.text("name", _CHANNEL, "a name of at most 20 characters, a-z, 0-9 and -"),
                bucket=one.text("bucket", _BUCKET, "a DNS-safe bucket name: 3 to 63 of a-z, 0-9 and -"),
                prefix=one.text("prefix", _PREFIX, "empty or a path that ends with /", ""),
                kms=one.flag("kms", False),
                access_logs=one.text("accessLogs", _BUCKET, "the name of the bucket that takes the logs", ""),
                noncurrent_days=one.number("noncurrentDays", 365, 1, 3650),
                retain_years=one.number("retainYears", 0, 0, 30),
                retain_mode=one.text("retainMode", _RETAIN_MODE, "GOVERNANCE or COMPLIANCE", "GOVERNANCE"),
            )
        )
        if found[-1].retain_mode == "COMPLIANCE" and not found[-1].retain_years:
            one.refuse("retainMode", "needs retainYears: how many years no one may delete an image")
        if found[-1].access_logs == found[-1].bucket:
            one.refuse("accessLogs", "is the bucket itself; logs of a bucket in itself never stop")
        one.end()
    if len({c.name for c in found}) < len(found):
        reader.refuse("channels", "have a name twice; each needs its own")
    return tuple(found)


def _access(reader: Reader) -> tuple[Github | None, tuple[str, ...]]:
    access = reader.inner("access")
    if access is None:
        return None, ()
    github, given = None, access.inner("github")
    if given is not None:
        github = Github(
            repository=given.text("repository", _REPOSITORY, "owner/name, or owner@id/name@id"),
            branch=given.text("branch", re.compile(r"[A-Za-z0-9._/-]+"), "a branch", "main"),
            environment=given.text("environment", re.compile(r"[A-Za-z0-9._ -]+"), "a GitHub environment", ""),
            provider=given.text("provider", _PROVIDER, "the ARN of the account's GitHub OIDC provider", ""),
        )
        given.end()
    principals = access.texts("principals", _ARN, "an ARN of a role, a user or an account's root")
    access.end()
    return github, principals


def _options(reader: Reader, *, wireless: bool) -> Options:
    """Return what is asked for; FUOTA is, where the Region has AWS IoT Wireless, unless it is switched off."""
    given = reader.inner("options")
    if given is None:
        return Options(fuota=wireless)
    found = Options(
        journal_bucket=given.text("journalBucket", _BUCKET, "a DNS-safe bucket name", ""),
        fuota=given.flag("fuota", wireless),
        iot_ota=given.flag("iotOta", False),
        prove_versions=given.flag("proveVersions", False),
        signing_profiles=given.flag("signingProfiles", False),
        source_conditions=given.flag("sourceConditions", False),
        protect=given.flag("protect", True),
        wireless_logs=given.flag("wirelessLogs", False),
        watch_topic=given.text("watchTopic", _TOPIC, "the ARN of an SNS topic", ""),
        schedule=_schedule(given.inner("schedule")),
        tuya_secret=_tuya_secret(given.inner("tuyaSecret")),
        database=database(given.inner("database")),
        workers=workers(given.inner("workers")),
    )
    given.end()
    if found.workers is not None and found.database is None:
        reader.refuse("options.workers", "needs options.database: their queue and journal are on PostgreSQL")
    if found.workers is not None and found.schedule is not None:
        reader.refuse("options.workers", "and options.schedule keep two journals of one fleet; choose one of them")
    if found.schedule is not None and not found.journal_bucket:
        reader.refuse("options.schedule", "needs options.journalBucket: a container has no disk to keep a journal on")
    if found.signing_profiles and not found.iot_ota:
        reader.refuse("options.signingProfiles", "needs options.iotOta: the OTA service role creates them")
    return found


def _schedule(given: Reader | None) -> Schedule | None:
    if given is None:
        return None
    found = Schedule(
        image=given.text("image", IMAGE, "a container image"),
        cluster=given.text("cluster", CLUSTER, "an ECS cluster's ARN"),
        subnets=given.texts("subnets", SUBNET, "subnet-…", least=1),
        security_groups=given.texts("securityGroups", GROUP, "sg-…"),
        every=given.text("every", _EVERY, "rate(…) or cron(…) of EventBridge Scheduler", "rate(5 minutes)"),
    )
    given.end()
    return found


def _tuya_secret(given: Reader | None) -> TuyaSecret | None:
    if given is None:
        return None
    found = TuyaSecret(
        arn=given.text("arn", SECRET, "the whole ARN of a secret, as spec.tuya.secretArn has it"),
        key=given.text("key", KEY, "the ARN of the KMS key that encrypts the secret", ""),
    )
    given.end()
    return found
