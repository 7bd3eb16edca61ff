"""The questions of the matrix about the role that boots workers: what is done, with which action, on what."""

from __future__ import annotations

from infra.iam_documents import Names
from infra.workers import log_group

Asked = tuple[str, str, str, dict[str, str], bool]


def of_the_boot(names: Names) -> list[Asked]:
    """What ECS does with the role before a worker runs, and what it has no business doing."""
    declared = names.settings.options.workers
    assert declared is not None
    secret, key = declared.password_secret, declared.password_key
    other = secret.replace("otactl-database", "payroll")
    through = {"kms:ViaService": f"secretsmanager.{names.settings.region}.amazonaws.com"}
    ours, theirs = ({**through, "kms:EncryptionContext:SecretARN": each} for each in (secret, other))
    ours_by_s3 = {**ours, "kms:ViaService": f"s3.{names.settings.region}.amazonaws.com"}
    image, stream = names.arn("ecr", "repository/acme/otactl-workers"), f"log-group:{log_group(names)}:log-stream:x"
    return [
        ("signs in to the registry", "ecr:GetAuthorizationToken", "*", {}, True),
        ("pulls the image of the workers", "ecr:BatchGetImage", image, {}, True),
        ("pulls another image", "ecr:BatchGetImage", names.arn("ecr", "repository/acme/other"), {}, False),
        ("pushes an image", "ecr:PutImage", image, {}, False),
        ("writes the log of the workers", "logs:PutLogEvents", names.arn("logs", stream), {}, True),
        ("writes another log", "logs:PutLogEvents", names.arn("logs", "log-group:/other:log-stream:x"), {}, False),
        ("reads the password of the database", "secretsmanager:GetSecretValue", secret, {}, True),
        ("reads another secret", "secretsmanager:GetSecretValue", other, {}, False),
        ("decrypts the password through Secrets Manager", "kms:Decrypt", key, ours, True),
        ("decrypts another secret under the same key", "kms:Decrypt", key, theirs, False),
        ("decrypts with the key through S3", "kms:Decrypt", key, ours_by_s3, False),
        ("passes ControllerRole on", "iam:PassRole", names.role_arn(names.controller_role), {}, False),
        ("lists tasks of AWS IoT Wireless", "iotwireless:ListFuotaTasks", "*", {}, False),
    ]
