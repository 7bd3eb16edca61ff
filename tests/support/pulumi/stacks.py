"""Stacks that the tests run: the smallest, one for each option that tests need alone, and everything on."""

from __future__ import annotations

from typing import Any

from tests.support.tuya_stage import SECRET_ARN

ACCOUNT = "123456789012"
SMALL: dict[str, Any] = {
    "aws:region": "eu-west-1",
    "aws:allowedAccountIds": [ACCOUNT],
    "otactl:account": ACCOUNT,
    "otactl:owner": "acme",
    "otactl:channels": [{"name": "stable", "bucket": "acme-firmware-eu"}],
    "otactl:access": {"principals": [f"arn:aws:iam::{ACCOUNT}:root"]},
}
GATEWAYS: dict[str, Any] = {**SMALL, "otactl:options": {"iotOta": True, "signingProfiles": True}}
SECRET = SECRET_ARN
SECRET_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11112222-3333-4444-5555-666677778888"
PLUGS: dict[str, Any] = {**SMALL, "otactl:options": {"tuyaSecret": {"arn": SECRET, "key": SECRET_KEY}}}
PROVING: dict[str, Any] = {**SMALL, "otactl:options": {"proveVersions": True}}
WHOLE: dict[str, Any] = {
    **SMALL,
    "otactl:channels": [
        {"name": "stable", "bucket": "acme-firmware-eu", "accessLogs": "acme-logs"},
        {"name": "beta", "bucket": "acme-firmware-beta", "prefix": "beta/", "kms": True, "noncurrentDays": 30},
    ],
    "otactl:access": {
        "github": {"repository": "acme/firmware", "environment": "prod"},
        "principals": [f"arn:aws:iam::{ACCOUNT}:role/oncall"],
    },
    "otactl:options": {
        "journalBucket": "acme-otactl-journal",
        "iotOta": True,
        "signingProfiles": True,
        "wirelessLogs": True,
        "watchTopic": f"arn:aws:sns:eu-west-1:{ACCOUNT}:edits",
        "schedule": {
            "image": "ghcr.io/acme/otactl:1",
            "cluster": f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/jobs",
            "subnets": ["subnet-0a"],
            "securityGroups": ["sg-0b"],
        },
        "tuyaSecret": {"arn": SECRET, "key": SECRET_KEY},
    },
}
PASSWORD = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:acme/otactl-database-AbCdEf"
DATABASE: dict[str, Any] = {"vpc": "vpc-0a", "subnets": ["subnet-0a", "subnet-0b"], "clients": ["sg-0c"]}
WORKING: dict[str, Any] = {
    "image": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/acme/otactl-workers:1",
    "cluster": f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/jobs",
    "subnets": ["subnet-0a", "subnet-0b"],
    "passwordSecret": {"arn": PASSWORD, "key": SECRET_KEY},
}
WORKERS: dict[str, Any] = {**SMALL, "otactl:options": {"database": DATABASE, "workers": WORKING}}
