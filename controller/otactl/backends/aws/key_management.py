"""Signs with a key of AWS KMS and reads its public half: `awskms:///KEY`, KEY being an id, an ARN or alias/NAME.

1. Only keys of ECC_NIST_P256 for signing; the digest is sent, never the text, so its length does not matter.
2. The caller's own credentials and Region count (`AWS_ENDPOINT_URL_KMS` too), unless KEY is an ARN, which names one.
3. What is signed is verified at once with the public half: a service that signs something else is found here.
"""

from __future__ import annotations

import hashlib
from typing import Any

from otactl.errors import OtactlError, StalledError
from otactl.signatures.keys import PublicKey, Signer, public_key_of_der

SCHEME = "awskms:///"


def signer(uri: str) -> Signer:
    """Return what signs with the key that a URI names. Raises: StalledError, UsageError."""
    key = uri.removeprefix(SCHEME)
    client = _client(key)
    public = _public(client, key)

    def sign(data: bytes) -> bytes:
        return sign_digest(hashlib.sha256(data).digest())

    def sign_digest(digest: bytes) -> bytes:
        given: dict[str, object] = {
            "KeyId": key,
            "Message": digest,
            "MessageType": "DIGEST",
            "SigningAlgorithm": "ECDSA_SHA_256",
        }
        signature = bytes(_answer(key, "kms:Sign", client.sign, given)["Signature"])
        if not public.verifies_digest(signature, digest):
            text = f"key {key}: KMS answered a signature that its public key does not verify; nothing was written"
            raise StalledError("AnswerInvalid", text)
        return signature

    return Signer(public, sign, sign_digest)


def public_key(uri: str) -> PublicKey:
    """Return the public half of the key that a URI names. Raises: StalledError, UsageError."""
    key = uri.removeprefix(SCHEME)
    return _public(_client(key), key)


def _public(client: Any, key: str) -> PublicKey:
    answer = _answer(key, "kms:GetPublicKey", client.get_public_key, {"KeyId": key})
    return public_key_of_der(bytes(answer["PublicKey"]), f"key {key}")


def _client(key: str) -> Any:
    import boto3
    from botocore.config import Config

    parts = key.split(":")
    region = {"region_name": parts[3]} if key.startswith("arn:") and len(parts) > 5 else {}
    try:
        return boto3.session.Session().client(
            "kms", config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3}), **region
        )
    except Exception as error:
        raise _local(key, error) from error


def _answer(key: str, permission: str, call: Any, given: dict[str, object]) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    try:
        answer: dict[str, Any] = call(**given)
    except ClientError as error:
        raise _refused(key, permission, error.response.get("Error", {})) from error
    except Exception as error:
        raise _local(key, error) from error
    return answer


def _refused(key: str, permission: str, said: dict[str, Any]) -> OtactlError:
    from otactl.aws_sdk import credential_errors

    code, words = str(said.get("Code", "")), " ".join(str(said.get("Message", "")).split()).rstrip(".")
    who = credential_errors.of_code(code)
    if who:
        return StalledError(credential_errors.WHO, f"key {key}: {who}")
    if code in ("AccessDeniedException", "AccessDenied"):
        return StalledError(
            "PermissionDenied", f"key {key}: {permission} was refused; grant it on the key to the caller"
        )
    text = f"key {key}: {permission} was refused ({code} {words}); name a key of ECC_NIST_P256 that signs"
    return StalledError("RequestRefused", text)


def _local(key: str, error: Exception) -> OtactlError:
    from otactl.aws_sdk import credential_errors

    who = credential_errors.of_sdk(error)
    if who:
        return StalledError(credential_errors.WHO, f"key {key}: {who}")
    text = f"key {key}: KMS gave no answer ({type(error).__name__}); check Region and network, and run again"
    return StalledError("RequestFailed", text)
