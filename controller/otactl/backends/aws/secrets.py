"""Reads the text of a secret in AWS Secrets Manager with the environment's own AWS credentials; never shows it.

1. The environment's Region, endpoints and assumed role hold as for every call; the current version is read.
2. A secret that cannot be used stalls, with its ARN and what to do: only a person can fix it.
3. The SDK's debug log writes answers whole; those that hold a secret are kept out of it.
"""

from __future__ import annotations

import logging

from otactl.backends.aws.client import AwsClient
from otactl.backends.errors import NotFoundError
from otactl.errors import StalledError

_HOLDS_VALUES = ("SecretString", "SecretBinary")
_OTHER = "or name another in spec.tuya.secretArn"


class _WithoutSecrets(logging.Filter):
    """Rule 3."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        return not any(name in text for name in _HOLDS_VALUES)


_without_secrets = _WithoutSecrets()


def secret_text(aws: AwsClient, arn: str) -> str:
    """Return the text of a secret's current version.

    Raises TransientError, or StalledError: PermissionDenied names what to grant on which secret, NoCredentials what is
    wrong with it (not there, marked for deletion, not decrypted, binary).
    """
    logging.getLogger("botocore.parsers").addFilter(_without_secrets)  # the same filter twice is once
    permission = f"secretsmanager:GetSecretValue on {arn} (and kms:Decrypt on its key, if it has one of yours)"
    try:
        answer = aws.call("secretsmanager", "GetSecretValue", {"SecretId": arn}, repeatable=True, permission=permission)
    except NotFoundError as error:
        raise StalledError(
            "NoCredentials", f"the secret {arn} is not there: {_said(error)}; put it there, {_OTHER}"
        ) from error
    except StalledError as error:
        if error.reason != "RequestRefused":
            raise
        raise StalledError(
            "NoCredentials", f"the secret {arn} cannot be read: {_said(error)}; fix it, {_OTHER}"
        ) from error
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise StalledError("NoCredentials", f"the secret {arn} is binary, and a key is kept as text; fix it, {_OTHER}")
    return text


def _said(error: Exception) -> str:
    """Return the service's words, without the full stop that would stand inside our sentence."""
    return str(error).rstrip(".")
