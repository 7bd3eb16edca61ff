"""A role that reads Tuya's secret, and the reads the simulator saw."""

from __future__ import annotations

import json

from tests.support.tuya_stage import TuyaStage

READER = "arn:aws:iam::123456789012:role/reader"


def role(tuya_stage: TuyaStage, *statements: dict[str, object]) -> None:
    """A role that may do what is said; from now on every caller is judged."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    text = {"Version": "2012-10-17", "Statement": [trust]}
    tuya_stage.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(text))
    if statements:
        text["Statement"] = list(statements)
        tuya_stage.iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=json.dumps(text))
    tuya_stage.server.world.apply_settings({"enforceCallers": True})


def reads(tuya_stage: TuyaStage) -> int:
    """Counts the requests for the secret."""
    return len(tuya_stage.asked("secretsmanager"))
