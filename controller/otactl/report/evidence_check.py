"""Verifies evidence: its signatures, its form, and what is asked of it; every reason against it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from otactl.errors import StalledError
from otactl.journal.chain_reading import ChainReading
from otactl.model import JsonObject, Value
from otactl.report.evidence_values import PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE
from otactl.signatures.dsse import Envelope, verifying
from otactl.signatures.keys import PublicKey


class Finding(Value, frozen=True, kw_only=True):
    """One check and its result."""

    check: Annotated[str, Meta(description="What was checked.", examples=["signature"])]
    holds: Annotated[bool, Meta(description="Whether it holds.", examples=[True])]
    message: Annotated[str, Meta(description="What was found.", examples=["signed by key 9f2c4e5a7b1d8c3f"])]


class Verification(Value, frozen=True, kw_only=True):
    """All that `evidence verify` says; it is verified if every check holds."""

    verified: Annotated[bool, Meta(description="Whether every check holds.", examples=[True])]
    rollout: Annotated[str | None, Meta(description="The rollout; null if it cannot be read.", examples=["soil-probe"])]
    environment: Annotated[str | None, Meta(description="Its environment.", examples=["prod-eu"])]
    image: Annotated[str | None, Meta(description="SHA-256 of the image that it is about.", examples=["9f2c4e5a"])]
    findings: Annotated[tuple[Finding, ...], Meta(description="The checks, in order.")]


def verify(
    envelope: Envelope,
    keys: Sequence[PublicKey],
    wrong_form: Callable[[object], Sequence[str]],
    image: str | None = None,
) -> Verification:
    """Check an envelope against keys, of which one is enough; `wrong_form` says what a predicate's schema finds.

    `image` is the SHA-256 of an image that it is to be about.
    """
    found = [_signature(envelope, keys)]
    statement = _statement(envelope, found)
    predicate = statement.get("predicate")
    if statement:
        wrong = list(wrong_form(predicate))
        text = "it is as its schema says" if not wrong else f"it is not as its schema says: {wrong[0]}"
        found.append(Finding(check="predicate", holds=not wrong, message=text))
    subject = _subject(statement)
    if image is not None:
        text = f"it is about the image {subject or 'of no digest'}, the file has {image}"
        found.append(Finding(check="image", holds=subject == image, message=text))
    named = predicate if isinstance(predicate, dict) else {}
    return Verification(
        verified=all(f.holds for f in found),
        rollout=_text(named.get("rollout")),
        environment=_text(named.get("environment")),
        image=subject,
        findings=tuple(found),
    )


def predicate_of(envelope: Envelope) -> JsonObject:
    """Return the predicate that an envelope holds, empty where it holds none of ours; nothing of it is verified."""
    found = _statement(envelope, []).get("predicate")
    return dict(found) if isinstance(found, dict) else {}


def with_history(checked: Verification, predicate: JsonObject, history: ChainReading) -> Verification:
    """Add whether a journal still has the history that evidence was written over, by number and hash of an event."""
    holds, text = _same_history(predicate, history)
    found = (*checked.findings, Finding(check="history", holds=holds, message=text))
    return msgspec.structs.replace(checked, verified=checked.verified and holds, findings=found)


def _same_history(predicate: JsonObject, history: ChainReading) -> tuple[bool, str]:
    chain = predicate.get("chain")
    if not isinstance(chain, dict):
        return False, "it names no event of the hash chain, so nothing can be compared with the journal"
    try:
        history.checked()
    except StalledError as error:
        return False, str(error)
    number, wanted = chain.get("number"), chain.get("sha256")
    found = next((e.link.hash for e in history.events if e.link is not None and e.link.number == number), None)
    if found is None:
        return (
            False,
            f"the journal has no event {number} of {history.environment}/{history.name}: cut off, or another one",
        )
    if found != wanted:
        return False, f"event {number} has another hash in the journal: the history up to it was written again since"
    return True, f"the journal has the same history up to event {number}"


def _signature(envelope: Envelope, keys: Sequence[PublicKey]) -> Finding:
    good = verifying(envelope, keys)
    if good:
        text = f"signed by the {good[0].algorithm} key {good[0].id[:16]}"
        return Finding(check="signature", holds=True, message=text)
    if not envelope.signatures:
        return Finding(check="signature", holds=False, message="it has no signature")
    named = ", ".join(name[:16] or "unnamed" for name, _ in envelope.signatures)
    given = ", ".join(key.id[:16] for key in keys)
    text = f"no signature is of a given key ({given}); its own names: {named}. It was changed, or signed by another key"
    return Finding(check="signature", holds=False, message=text)


def _statement(envelope: Envelope, found: list[Finding]) -> JsonObject:
    """Return the statement in an envelope, empty where it is none of ours."""
    if envelope.payload_type != PAYLOAD_TYPE:
        text = f"its type is {envelope.payload_type}, not {PAYLOAD_TYPE}"
        found.append(Finding(check="statement", holds=False, message=text))
        return {}
    try:
        statement = json.loads(envelope.payload)
    except (ValueError, RecursionError) as error:
        found.append(Finding(check="statement", holds=False, message=f"its payload is no JSON: {error}"))
        return {}
    kinds = (statement.get("_type"), statement.get("predicateType")) if isinstance(statement, dict) else (None, None)
    if kinds != (STATEMENT_TYPE, PREDICATE_TYPE):
        text = f"it states {kinds[1]!r} as {kinds[0]!r}, not {PREDICATE_TYPE} as {STATEMENT_TYPE}"
        found.append(Finding(check="statement", holds=False, message=text))
        return {}
    found.append(Finding(check="statement", holds=True, message=f"it states {PREDICATE_TYPE}"))
    return dict(statement)


def _subject(statement: JsonObject) -> str | None:
    subjects = statement.get("subject")
    first = subjects[0] if isinstance(subjects, list) and subjects else None
    digest = first.get("digest") if isinstance(first, dict) else None
    return _text(digest.get("sha256")) if isinstance(digest, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
