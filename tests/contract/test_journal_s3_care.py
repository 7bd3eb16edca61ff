"""Care of a journal on S3: check finds what is wrong and goes on, a backup is a file that works."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest

from otactl.errors import StalledError
from otactl.journal import S3Journal, SqlJournal, open_journal
from otactl.journal.maintenance import backup, check, export
from otactl.journal.s3_format import Entry, Head, Pack, Segment, pack, unpack
from otactl.model import Intent, RecordedCall
from otactl.ports import Commit
from tests.support.journal_contract import BUCKET, NOW, STORES, change, record
from tests.support.s3_faults import Wire, everything, filled

HOUR = timedelta(hours=1)
Fix = Callable[[Head], Head] | Callable[[Segment], Segment] | Callable[[Pack], Pack]


def keys(place: str, kind: str) -> list[str]:
    prefix = f"{place.removeprefix(f's3://{BUCKET}/')}/{kind}/prod-eu"
    return [each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]


def spoil(place: str, kind: str, number: int, fix: Fix | None) -> None:
    """Change an object behind the journal's back, or take it away."""
    client, key = boto3.client("s3"), keys(place, kind)[number]
    if fix is None:
        client.delete_object(Bucket=BUCKET, Key=key)
        return
    type_of = {"heads": Head, "segments": Segment, "events": Pack}[kind]
    held = unpack(client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), type_of, key)
    client.put_object(Bucket=BUCKET, Key=key, Body=pack(fix(held)))


def with_entry(name: str, change_entry: Callable[[Entry], Entry]) -> Callable[[Segment], Segment]:
    return lambda s: msgspec.structs.replace(s, records=s.records | {name: change_entry(s.records[name])})


def with_text(text: str) -> Callable[[Entry], Entry]:
    return lambda entry: msgspec.structs.replace(entry, record=msgspec.Raw(text.encode()))


def codes(place: str) -> list[tuple[str, str]]:
    with open_journal(place, must_exist=True) as journal:
        return [(d.where, d.code) for d in check(journal, NOW, HOUR)]


def test_a_sound_journal_has_no_defect(filled_place: str) -> None:
    assert codes(filled_place) == []


def without_tail(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, tail=())


def ahead(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, tail=tuple(msgspec.structs.replace(k, revision=3) for k in entry.tail))


def broken_event(entry: Entry) -> Entry:
    (first, *rest) = entry.tail
    return msgspec.structs.replace(entry, tail=(msgspec.structs.replace(first, event=msgspec.Raw(b"{}")), *rest))


def fewer(pack: Pack) -> Pack:
    return msgspec.structs.replace(pack, events={n: kept[1:] for n, kept in pack.events.items()})


@pytest.mark.parametrize(
    ("kind", "number", "fix", "found"),
    [
        ("segments", 2, with_entry("d", with_text("[]")), [("prod-eu/d", "record_is_unreadable")]),
        (
            "segments",
            2,
            with_entry("d", with_text('{"environment":"prod-eu","name":"x"}')),
            [("prod-eu/d", "record_is_misfiled")],
        ),
        (
            "segments",
            2,
            with_entry("d", lambda e: msgspec.structs.replace(e, revision=7)),
            [("prod-eu/d", "record_differs_from_head")],
        ),
        (
            "segments",
            2,
            lambda s: msgspec.structs.replace(s, records={}),
            [(f"prod-eu/{n}", "record_differs_from_head") for n in "abcdef"],
        ),
        (
            "segments",
            2,
            with_entry("b", without_tail),
            [("events of prod-eu", "events_are_missing"), ("prod-eu/b", "chain_is_broken")],
        ),
        (
            "segments",
            2,
            with_entry("b", ahead),
            [
                ("prod-eu/b event 34", "event_is_ahead_of_record"),
                ("prod-eu/b event 35", "event_is_ahead_of_record"),
                ("prod-eu/b event 34", "chain_is_broken"),
            ],
        ),
        (
            "segments",
            2,
            with_entry("b", broken_event),
            [("prod-eu/b event 34", "event_is_unreadable"), ("prod-eu/b event 34", "chain_is_broken")],
        ),
        ("events", 0, fewer, [("events of prod-eu", "events_are_missing"), ("prod-eu/a event 2", "chain_is_broken")]),
        ("events", 0, None, [("events/prod-eu/", "events_are_unreadable"), ("prod-eu/a", "chain_is_broken")]),
        ("segments", 2, None, [("segments/prod-eu/", "segment_is_unreadable")]),
        ("segments", 0, None, []),
        ("heads", 0, None, [("head of prod-eu", "head_is_unreadable")]),
        (
            "heads",
            0,
            lambda h: msgspec.structs.replace(h, environment="prod-us"),
            [("head of prod-eu", "head_is_unreadable")],
        ),
    ],
)
def test_what_is_wrong_is_named(
    filled_place: str, kind: str, number: int, fix: Fix | None, found: list[tuple[str, str]]
) -> None:
    spoil(filled_place, kind, number, fix)
    reported = [(re.sub("/[0-9]{10}-.*", "/", where), code) for where, code in codes(filled_place)]
    assert reported == found


def test_a_journal_of_many_objects_is_listed_page_by_page(filled_place: str) -> None:
    class Pages(Wire):
        def list_objects_v2(self, **given: object) -> dict[str, Any]:
            return super().list_objects_v2(**{**given, "MaxKeys": 2})

    wire = Pages()
    journal = S3Journal(filled_place, client=wire)
    assert check(journal, NOW, HOUR) == ()
    assert wire.seen.count("list") > 4
    assert everything(journal) == everything(S3Journal(filled_place))


def test_one_defect_does_not_hide_the_next(filled_place: str) -> None:
    spoil(filled_place, "events", 0, None)
    spoil(filled_place, "segments", 2, with_entry("d", with_text("[]")))
    assert {code for _, code in codes(filled_place)} == {
        "events_are_unreadable",
        "chain_is_broken",
        "record_is_unreadable",
    }


def test_an_old_intent_is_a_warning_that_says_which_call(filled_place: str) -> None:
    call = RecordedCall(service="iotwireless", operation="CreateFuotaTask", parameters={})
    intent = Intent(action="createUnit", unit_id="a-canary-1", key="1", call=call, at=NOW - timedelta(hours=2))
    with open_journal(filled_place) as journal:
        held = msgspec.structs.replace(record("a"), intents=(intent,))
        journal.commit((Commit(record=held, expected_revision=1),), 1)
        (found,) = check(journal, NOW, HOUR)
    assert (found.severity, found.code, "CreateFuotaTask" in found.message) == ("warning", "intent_is_old", True)


def test_an_export_has_the_lines_a_file_has(filled_place: str, tmp_path: Path) -> None:
    url = filled(STORES["sqlite"](tmp_path))
    reported = []
    for each in (filled_place, url):
        with open_journal(each, must_exist=True) as journal:
            reported.append([json.loads(line) for line in export(journal)])
    for line in (*reported[0], *reported[1]):
        line.pop("sequence", None)  # counted by environment here, over all there
    assert reported[0][0].pop("id") != reported[1][0].pop("id")  # they were made apart
    assert reported[0] == reported[1]


def test_an_export_stops_at_what_it_cannot_read_and_names_it(filled_place: str) -> None:
    spoil(filled_place, "events", 0, None)
    with open_journal(filled_place) as journal, pytest.raises(StalledError, match=r"events/prod-eu/.* cannot be read"):
        list(export(journal))


def test_a_backup_is_a_file_that_tells_the_same_and_can_be_worked_with(filled_place: str, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "monday.db"
    with open_journal(filled_place, must_exist=True) as journal:
        backup(journal, copy)
        reported = everything(journal)
    assert [p.name for p in copy.parent.iterdir()] == ["monday.db"]
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with SqlJournal(copy) as restored:
        assert everything(restored) == reported
        assert check(restored, NOW, HOUR) == ()
        assert restored.commit((change(2, name="b"),), 1) == {"b": 3}


def test_a_backup_of_what_is_not_whole_is_not_made(filled_place: str, tmp_path: Path) -> None:
    spoil(filled_place, "segments", 2, None)
    with (
        open_journal(filled_place) as journal,
        pytest.raises(StalledError, match=r"segments/prod-eu/.* cannot be read"),
    ):
        backup(journal, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []
