"""The evidence of a rollout: what it takes from record, events and manifest, and what it takes of nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest

from otactl.model import Approval, Event, Outcome, Reason, Record, Rollout, Source, Stage, VersionConfirm, WaveRecord
from otactl.model.rollout import VersionProof
from otactl.model.unit import VersionCheck
from otactl.report.evidence import collect, statement
from otactl.report.evidence_check import verify
from otactl.report.evidence_values import PAYLOAD_TYPE, ChainLine, Evidence, Producer
from otactl.signatures.dsse import Envelope, parsed, signed
from otactl.signatures.keys import private_key, public_key
from tests.support.builders import rollout as declared
from tests.support.report_values import GENERATION, NOW, attempt, entry, record, result, validated, verdict
from tests.support.signing import pair

PRODUCER = Producer(name="otactl", version="0.1.0", journal="0123456789abcdef")
CHAIN = ChainLine(number=7, sha256="c" * 64, unchained=0)
APPROVAL = Approval(wave="canary", role="owners", by="ada", digest="e" * 64, at=NOW)


def manifest(**changes: object) -> Rollout:
    source = Source(file="rollouts/soil.yaml", digest="d" * 64)
    return msgspec.structs.replace(declared(), source=source, approvals=(APPROVAL,), **changes)


def driven(*attempts: object, **changes: object) -> Record:
    wave = WaveRecord(name="canary", attempts=attempts, verdict=verdict(2, 3), verdict_generation=GENERATION)
    return record(wave, manifest="d" * 64, **changes)


ENDED = attempt(
    stage=Stage.DELETED,
    ended_at=NOW,
    image_sha256="f" * 64,
    results=(
        result("a", Outcome.SUCCEEDED),
        result("b", Outcome.FAILED, Reason.MISSING_FRAGMENTS),
        result("c", Outcome.SUCCEEDED),
    ),
)


def evidence(of: Record, rollout: Rollout | None = None, events: tuple[Event, ...] = ()) -> Evidence:
    return collect(of, events, rollout, CHAIN, PRODUCER, NOW)


def test_devices_with_the_same_result_share_an_entry_with_time_and_proof() -> None:
    found = evidence(driven(ENDED), manifest()).devices
    assert [(g.outcome, g.reason, g.version, g.proof, g.devices, g.at) for g in found] == [
        ("failed", "missingFragments", None, "none", ("b",), "2026-03-01T12:00:00Z"),
        ("succeeded", None, "2.4.1", "transfer", ("a", "c"), "2026-03-01T12:00:00Z"),
    ]
    assert found[1].names == ("70B3a", "70B3c")


def test_the_newest_attempt_that_reached_a_device_counts() -> None:
    later = attempt(2, Stage.DELETED, ended_at=NOW + timedelta(hours=1), results=(result("b", Outcome.SUCCEEDED),))
    found = {d: g.outcome for g in evidence(driven(ENDED, later), manifest()).devices for d in g.devices}
    assert found == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}


def test_results_of_another_revision_are_left_out_of_the_devices() -> None:
    other = msgspec.structs.replace(ENDED, generation="b" * 64)
    assert evidence(driven(other), manifest()).devices == ()


@pytest.mark.parametrize(
    ("check", "confirm", "proof"),
    [
        (None, "transfer", "transfer"),
        (None, VersionConfirm(version=VersionProof(shadow="v")), "reportedVersion"),
        (VersionCheck(since=NOW, confirmed=("a",)), "transfer", "reportedVersion"),
        (VersionCheck(since=NOW, confirmed=("a",), reverted=("a",)), "transfer", "none"),
    ],
)
def test_what_proves_a_version_is_named(check: VersionCheck | None, confirm: object, proof: str) -> None:
    one = msgspec.structs.replace(ENDED, results=ENDED.results[:1], version_check=check)
    rollout = manifest()
    strategy = msgspec.structs.replace(rollout.strategy, confirm=confirm)
    (group,) = evidence(driven(one), msgspec.structs.replace(rollout, strategy=strategy)).devices
    assert (group.proof, group.version) == (proof, None if proof == "none" else "2.4.1")


def test_a_device_that_was_left_out_because_it_ran_the_version_is_there() -> None:
    one = msgspec.structs.replace(ENDED, results=(), skipped_devices={"z": "group:g"})
    (group,) = evidence(driven(one), manifest()).devices
    assert (group.outcome, group.version, group.proof, group.devices) == (
        "alreadyRan",
        "2.4.1",
        "reportedVersion",
        ("z",),
    )


@pytest.mark.parametrize("other", [None, "another"])
def test_of_another_manifest_nothing_is_taken_and_it_is_said(other: str | None) -> None:
    rollout = msgspec.structs.replace(manifest(), source=Source(file="x", digest="0" * 64)) if other else None
    found = evidence(driven(ENDED), rollout)
    assert (found.manifest.at_hand, found.approvals, found.waves[0].gate, found.firmware.image) == (False, (), None, "")
    assert found.firmware.sha256 == "f" * 64
    assert {g.proof for g in found.devices} == {"none", "notRecorded"}


def test_the_arithmetic_of_the_gate_is_whole() -> None:
    found = evidence(driven(ENDED), manifest()).waves[0].verdict
    assert found is not None
    assert (found.passed, found.succeeded, found.failed, found.total, found.percent, found.needed_percent) == (
        False,
        2,
        1,
        3,
        66.6667,
        95.0,
    )


def test_runs_in_a_row_by_one_actor_at_one_commit_are_one_line() -> None:
    def event(minute: int, actor: str) -> Event:
        at = NOW + timedelta(minutes=minute)
        return Event(at=at, kind="note", subject="soil", message="", actor=actor, commit="a" * 40)

    found = evidence(driven(ENDED), None, (event(0, "ada"), event(1, "ada"), event(2, "bob"), event(3, "ada"))).runs
    assert [(r.actor, r.events, r.first[14:16], r.last[14:16]) for r in found] == [
        ("ada", 2, "00", "01"),
        ("bob", 1, "02", "02"),
        ("ada", 1, "03", "03"),
    ]


def test_the_predicate_is_as_its_schema_says() -> None:
    found = evidence(driven(ENDED, drift=(entry("tags", closed=True),)), manifest())
    assert found.drift[0].closed_by == "otactl"
    validated(msgspec.json.encode(found).decode(), "evidence")


def test_the_statement_is_about_the_image() -> None:
    stated = json.loads(statement(evidence(driven(ENDED), manifest())))
    firmware = declared().firmware
    assert stated["_type"] == "https://in-toto.io/Statement/v1"
    assert stated["subject"] == [{"name": firmware.image, "digest": {"sha256": firmware.sha256}}]


def test_ten_thousand_devices_stay_below_one_mebibyte() -> None:
    results = tuple(
        msgspec.structs.replace(
            result(f"d1a5f0c0-0000-4000-8000-{n:012x}", Outcome.SUCCEEDED if n % 50 else Outcome.FAILED),
            name=f"70b3d57ed{n:07x}",
        )
        for n in range(10_000)
    )
    found = evidence(driven(msgspec.structs.replace(ENDED, results=results)), manifest())
    envelope = signed(PAYLOAD_TYPE, statement(found), [private_key(pair("ed25519")[0], None, "")])
    assert sum(len(g.devices) for g in found.devices) == 10_000
    assert len(envelope) < 1024**2


def envelope_of(payload: bytes, kind: str = PAYLOAD_TYPE) -> tuple[Envelope, bytes]:
    private, public = pair("ed25519")
    return parsed(signed(kind, payload, [private_key(private, None, "a")]), "a"), public


def nothing_wrong(_: object) -> list[str]:
    return []


def test_evidence_that_is_signed_and_in_form_is_verified() -> None:
    envelope, public = envelope_of(statement(evidence(driven(ENDED), manifest())))
    found = verify(envelope, [public_key(public, "a")], nothing_wrong, declared().firmware.sha256)
    assert (found.verified, found.rollout, [f.check for f in found.findings]) == (
        True,
        "soil",
        ["signature", "statement", "predicate", "image"],
    )
    validated(msgspec.json.encode(found).decode(), "evidence-verify")


@pytest.mark.parametrize(
    ("payload", "kind", "check", "message"),
    [
        (b"{}", "text/plain", "statement", "its type is text/plain"),
        (b"{", PAYLOAD_TYPE, "statement", "its payload is no JSON"),
        (b"[]", PAYLOAD_TYPE, "statement", "it states None"),
        (b'{"_type": "https://in-toto.io/Statement/v0.1"}', PAYLOAD_TYPE, "statement", "Statement/v0.1"),
    ],
)
def test_a_signed_payload_that_states_something_else_is_not_verified(
    payload: bytes, kind: str, check: str, message: str
) -> None:
    envelope, public = envelope_of(payload, kind)
    found = verify(envelope, [public_key(public, "a")], nothing_wrong)
    assert not found.verified
    assert [(f.check, message in f.message) for f in found.findings if not f.holds] == [(check, True)]


def test_every_reason_against_evidence_is_given() -> None:
    envelope, _ = envelope_of(statement(evidence(driven(ENDED), manifest())))
    other = public_key(pair("ed25519")[1], "b")
    found = verify(envelope, [other], lambda _: ["/waves: is wrong"], "0" * 64)
    assert [f.check for f in found.findings if not f.holds] == ["signature", "predicate", "image"]
    unsigned = verify(envelope._replace(signatures=()), [other], nothing_wrong)
    assert unsigned.findings[0].message == "it has no signature"
