"""AWS Secrets Manager as boto3 meets it: values, refusals, who may read, and what the control API never shows."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.support.simulator.stage import ACCOUNT, REGION, SimulatorStage, policy, refusal

ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:tuya/key-AbCdEf"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11112222-3333-4444-5555-666677778888"
VALUE = '{"accessKeyId": "AK1", "accessKeySecret": "kept-secret-this"}'
GONE = "Secrets Manager can't find the specified secret."
CLIENTS: dict[str, BaseClient] = {}


@pytest.fixture
def secrets(stage: SimulatorStage) -> BaseClient:
    """A client, and one secret to read."""
    stage.post("fleet", secrets=[{"arn": ARN, "text": VALUE}])
    if stage.url not in CLIENTS:
        CLIENTS[stage.url] = stage.client("secretsmanager")
    return CLIENTS[stage.url]


@pytest.mark.parametrize("called", [ARN, ARN.removesuffix("-AbCdEf"), "tuya/key"])
def test_a_secret_is_read_by_its_arn_without_the_end_of_it_or_by_its_name(secrets: BaseClient, called: str) -> None:
    given = secrets.get_secret_value(SecretId=called)

    assert (given["ARN"], given["Name"], given["SecretString"]) == (ARN, "tuya/key", VALUE)
    assert given["VersionStages"] == ["AWSCURRENT"]
    assert given["CreatedDate"].tzinfo is not None
    assert "SecretBinary" not in given


def test_a_binary_secret_has_bytes_and_no_text(stage: SimulatorStage, secrets: BaseClient) -> None:
    stage.post("fleet", secrets=[{"arn": ARN, "binary": base64.b64encode(b"\x00\xff").decode()}])

    given = secrets.get_secret_value(SecretId=ARN)

    assert given["SecretBinary"] == b"\x00\xff"
    assert "SecretString" not in given


def test_a_secret_put_again_has_a_current_and_a_previous_version(stage: SimulatorStage, secrets: BaseClient) -> None:
    first = secrets.get_secret_value(SecretId=ARN)["VersionId"]
    for text in ("second", "third"):
        stage.post("fleet", secrets=[{"arn": ARN, "text": text}])

    current, previous = (
        secrets.get_secret_value(SecretId=ARN, VersionStage=stage) for stage in ("AWSCURRENT", "AWSPREVIOUS")
    )
    assert (current["SecretString"], previous["SecretString"]) == ("third", "second")
    assert secrets.get_secret_value(SecretId=ARN, VersionId=previous["VersionId"])["SecretString"] == "second"
    assert refusal(secrets.get_secret_value, SecretId=ARN, VersionId=first).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "called", ["other", ARN.replace("AbCdEf", "GhIjKl"), ARN.replace("eu-west-1", "us-east-1"), ARN[:-1]]
)
def test_a_secret_that_is_not_there_is_not_found(secrets: BaseClient, called: str) -> None:
    assert refusal(secrets.get_secret_value, SecretId=called) == (400, "ResourceNotFoundException", GONE)


def test_a_secret_of_another_region_is_not_there(stage: SimulatorStage, secrets: BaseClient) -> None:
    elsewhere = ARN.replace("eu-west-1", "us-east-1")
    stage.post("fleet", secrets=[{"arn": elsewhere, "text": "x"}])

    assert refusal(secrets.get_secret_value, SecretId=elsewhere).code == "ResourceNotFoundException"


def test_a_label_no_version_has_is_named(secrets: BaseClient) -> None:
    reported = refusal(secrets.get_secret_value, SecretId=ARN, VersionStage="AWSPENDING")

    assert reported.code == "ResourceNotFoundException"
    assert reported.message.endswith("staging label: AWSPENDING")


def test_a_secret_marked_for_deletion_is_refused_in_the_services_words(
    stage: SimulatorStage, secrets: BaseClient
) -> None:
    stage.post("fleet", secrets=[{"arn": ARN, "text": VALUE, "deleted": True}])

    status, code, message = refusal(secrets.get_secret_value, SecretId=ARN)

    assert (status, code) == (400, "InvalidRequestException")
    assert message == "You can't perform this operation on the secret because it was marked for deletion."


WRONG: list[tuple[Any, str]] = [
    ({}, "secrets must be a list of objects"),
    ([1], "secrets must be a list of objects"),
    ([{"text": VALUE}], "a secret needs its whole arn"),
    ([{"arn": "tuya", "text": VALUE}], "a secret needs its whole arn"),
    ([{"arn": ARN, "text": VALUE, "value": VALUE}], "unknown key value of a secret; there are arn, binary"),
    ([{"arn": ARN}], "needs either text or binary"),
    ([{"arn": ARN, "text": ""}], "needs either text or binary"),
    ([{"arn": ARN, "text": VALUE, "binary": "AA=="}], "needs either text or binary"),
    ([{"arn": ARN, "binary": VALUE}], "needs either text or binary"),
    ([{"arn": ARN, "text": VALUE, "deleted": "no"}], "deleted true or false"),
    ([{"arn": ARN, "text": VALUE, "tags": {"a": 1}}], "must be an object of texts"),
]


@pytest.mark.parametrize(("secrets_given", "why"), WRONG, ids=[why for _, why in WRONG])
def test_a_secret_that_is_wrong_is_reported_without_its_value_and_none_is_put(
    stage: SimulatorStage, secrets_given: Any, why: str
) -> None:
    good = {"arn": ARN, "text": VALUE}
    given = [good, *secrets_given] if isinstance(secrets_given, list) else secrets_given

    status, answer = stage.ask("POST", "fleet", json.dumps({"secrets": given}).encode())

    assert (status, why in answer["error"]) == (400, True), answer
    assert "kept-secret" not in answer["error"]
    assert stage.ask("GET", "state")[1]["secretsmanager"] == {}


def test_neither_the_state_nor_the_log_of_requests_shows_a_value(stage: SimulatorStage, secrets: BaseClient) -> None:
    secrets.get_secret_value(SecretId=ARN)
    refusal(secrets.create_secret, Name="mine", SecretString=VALUE, SecretBinary=b"kept-secret-this")

    read, made = stage.requests()

    assert read["parameters"] == {"SecretId": ARN}
    assert {k: v for k, v in made["parameters"].items() if k != "ClientRequestToken"} == {
        "Name": "mine",
        "SecretString": "***",
        "SecretBinary": "***",
    }
    shown = json.dumps([stage.ask("GET", name)[1] for name in ("state", "requests")])
    assert "kept-secret" not in shown
    assert base64.b64encode(b"kept-secret-this").decode() not in shown
    assert set(stage.ask("GET", "state")[1]["secretsmanager"]) == {ARN}


def raw(
    stage: SimulatorStage, target: str | None, body: bytes = b"{}", method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    """Status and body of a refused request that was written by hand."""
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/secretsmanager/aws4_request"}
    if target is not None:
        headers["X-Amz-Target"] = target
    request = urllib.request.Request(f"{stage.url}/", data=body, method=method, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as answer:
        assert answer.headers["content-type"] == "application/x-amz-json-1.1"
        return answer.code, json.load(answer)


@pytest.mark.parametrize("target", ["secretsmanager.ReadMind", "GetSecretValue", "iot.GetSecretValue", None])
def test_a_target_of_no_operation_is_refused_by_its_name(stage: SimulatorStage, target: str | None) -> None:
    status, answer = raw(stage, target)

    assert (status, answer["__type"]) == (400, "UnknownOperationException")
    assert answer["message"] == f"no operation of secretsmanager is {target or '(no target)'}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "the body is not JSON"),
        (b"{}", "SecretId is required"),
        (b'{"SecretId": ""}', "SecretId must be at least 1 characters"),
        (b'{"SecretId": 1}', "SecretId must be a string"),
        (b'{"SecretId": "a", "VersionId": "1"}', "VersionId must be at least 32 characters"),
    ],
)
def test_what_boto3_would_not_send_is_refused_in_the_models_terms(stage: SimulatorStage, body: bytes, why: str) -> None:
    status, answer = raw(stage, "secretsmanager.GetSecretValue", body)

    assert (status, answer["__type"], answer["Message"]) == (400, "InvalidRequestException", why)


@pytest.mark.parametrize(
    ("effect", "status", "code"),
    [("throttle", 400, "ThrottlingException"), ("error500", 500, "InternalServiceError")],
)
def test_faults_are_in_the_services_own_errors(
    stage: SimulatorStage, secrets: BaseClient, effect: str, status: int, code: str
) -> None:
    stage.post("faults", rules=[{"service": "secretsmanager", "operation": "GetSecretValue", "effect": effect}])

    assert refusal(secrets.get_secret_value, SecretId=ARN)[:2] == (status, code)


def allow(action: str, resource: str, **condition: Any) -> dict[str, Any]:
    """One Allow."""
    given = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**given, "Condition": condition} if condition else given


READ = allow("secretsmanager:GetSecretValue", ARN)
THROUGH = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com", "kms:EncryptionContext:SecretARN": ARN}


def act(stage: SimulatorStage, *statements: dict[str, Any]) -> BaseClient:
    """A client of a role that may do what is said and nothing else, callers judged."""
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    stage.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=policy(trust))
    stage.iam.put_role_policy(RoleName="reader", PolicyName="own", PolicyDocument=policy(*statements))
    stage.settings(enforceCallers=True)
    keys = stage.sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/reader", RoleSessionName="night")["Credentials"]
    return stage.client("secretsmanager", keys=keys)


@pytest.mark.parametrize("called", [ARN, "tuya/key"])
@pytest.mark.parametrize(
    ("statement", "reads"),
    [
        (READ, True),
        (allow("secretsmanager:GetSecretValue", ARN.replace("AbCdEf", "??????")), True),
        (allow("secretsmanager:GetSecretValue", ARN.replace("AbCdEf", "GhIjKl")), False),
        (allow("secretsmanager:DescribeSecret", ARN), False),
        (allow("secretsmanager:GetSecretValue", "*", StringEquals={"aws:ResourceTag/for": "otactl"}), True),
        (allow("secretsmanager:GetSecretValue", "*", StringEquals={"aws:ResourceTag/for": "others"}), False),
    ],
    ids=str,
)
def test_a_caller_needs_the_right_to_this_very_secret(
    stage: SimulatorStage, secrets: BaseClient, called: str, statement: dict[str, Any], reads: bool
) -> None:
    stage.post("fleet", secrets=[{"arn": ARN, "text": VALUE, "tags": {"for": "otactl"}}])
    client = act(stage, statement)

    if reads:
        assert client.get_secret_value(SecretId=called)["SecretString"] == VALUE
        return
    status, code, message = refusal(client.get_secret_value, SecretId=called)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/night"
    assert (status, code) == (400, "AccessDeniedException")
    assert message == f"User: {session} is not authorized to perform: secretsmanager:GetSecretValue on resource: {ARN}"


def test_a_caller_without_the_right_does_not_learn_that_a_secret_is_missing(
    stage: SimulatorStage, secrets: BaseClient
) -> None:
    client = act(stage, READ)

    other = ARN.replace("AbCdEf", "GhIjKl")
    assert refusal(client.get_secret_value, SecretId=other).code == "AccessDeniedException"
    assert refusal(client.list_secrets).code == "AccessDeniedException"


def test_another_accounts_secret_is_refused_to_a_role_that_may_read_every_secret(
    stage: SimulatorStage, secrets: BaseClient
) -> None:
    other = ARN.replace(ACCOUNT, "210987654321")
    stage.post("fleet", secrets=[{"arn": other, "text": VALUE}])

    client = act(stage, allow("secretsmanager:GetSecretValue", "*"))

    assert refusal(client.get_secret_value, SecretId=other).code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("statements", "reads"),
    [
        ([READ, allow("kms:Decrypt", KEY)], True),
        ([READ, allow("kms:Decrypt", KEY, StringEquals=THROUGH)], True),
        ([READ], False),
        ([READ, allow("kms:Decrypt", KEY.replace("1111", "9999"))], False),
        ([READ, allow("kms:Decrypt", KEY, StringEquals={**THROUGH, "kms:EncryptionContext:SecretARN": "x"})], False),
        ([READ, allow("kms:Decrypt", KEY, StringEquals={"kms:ViaService": "s3.eu-west-1.amazonaws.com"})], False),
    ],
    ids=str,
)
def test_a_secret_under_a_key_of_the_customers_needs_the_right_to_decrypt(
    stage: SimulatorStage, secrets: BaseClient, statements: list[dict[str, Any]], reads: bool
) -> None:
    stage.post("fleet", secrets=[{"arn": ARN, "text": VALUE, "kmsKey": KEY}])
    client = act(stage, *statements)

    if reads:
        assert client.get_secret_value(SecretId=ARN)["SecretString"] == VALUE
        return
    assert refusal(client.get_secret_value, SecretId=ARN)[1:] == (
        "AccessDeniedException",
        "Access to KMS is not allowed",
    )


def test_a_reset_forgets_every_secret(stage: SimulatorStage, secrets: BaseClient) -> None:
    stage.reset()

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=ARN)
