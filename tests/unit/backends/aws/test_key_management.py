"""A key of KMS signs a digest over HTTP, and what it answers is verified before it is used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otactl.backends.aws import key_management
from otactl.errors import StalledError
from otactl.signatures.keys import public_key_of_der
from tests.support.key_service import KeyService

KEY = "awskms:///alias/evidence"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyService]:
    with KeyService() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", running.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        yield running


@pytest.mark.server
def test_a_text_longer_than_the_service_takes_is_signed_by_its_digest(service: KeyService) -> None:
    text = b"x" * 100_000
    signer = key_management.signer(KEY)
    assert public_key_of_der(service.public_der(), "key").verifies(signer.sign(text), text)
    assert key_management.public_key(KEY).id == signer.public.id
    assert service.calls == ["GetPublicKey", "Sign", "GetPublicKey"]
    assert service.given[1]["MessageType"] == "DIGEST"
    assert {given["KeyId"] for given in service.given} == {"alias/evidence"}


@pytest.mark.server
def test_a_signature_that_the_public_key_does_not_verify_is_refused(service: KeyService) -> None:
    service.lie = True
    with pytest.raises(StalledError, match="its public key does not verify; nothing was written"):
        key_management.signer(KEY).sign(b"x")


@pytest.mark.server
@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        ("AccessDeniedException", "PermissionDenied", "kms:GetPublicKey was refused; grant it on the key"),
        ("NotFoundException", "RequestRefused", r"NotFoundException refused\); name a key of ECC_NIST_P256"),
        ("ExpiredTokenException", "NoCredentials", "the credentials have expired"),
    ],
)
def test_a_refusal_says_what_to_do(service: KeyService, code: str, reason: str, text: str) -> None:
    service.refuse = code
    with pytest.raises(StalledError, match=text) as refused:
        key_management.signer(KEY)
    assert refused.value.reason == reason


def test_missing_credentials_are_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
    with pytest.raises(StalledError, match="no usable AWS credentials"):
        key_management.signer(KEY)
