"""The questions of the matrix about the secret that holds Tuya's key: what is done, with which action, on what."""

from __future__ import annotations

from infra.iam_documents import Names
from tests.support.permissions.ota_matrix import Question


def of_the_secret(names: Names) -> list[Question]:
    """What otactl does with the secret, and what it has no business doing."""
    secret = names.settings.options.tuya_secret
    assert secret is not None
    other, key = secret.arn.replace("tuya", "payroll"), secret.key
    ours = {"kms:ViaService": f"secretsmanager.{names.settings.region}.amazonaws.com"}
    ours["kms:EncryptionContext:SecretARN"] = secret.arn
    theirs = {**ours, "kms:EncryptionContext:SecretARN": other}
    by_s3 = {**ours, "kms:ViaService": f"s3.{names.settings.region}.amazonaws.com"}
    return [
        ("reads the Tuya key's secret", "secretsmanager:GetSecretValue", secret.arn, {}, True, False),
        ("reads another secret", "secretsmanager:GetSecretValue", other, {}, False, False),
        (
            "reads a secret that was recreated under the name",
            "secretsmanager:GetSecretValue",
            f"{secret.arn[:-6]}GhIjKl",
            {},
            False,
            False,
        ),
        ("lists secrets", "secretsmanager:ListSecrets", "*", {}, False, False),
        ("changes the secret", "secretsmanager:PutSecretValue", secret.arn, {}, False, False),
        ("deletes the secret", "secretsmanager:DeleteSecret", secret.arn, {}, False, False),
        ("decrypts the secret through Secrets Manager", "kms:Decrypt", key, ours, True, False),
        ("decrypts another secret under the same key", "kms:Decrypt", key, theirs, False, False),
        ("decrypts with the key through S3", "kms:Decrypt", key, by_s3, False, False),
        ("decrypts with the key itself", "kms:Decrypt", key, {}, False, False),
        ("encrypts with the key", "kms:Encrypt", key, ours, False, False),
    ]
