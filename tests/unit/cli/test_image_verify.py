"""`otactl image verify` says whether a key signed an image; OpenSSL's own signatures count."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from otactl.cli.commands.image import command
from otactl.signatures.keys import private_key
from tests.support.signing import KINDS, key_files

IMAGE = b"firmware" * 100


def verify(file: Path, signature: bytes, public: Path) -> tuple[int, str]:
    text = base64.b64encode(signature).decode()
    ran = CliRunner().invoke(command, ["verify", str(file), "--signature", text, "--key", str(public)])
    return ran.exit_code, ran.output


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "image.bin").write_bytes(IMAGE)
    return tmp_path / "image.bin"


@pytest.mark.parametrize("kind", KINDS)
def test_the_signature_of_an_image_is_verified_and_that_of_another_is_not(
    tmp_path: Path, image: Path, kind: str
) -> None:
    key = key_files(tmp_path, kind)
    digest = bytes.fromhex(subprocess.run(["sha256sum", image], capture_output=True, text=True).stdout.split()[0])
    signature = private_key(key.private, None, "k").sign_digest(digest)
    code, said = verify(image, signature, key.public_file)
    assert (code, f"signed by the {kind} key" in said) == (0, True)
    image.write_bytes(IMAGE + b"!")
    code, said = verify(image, signature, key.public_file)
    assert (code, "is NOT verified" in said) == (2, True)


def test_what_openssl_signs_over_sha256_is_verified(tmp_path: Path, image: Path) -> None:
    key = key_files(tmp_path, "ecdsa-p256")
    words = ["openssl", "dgst", "-sha256", "-sign", str(key.private_file), str(image)]
    made = subprocess.run(words, capture_output=True, check=True).stdout
    assert verify(image, made, key.public_file)[0] == 0


def test_what_openssl_signs_of_a_digest_with_ed25519_is_verified(tmp_path: Path, image: Path) -> None:
    key, digest = key_files(tmp_path), tmp_path / "digest"
    digest.write_bytes(subprocess.run(["openssl", "dgst", "-sha256", "-binary", image], capture_output=True).stdout)
    words = ["openssl", "pkeyutl", "-sign", "-rawin", "-in", str(digest), "-inkey", str(key.private_file)]
    made = subprocess.run(words, capture_output=True, check=True).stdout
    assert verify(image, made, key.public_file)[0] == 0


def test_a_signature_that_is_no_base64_is_one_line(tmp_path: Path, image: Path) -> None:
    key = key_files(tmp_path)
    words = ["verify", str(image), "--signature", "?", "--key", str(key.public_file)]
    ran = CliRunner().invoke(command, words)
    assert (ran.exit_code, "the signature is no base64" in ran.output) == (1, True)
