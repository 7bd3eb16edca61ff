"""Where an environment requires a signature, only firmware that one of its keys signed is created or started."""

from __future__ import annotations

import base64

import msgspec
import pytest

from otactl.model import Firmware, FirmwarePolicy, SigningKey
from otactl.model.environment import RequireSignature
from otactl.planning.context import PlanContext
from otactl.planning.firmware_signature import signature_holds
from otactl.planning.preflight import may_create, may_start
from otactl.signatures import keys
from tests.support.builders import ENVIRONMENT, NOW, empty, of_start, rollout, seen
from tests.support.signing import KINDS, pair

DIGEST = "ab" * 32


def policy(*declared: tuple[str, bytes, str | None]) -> FirmwarePolicy:
    found = tuple(SigningKey(name=name, public_key=pem.decode(), revoked=why) for name, pem, why in declared)
    return FirmwarePolicy(require_signature=RequireSignature(keys=found))


def firmware(private: bytes | None = None, signed: str = DIGEST) -> Firmware:
    made = keys.private_key(private, None, "k").sign_digest(bytes.fromhex(signed)) if private is not None else None
    text = base64.b64encode(made).decode() if made is not None else None
    return Firmware(version="2.4.1", image="s3://b/k", sha256=DIGEST, size_bytes=6000, signature=text)


def reasons(of: Firmware, required: FirmwarePolicy | None) -> list[str]:
    return [hold.reason for hold in signature_holds(of, required)]


@pytest.mark.parametrize("kind", KINDS)
def test_firmware_that_one_of_the_keys_signed_may_be_sent(kind: str) -> None:
    (private, public), (_, other) = pair(kind), pair("ed25519")
    assert reasons(firmware(private), policy(("other", other, None), ("ours", public, None))) == []


def test_without_a_requirement_nothing_is_checked() -> None:
    assert reasons(firmware(), None) == []
    assert reasons(msgspec.structs.replace(firmware(), signature="?"), None) == []


@pytest.mark.parametrize("kind", KINDS)
def test_unsigned_wrong_and_revoked_are_holds_of_their_own(kind: str) -> None:
    private, public = pair(kind)
    required = policy(("ours", public, None))
    assert reasons(firmware(), required) == ["signature_is_missing"]
    assert reasons(firmware(private, "cd" * 32), required) == ["signature_is_wrong"]
    assert reasons(firmware(pair(kind)[0]), required) == ["signature_is_wrong"]
    assert reasons(msgspec.structs.replace(firmware(), signature="A" * 87 + "!"), required) == ["signature_is_wrong"]
    revoked = policy(("ours", public, "2026-11-02: stolen"))
    (hold,) = signature_holds(firmware(private), revoked)
    assert (hold.reason, hold.stalled) == ("signature_key_is_revoked", True)
    assert "key ours, which is revoked: 2026-11-02: stolen" in hold.message


def test_a_revoked_key_does_not_spoil_the_signature_of_another_entry_of_it() -> None:
    private, public = pair("ed25519")
    assert reasons(firmware(private), policy(("old", public, "rotated"), ("new", public, None))) == []


def test_a_requirement_that_cannot_be_checked_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = pair("ed25519")
    signed = firmware(private)
    broken = policy(("bad", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", None))
    assert reasons(signed, broken) == ["signature_cannot_be_checked"]
    monkeypatch.setattr(keys, "is_installed", lambda: False)
    (hold,) = signature_holds(signed, policy(("fresh", public, None)))
    assert (hold.reason, "pip install 'otactl[evidence]'" in hold.message) == ("signature_cannot_be_checked", True)


def test_it_is_checked_before_a_unit_is_created_and_again_before_a_start() -> None:
    required = msgspec.structs.replace(ENVIRONMENT, firmware=policy(("ours", pair("ed25519")[1], None)))
    declared = rollout()
    at = PlanContext(environment=required, rollout=declared, record=empty(declared), seen=seen(), now=NOW)
    for check in (may_create, may_start):
        assert next(h.reason for h in check(of_start(at))) == "signature_is_missing"


def test_a_signature_changes_no_digest_of_what_devices_receive() -> None:
    declared = rollout()
    signed = msgspec.structs.replace(declared.firmware, signature="A" * 88, sbom="s3://b/sbom")
    assert msgspec.structs.replace(declared, firmware=signed).generation == declared.generation
    assert msgspec.json.encode(declared.firmware) == msgspec.json.encode(signed.sent)
    assert b"signature" not in msgspec.json.encode(declared.firmware)
