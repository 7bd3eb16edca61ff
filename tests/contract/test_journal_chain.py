"""The events of a rollout form a hash chain in every journal: kept by copies, found broken, and started honestly."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import LiteralString

import boto3
import psycopg
import pytest

from otactl.errors import StalledError
from otactl.journal import open_journal
from otactl.journal.maintenance import check, contents, examine, export
from otactl.journal.postgres.address import address_of
from otactl.journal.s3_client import place_of
from tests.support.journal_contract import DATABASE, ENVIRONMENT, NOW, STORES, change

HOUR = timedelta(hours=1)
MANY = [str(n) for n in range(40)]


def written(url: str) -> None:
    """Two rollouts; the events of the first moved out of its record on S3, and go on after that."""
    with open_journal(url) as journal:
        journal.commit((change(0, *MANY), change(0, "beside", name="other")), 0)
        journal.commit((change(1, "next"), change(1, name="other")), 0)
        journal.commit((change(2, "last"),), 0)


def found(url: str) -> list[tuple[str, str]]:
    with open_journal(url, must_exist=True) as journal:
        return [(d.where, d.message) for d in check(journal, NOW, HOUR) if d.code == "chain_is_broken"]


def edit(url: str, before: str, after: str) -> None:
    """Replace text in what a journal stores, behind its back."""
    if url.startswith("postgresql://"):
        on_postgres("ALTER TABLE otactl.events DISABLE TRIGGER events_stay")
        on_postgres(
            "UPDATE otactl.events SET event = replace(event, %s, %s), link = replace(link, %s, %s) WHERE journal = %s",
            *(before, after, before, after, address_of(url).journal),
        )
        on_postgres("ALTER TABLE otactl.events ENABLE TRIGGER events_stay")
        return
    if not url.startswith("s3://"):
        with closing(sqlite3.connect(Path(url.removeprefix("sqlite:///")), isolation_level=None)) as raw:
            both = (before, after, before, after)
            raw.execute("UPDATE events SET event = replace(event, ?, ?), link = replace(link, ?, ?)", both)
        return
    place, client = place_of(url), boto3.client("s3")
    for each in client.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)["Contents"]:
        stored = client.get_object(Bucket=place.bucket, Key=each["Key"])["Body"].read()
        text = gzip.decompress(stored).decode().replace(before, after)
        client.put_object(Bucket=place.bucket, Key=each["Key"], Body=gzip.compress(text.encode()))


def on_postgres(statement: LiteralString, *values: str) -> None:
    with psycopg.connect(dbname=DATABASE, autocommit=True) as connection:
        connection.execute(statement, values)


def without_chain(url: str) -> None:
    """Make a journal one of the version before the chain, or on PostgreSQL a copy of such a one."""
    if url.startswith("postgresql://"):
        on_postgres("ALTER TABLE otactl.events DISABLE TRIGGER events_stay")
        on_postgres("UPDATE otactl.events SET link = NULL WHERE journal = %s", address_of(url).journal)
        on_postgres("UPDATE otactl.records SET chain = NULL WHERE journal = %s", address_of(url).journal)
        on_postgres("ALTER TABLE otactl.events ENABLE TRIGGER events_stay")
        return
    if not url.startswith("s3://"):
        with closing(sqlite3.connect(Path(url.removeprefix("sqlite:///")), isolation_level=None)) as raw:
            raw.execute("ALTER TABLE records DROP COLUMN chain")
            raw.execute("ALTER TABLE events DROP COLUMN link")
            raw.execute("UPDATE schema_version SET version = 2")
        return
    place, client = place_of(url), boto3.client("s3")
    for each in client.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)["Contents"]:
        stored = client.get_object(Bucket=place.bucket, Key=each["Key"])["Body"].read()
        value = json.loads(gzip.decompress(stored), object_hook=_without)
        client.put_object(Bucket=place.bucket, Key=each["Key"], Body=gzip.compress(packed(value)))


def packed(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _without(value: dict[str, object]) -> dict[str, object]:
    if "copying" in value:
        value["schema"] = 3
    return {key: each for key, each in value.items() if key not in ("chain", "link")}


def test_a_journal_that_only_otactl_wrote_has_whole_chains(url: str) -> None:
    written(url)
    with open_journal(url, must_exist=True) as journal:
        checked = examine(journal, NOW, HOUR)
    assert (checked.defects, checked.chained, checked.unchained) == ((), len(MANY) + 3, 0)


def test_every_store_gives_the_same_events_the_same_hashes(stores: None, tmp_path: Path) -> None:
    chains = []
    for kind in sorted(STORES):
        written(STORES[kind](tmp_path))
        with open_journal(STORES[kind](tmp_path)) as journal:
            lines = [json.loads(line) for line in export(journal)]
        chains.append([(line["kind"], line.get("link"), line.get("chain")) for line in lines])
    assert chains[0] == chains[1] == chains[2]


@pytest.mark.parametrize(
    ("before", "after", "where", "message"),
    [
        ('"message":"7"', '"message":"8"', "prod-eu/soil event 8", "its hash is not that of its text"),
        ('"number":9,', '"number":10,', "prod-eu/soil event 9", "its number is 10, not 9"),
        ('"number":42,', '"number":41,', "prod-eu/soil event 43", "its number is 41, not 42"),
    ],
)
def test_a_change_behind_its_back_is_found_and_the_event_named(
    url: str, before: str, after: str, where: str, message: str
) -> None:
    written(url)
    edit(url, before, after)
    ((place, text),) = found(url)
    assert (place, message in text) == (_counted(url, where), True), text


def _counted(url: str, where: str) -> str:
    """The number of an event counts those of all journals of a database of PostgreSQL."""
    if not url.startswith("postgresql://"):
        return where
    with psycopg.connect(dbname=DATABASE) as raw:
        query = "SELECT min(sequence) FROM otactl.events WHERE journal = %s"
        (first,) = raw.execute(query, (address_of(url).journal,)).fetchone() or (0,)
    rollout, _, number = where.rpartition(" ")
    return f"{rollout} {first + int(number) - 1}"


def test_a_commit_that_fails_leaves_the_chain_as_it_was(url: str) -> None:
    written(url)
    with open_journal(url) as journal:
        with pytest.raises(StalledError):
            journal.commit((change(3, "lost"), change(2, "x", name="other", version="\ud800")), 0)
        journal.commit((change(3, "kept"),), 0)
    assert found(url) == []


def test_old_events_are_counted_and_frozen_and_the_chain_begins_behind_them(url: str) -> None:
    written(url)
    without_chain(url)
    with open_journal(url, must_exist=True) as journal:
        before = examine(journal, NOW, HOUR)
        assert (before.defects, before.chained, before.unchained) == ((), 0, len(MANY) + 3)
    with open_journal(url, must_exist=True, write=True) as journal:
        journal.commit((change(3), change(2, "go on", name="other")), 0)
        journal.commit((change(4, "go", "on"),), 0)
        began = [e for e in journal.history(ENVIRONMENT, "soil") if e.kind == "chainBegins"]
        after = examine(journal, NOW, HOUR)
    assert [e.data["unchained"] for e in began] == [len(MANY) + 2]
    assert (after.defects, after.chained, after.unchained) == ((), 2 + 1 + 2, len(MANY) + 3)
    edit(url, '"message":"7"', '"message":"8"')
    ((_, text),) = found(url)
    assert "the chain begins here behind 42 events without a hash" in text


@pytest.mark.parametrize("kinds", list(permutations(sorted(STORES), 2)), ids="-".join)
def test_a_copy_keeps_the_chain_and_goes_on_with_it(stores: None, tmp_path: Path, kinds: tuple[str, str]) -> None:
    first, second = (STORES[kind](tmp_path / str(n)) for n, kind in enumerate(kinds))
    written(first)
    with open_journal(first) as source, open_journal(second) as target:
        target.fill(contents(source))
        assert contents(target).chains == contents(source).chains
        target.commit((change(3, "on"),), 0)
        checked = examine(target, NOW, HOUR)
    assert (checked.defects, checked.chained) == ((), len(MANY) + 4)


def test_a_copy_of_a_broken_chain_is_as_broken(url: str, tmp_path: Path) -> None:
    written(url)
    edit(url, '"message":"7"', '"message":"8"')
    copy = str(tmp_path / "copy.db")
    with open_journal(url) as source, open_journal(copy) as target:
        target.fill(contents(source))
    assert [where for where, _ in found(f"sqlite:///{copy}")] == ["prod-eu/soil event 8"]
