"""Computes one commit on S3 from a head: the writes, or the reason against them. No I/O.

1. The fencing number and every expected revision are judged against the head the commit is to replace.
2. A record's events go with it while they are few; when they grow many they all move into an object of their own.
3. Each event is linked to the one before it; the head of the chain goes with the record.
4. Records of the segments to be merged go along unchanged, as far as the head still points to them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from otactl.errors import ConflictError, StalledError
from otactl.journal.s3_format import MAX_TAIL, Entry, Head, Kept, Pack, Segment, segment_name
from otactl.model import Event, Value
from otactl.ports import Commit
from otactl.state.event_chain import ChainCheck, linked


class Prepared(NamedTuple):
    """A commit as JSON."""

    key: str
    name: str
    expected: int
    record: msgspec.Raw
    events: tuple[msgspec.Raw, ...]


class Draft(NamedTuple):
    """What a commit writes, in this order: events that move out, if any; records; and the head, which commits it."""

    name: str
    pack: Pack | None
    segment: Segment
    head: Head
    revisions: dict[str, int]


def prepare(url: str, commits: tuple[Commit, ...]) -> tuple[Prepared, ...]:
    """Write records and events as JSON; raises `StalledError` for what cannot be, `ValueError` for two environments."""
    environments = {c.record.environment for c in commits}
    if len(environments) > 1:
        raise ValueError(f"one commit is of one environment, this one is of {sorted(environments)}")
    return tuple(_prepared(url, commit) for commit in commits)


def _prepared(url: str, commit: Commit) -> Prepared:
    record, events = _json(url, commit.record, commit), tuple(_json(url, each, commit) for each in commit.events)
    return Prepared(commit.record.key, commit.record.name, commit.expected_revision, record, events)


def _json(url: str, value: Value, commit: Commit) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(value))
    except (TypeError, ValueError, OverflowError) as error:  # a lone surrogate from a service is a ValueError
        text = f"journal {url}: {commit.record.key} cannot be written as JSON ({error}); nothing was written"
        raise StalledError("RecordIsNotStorable", f"{text}; check for a broken name in the service") from error


def judge(head: Head, prepared: tuple[Prepared, ...], fencing: int) -> None:
    """Raise `ConflictError` when the head does not let this commit through (rule 1)."""
    newest = head.held.lease.fencing if head.held is not None else 0
    if newest > fencing:
        raise ConflictError(
            f"environment {head.environment}: another process took over (fencing number {fencing} was given, {newest} "
            "is the newest); nothing was written, run again"
        )
    revisions: dict[str, int] = {}
    for each in prepared:
        found = revisions.get(each.name, head.revision(each.name))
        if found != each.expected:
            raise ConflictError(
                f"{each.key}: expected revision {each.expected}, found {found}; nothing was written; read it again"
            )
        revisions[each.name] = found + 1


def draft(
    head: Head,
    commit: str,
    prepared: tuple[Prepared, ...],
    segments: Mapping[str, Mapping[str, Entry]],
    merging: frozenset[str],
    unchained: Mapping[str, tuple[Kept, ...]],
) -> Draft:
    """Compute a commit; `segments` holds those of the records it writes and those it merges.

    `unchained` are the events of records that have no chain yet, by rollout name.
    """
    ours = segment_name(head.serial + 1, commit)
    written: dict[str, Entry] = {}
    packed: dict[str, tuple[Kept, ...]] = {}
    sequence = head.sequence
    for each in prepared:
        entry = written.get(each.name) or _there(head, each.name, segments)
        revision = each.expected + 1
        texts, head_of = each.events, entry.chain if entry is not None else None
        if texts and head_of is None and unchained.get(each.name):
            texts = (_beginning(head.environment, each, unchained[each.name]), *texts)
        links = linked(head.environment, each.name, revision, [bytes(text) for text in texts], head_of)
        new = tuple(
            Kept(sequence=sequence + n, revision=revision, event=text, link=link)
            for n, (text, link) in enumerate(zip(texts, links, strict=True), start=1)
        )
        sequence += len(new)
        older, tail = (entry.older, (*entry.tail, *new)) if entry is not None else ((), new)
        if each.name in packed:
            packed[each.name], tail = (*packed[each.name], *tail), ()
        elif len(tail) > MAX_TAIL:
            packed[each.name], older, tail = tail, (*older, ours), ()
        written[each.name] = Entry(
            revision=revision, record=each.record, older=older, tail=tail, chain=links[-1] if links else head_of
        )
    revisions = {name: entry.revision for name, entry in written.items()}
    for name in head.index:
        home = head.segment_of(name)
        if home is not None and home in merging and name not in written:
            written[name] = segments[home][name]
    events = Pack(environment=head.environment, events=packed) if packed else None
    segment = Segment(environment=head.environment, records=written)
    return Draft(ours, events, segment, head.written(commit, written, sequence), revisions)


def _beginning(environment: str, each: Prepared, old: tuple[Kept, ...]) -> msgspec.Raw:
    check = ChainCheck(environment, each.name)
    for kept in old:
        check.add(str(kept.sequence), kept.revision, bytes(kept.event), None)
    return msgspec.Raw(msgspec.json.encode(check.beginning(msgspec.json.decode(each.events[0], type=Event).at)))


def _there(head: Head, name: str, segments: Mapping[str, Mapping[str, Entry]]) -> Entry | None:
    home = head.segment_of(name)
    return None if home is None else segments[home][name]
