"""A stack's settings: the first missing or wrong key ends the program with one line that names it and its file."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest

from infra import ota_permissions, permissions
from infra.iam_documents import Names, document, people_trust
from infra.regions import IOT_CORE, IOT_WIRELESS_API, domain_of, regions_of
from infra.settings import Settings, SettingsError
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import ACCOUNT, DATABASE, PASSWORD, SECRET, SECRET_KEY, SMALL, WHOLE, WORKING


def channel(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "stable", "bucket": "acme-firmware-eu", **changes}]


def database(**changes: Any) -> dict[str, Any]:
    return {"database": {**DATABASE, **changes}}


def workers(**changes: Any) -> dict[str, Any]:
    return {"database": DATABASE, "workers": {k: v for k, v in {**WORKING, **changes}.items() if v is not None}}


CASES: list[tuple[str, Any, str]] = [
    ("aws:region", None, "aws:region is missing"),
    ("aws:region", "eu-west-3", "aws:region is 'eu-west-3', where AWS IoT Wireless does not exist"),
    ("otactl:account", None, "otactl:account is missing; it is the 12 digits of the account"),
    ("otactl:account", 123456789012, "otactl:account is a number; it is the 12 digits of the account, quoted"),
    ("otactl:account", "12345", "otactl:account is '12345'"),
    ("otactl:owner", "Acme Corp", "otactl:owner is 'Acme Corp'"),
    ("otactl:channels", None, "otactl:channels must be a list with at least one channel"),
    ("otactl:channels", [], "otactl:channels must be a list with at least one channel"),
    ("otactl:channels", ["stable"], "otactl:channels[0] is text; it must be an object"),
    ("otactl:channels", [{"bucket": "acme-firmware-eu"}], "otactl:channels[0].name is missing"),
    ("otactl:channels", channel(bucket="Acme_Firmware"), "otactl:channels[0].bucket is 'Acme_Firmware'"),
    ("otactl:channels", channel(bucket="192.168.0.1"), "otactl:channels[0].bucket is '192.168.0.1'"),
    ("otactl:channels", channel(bucket="a"), "otactl:channels[0].bucket is 'a'"),
    ("otactl:channels", channel(prefix="no-slash"), "otactl:channels[0].prefix is 'no-slash'"),
    ("otactl:channels", channel(kms="yes"), "otactl:channels[0].kms is text; it must be true or false"),
    ("otactl:channels", channel(noncurrentDays=0), "otactl:channels[0].noncurrentDays is 0"),
    ("otactl:channels", channel(retainYears=31), "otactl:channels[0].retainYears is 31; it is a whole number from 0"),
    ("otactl:channels", channel(retainMode="legal"), "otactl:channels[0].retainMode is 'legal'; it is GOVERNANCE or"),
    ("otactl:channels", channel(retainMode="COMPLIANCE"), "otactl:channels[0].retainMode needs retainYears"),
    ("otactl:channels", channel(colour="red"), "otactl:channels[0].colour is not a setting"),
    ("otactl:channels", channel() + channel(bucket="another"), "otactl:channels have a name twice"),
    ("otactl:channels", channel() + channel(name="beta"), "otactl:channels share a bucket"),
    ("otactl:access", None, "otactl:access names no one"),
    ("otactl:access", {"principals": ["everyone"]}, "otactl.access.principals must be a list"),
    ("otactl:access", {"github": {"repository": "firmware"}}, "otactl.access.github.repository is 'firmware'"),
    ("otactl:options", {"journalbucket": "x"}, "otactl.options.journalbucket is not a setting"),
    ("otactl:options", {"wirelessLogs": "INFO"}, "otactl.options.wirelessLogs is text; it must be true or false"),
    ("otactl:options", {"watchTopic": "arn:aws:sns:us-east-1:123456789012:x"}, "it must be of this Region and account"),
    ("otactl:channels", channel(accessLogs="acme-firmware-eu"), "otactl:channels[0].accessLogs is the bucket itself"),
    ("otactl:options", {"schedule": {}}, "otactl.options.schedule.image is missing"),
    ("otactl:options", {"tuyaSecret": {}}, "otactl.options.tuyaSecret.arn is missing; it is the whole ARN of a secret"),
    ("otactl:options", {"tuyaSecret": SECRET}, "otactl.options.tuyaSecret is text; it must be an object"),
    (
        "otactl:options",
        {"tuyaSecret": {"arn": f"{SECRET[:-6]}*"}},
        "otactl.options.tuyaSecret.arn is 'arn:aws:secretsm",
    ),
    (
        "otactl:options",
        {"tuyaSecret": {"arn": SECRET[:-7]}},
        "otactl.options.tuyaSecret.arn is 'arn:aws:secretsmanager",
    ),
    ("otactl:options", {"tuyaSecret": {"arn": SECRET, "key": "*"}}, "otactl.options.tuyaSecret.key is '*'"),
    ("otactl:options", {"tuyaSecret": {"arn": SECRET, "name": "x"}}, "otactl.options.tuyaSecret.name is not a setting"),
    (
        "otactl:options",
        {"tuyaSecret": {"arn": SECRET.replace("eu-west-1", "us-east-1")}},
        "tuyaSecret.arn is arn:aws:se",
    ),
    (
        "otactl:options",
        {"tuyaSecret": {"arn": SECRET, "key": SECRET_KEY.replace(ACCOUNT, "210987654321")}},
        "tuyaSecret.key is arn:aws:kms",
    ),
    ("otactl:options", {"workers": WORKING}, "otactl:options.workers needs options.database"),
    ("otactl:options", {"database": {"vpc": "10.0.0.0/16"}}, "otactl.options.database.vpc is '10.0.0.0/16'"),
    ("otactl:options", database(subnets=["subnet-0a"]), "otactl.options.database.subnets needs at least 2"),
    ("otactl:options", database(storageGib=5), "otactl.options.database.storageGib is 5; it is a whole number from 20"),
    ("otactl:options", database(public=True), "otactl.options.database.public is not a setting"),
    ("otactl:options", workers(passwordSecret=None), "otactl.options.workers.passwordSecret is missing; it is {arn"),
    ("otactl:options", workers(passwordSecret={"arn": "secret"}), "otactl.options.workers.passwordSecret.arn is 'secr"),
    ("otactl:options", workers(cpu=300), "otactl.options.workers.cpu is 300; Fargate has 256, 512, 1024"),
    ("otactl:options", workers(cpu=256, memory=4096), "otactl.options.workers.memory is 4096; with cpu 256 Fargate"),
    (
        "otactl:options",
        workers(concurrency=9),
        "otactl.options.workers.concurrency is 9; a pass needs 256 MiB at least",
    ),
    ("otactl:options", workers(source="git+ssh://h/r"), "otactl.options.workers.source is 'git+ssh://h/r'"),
    ("otactl:options", workers(assignPublicIp=True), "otactl.options.workers.assignPublicIp is not a setting"),
    (
        "otactl:options",
        workers(passwordSecret={"arn": PASSWORD.replace("eu-west-1", "us-east-1")}),
        "workers.passwordSecret.arn is arn:aws:secretsmanager:us-east-1",
    ),
    (
        "otactl:options",
        {**workers(), "schedule": WHOLE["otactl:options"]["schedule"], "journalBucket": "acme-journal"},
        "otactl:options.workers and options.schedule keep two journals of one fleet",
    ),
    ("otactl:chanels", [], "otactl:chanels is not a setting; see Pulumi.yaml"),
]


@pytest.mark.parametrize(("key", "value", "reported"), CASES, ids=[c[2][:60] for c in CASES])
def test_a_wrong_key_is_reported_in_one_line_with_its_file(key: str, value: Any, reported: str) -> None:
    config = {**SMALL, key: value}
    if value is None:
        del config[key]

    with pytest.raises(SettingsError) as caught:
        read(config)

    assert str(caught.value).startswith("Pulumi.prod-eu.yaml: ")
    assert reported in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_schedule_without_a_journal_bucket_is_refused() -> None:
    schedule = WHOLE["otactl:options"]["schedule"]

    with pytest.raises(SettingsError, match=r"needs options\.journalBucket"):
        read({**SMALL, "otactl:options": {"schedule": schedule}})


def test_signing_profiles_without_the_role_that_makes_them_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"options\.signingProfiles needs options\.iotOta"):
        read({**SMALL, "otactl:options": {"signingProfiles": True}})


def test_a_stack_that_is_no_environment_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="a stack is an environment"):
        read(SMALL, stack="Prod EU")


@pytest.mark.parametrize("repository", ["acme/firmware", "acme@123456/firmware@456789"])
def test_a_repository_is_named_with_or_without_its_immutable_ids(repository: str) -> None:
    found = read({**SMALL, "otactl:access": {"github": {"repository": repository}}})

    assert found.github is not None
    assert found.github.repository == repository


def test_defaults_are_the_safe_ones() -> None:
    found = read(SMALL)

    assert (found.options.protect, found.options.source_conditions) == (True, False)
    assert (found.options.iot_ota, found.options.signing_profiles, found.options.prove_versions) == (False,) * 3
    assert found.channels[0].noncurrent_days == 365
    assert found.principals == (f"arn:aws:iam::{ACCOUNT}:root",)


def test_the_regions_are_those_of_the_sdks_endpoints() -> None:
    session = boto3.Session()
    assert frozenset(session.get_available_regions("iotwireless")) <= regions_of(IOT_WIRELESS_API)
    everywhere = {r for p in session.get_available_partitions() for r in session.get_available_regions("iot", p)}
    assert regions_of(IOT_CORE) == everywhere
    assert "eu-central-1" in regions_of(IOT_WIRELESS_API)


def elsewhere(region: str, **options: Any) -> Settings:
    return read({**SMALL, "aws:region": region, "otactl:options": options})


@pytest.mark.parametrize("region", sorted(regions_of(IOT_CORE)))
def test_a_stack_without_fuota_stands_in_every_region_of_aws_iot_core(region: str) -> None:
    found = elsewhere(region, iotOta=True, **({"fuota": False} if region in regions_of(IOT_WIRELESS_API) else {}))
    names, partition = Names(found), boto3.Session().get_partition_for_region(region)
    whole = document([*permissions.controller(names)["Statement"], *ota_permissions.service(names)["Statement"]])
    text = json.dumps([whole, people_trust(names, "", (), container=True)])

    assert set(re.findall(r"arn:([a-z-]+):", text)) == {partition}
    assert "iotwireless" not in text
    assert "_fuota" not in text
    assert f":{region}:" in text


def test_fuota_is_there_wherever_aws_iot_wireless_is_unless_it_is_switched_off() -> None:
    assert read(SMALL).options.fuota
    assert not elsewhere("eu-west-1", iotOta=True, fuota=False).options.fuota
    assert not elsewhere("eu-west-2", iotOta=True).options.fuota


@pytest.mark.parametrize(
    ("region", "options", "reported"),
    [
        ("eu-west-2", {}, "where AWS IoT Wireless does not exist"),
        (
            "eu-west-2",
            {"fuota": True, "iotOta": True},
            "where AWS IoT Wireless does not exist; it is in ap-northeast-1",
        ),
        ("ap-southeast-4", {"iotOta": True}, "where AWS IoT Core does not exist; it is in ap-east-1"),
        ("eu-west-1", {"fuota": False}, "is switched off by options.fuota"),
        ("eu-west-2", {"iotOta": True, "wirelessLogs": True}, "options.wirelessLogs needs FUOTA"),
        ("moon-1", {"iotOta": True}, "is in no partition of AWS"),
    ],
)
def test_a_region_that_does_not_have_what_is_asked_for_is_reported(region: str, options: Any, reported: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(reported)):
        elsewhere(region, **options)


def test_arns_are_of_the_stacks_partition() -> None:
    found = elsewhere("cn-north-1", iotOta=True)
    assert found.principals == (f"arn:aws-cn:iam::{ACCOUNT}:root",)
    assert Names(found).via("s3") == "s3.cn-north-1.amazonaws.com.cn"
    assert domain_of("us-gov-west-1") == "amazonaws.com"
    topic = f"arn:aws:sns:cn-north-1:{ACCOUNT}:edits"
    with pytest.raises(SettingsError, match="must be of this Region and account"):
        elsewhere("cn-north-1", iotOta=True, watchTopic=topic)
