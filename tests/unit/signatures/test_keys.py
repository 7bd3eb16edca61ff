"""Keys of two kinds sign and verify; all others are refused in one line that holds no part of them."""

from __future__ import annotations

import pytest

from otactl.errors import UsageError
from otactl.signatures import keys
from tests.support.signing import KINDS, pair


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_private_key_signs_its_public_key_verifies(kind: str) -> None:
    private, public = pair(kind)
    signer, key = keys.private_key(private, None, "a.pem"), keys.public_key(public, "a.pub")
    signature = signer.sign(b"image")
    assert (key.algorithm, key.id) == (kind, signer.public.id)
    assert key.verifies(signature, b"image")
    assert not key.verifies(signature, b"imagE")
    assert not key.verifies(signature[:-1], b"image")
    assert not keys.public_key(pair(kind)[1], "b.pub").verifies(signature, b"image")


def test_the_id_of_a_key_is_the_same_from_pem_and_der() -> None:
    key = keys.public_key(pair("ecdsa-p256")[1], "a.pub")
    assert keys.public_key_of_der(key.der, "a").id == key.id


@pytest.mark.parametrize("kind", ["rsa", "ecdsa-p384"])
def test_a_key_of_another_kind_is_refused(kind: str) -> None:
    private, public = pair(kind)
    for read in (lambda: keys.public_key(public, "a.pub"), lambda: keys.private_key(private, None, "a.pem")):
        with pytest.raises(UsageError, match="is a key of another kind; use one of Ed25519 or ECDSA P-256"):
            read()


@pytest.mark.parametrize("given", [None, "wrong"])
def test_a_private_key_with_a_passphrase_needs_it(given: str | None) -> None:
    private, _ = pair("ed25519", "open sesame")
    assert keys.private_key(private, "open sesame", "a.pem").public.algorithm == "ed25519"
    with pytest.raises(UsageError, match=r"a\.pem .*OTACTL_KEY_PASSPHRASE") as refused:
        keys.private_key(private, given, "a.pem")
    assert "open sesame" not in str(refused.value)


def test_a_passphrase_for_a_key_without_one_is_reported() -> None:
    with pytest.raises(UsageError, match="has no passphrase, and one is set"):
        keys.private_key(pair("ed25519")[0], "x", "a.pem")


@pytest.mark.parametrize("text", [b"", b"hello", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused_with_what_to_write(text: bytes) -> None:
    with pytest.raises(UsageError, match="is no public key in PEM"):
        keys.public_key(text, "a.pub")
    with pytest.raises(UsageError, match="is no private key in PEM"):
        keys.private_key(text, None, "a.pem")


def test_a_file_that_is_too_long_for_a_key_is_not_parsed() -> None:
    with pytest.raises(UsageError, match="has 16385 bytes"):
        keys.public_key(b"a" * (keys.MOST_BYTES + 1), "a.pub")


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "is_installed", lambda: False)
    with pytest.raises(UsageError, match=r"pip install 'otactl\[evidence\]'"):
        keys.public_key(b"", "a.pub")
