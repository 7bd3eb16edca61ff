"""A stack's settings: the first missing or wrong key ends the program with one line that names it and its file."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from infra.settings import IOT_WIRELESS_REGIONS, Settings, SettingsError, settings
from tests.infra.stacks import ACCOUNT, SECRET, SECRET_KEY, SMALL, WHOLE


def read(config: dict[str, Any], stack: str = "prod-eu") -> Settings:
    given = {k.partition(":")[2]: v for k, v in config.items() if k.startswith("otactl:")}
    return settings(given, region=config.get("aws:region"), stack=stack)


def channel(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "stable", "bucket": "acme-firmware-eu", **changes}]


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
    ("otactl:channels", channel(colour="red"), "otactl:channels[0].colour is not a setting"),
    ("otactl:channels", channel() + channel(bucket="another"), "otactl:channels have a name twice"),
    ("otactl:channels", channel() + channel(name="beta"), "otactl:channels share a bucket"),
    ("otactl:access", None, "otactl:access names nobody"),
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
    ("otactl:chanels", [], "otactl:chanels is not a setting; see Pulumi.yaml"),
]


@pytest.mark.parametrize(("key", "value", "told"), CASES, ids=[c[2][:60] for c in CASES])
def test_a_wrong_key_is_told_in_one_line_with_its_file(key: str, value: Any, told: str) -> None:
    config = {**SMALL, key: value}
    if value is None:
        del config[key]

    with pytest.raises(SettingsError) as caught:
        read(config)

    assert str(caught.value).startswith("Pulumi.prod-eu.yaml: ")
    assert told in str(caught.value)
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
    assert frozenset(boto3.Session().get_available_regions("iotwireless")) == IOT_WIRELESS_REGIONS
