"""What only a journal on S3 can suffer: its URL, its bucket, permissions, settings, damage."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import msgspec
import pytest

from otactl.errors import ConflictError, OtactlError, StalledError, TransientError, UsageError
from otactl.journal import AnyJournal, open_journal
from otactl.journal.s3_format import SCHEMA, Marker, pack
from otactl.ports import Commit
from otactl_simulator.server import SimulatorServer
from tests.support.journal_contract import BUCKET, ENVIRONMENT, NOW, change, record
from tests.support.s3_faults import LONG, quick


def raw(place: str, name: str, data: bytes | None) -> None:
    """Write an object of the journal behind its back, or take it away."""
    given = {"Bucket": BUCKET, "Key": f"{place.removeprefix(f's3://{BUCKET}/')}/{name}"}
    client = boto3.client("s3")
    client.delete_object(**given) if data is None else client.put_object(**given, Body=data)


def keys(place: str) -> list[str]:
    prefix = place.removeprefix(f"s3://{BUCKET}/")
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [each["Key"].removeprefix(f"{prefix}/") for each in found.get("Contents", ())]


def one_line(error: OtactlError, place: str) -> bool:
    return "\n" not in str(error) and place in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///journal",
        "s3://bucket",
        "s3://bucket/",
        "s3://Bucket/journal",
        "s3://b/journal",
        "s3://bucket//journal",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/a?b",
        "s3://bucket/a b",
        "s3://key:hunter2@bucket/journal",
    ],
)
def test_a_url_that_names_no_place_says_how_it_is_written(url: str) -> None:
    with pytest.raises(UsageError, match="s3://BUCKET/PREFIX") as caught:
        open_journal(url)
    assert "hunter2" not in str(caught.value)


def test_a_slash_at_the_end_names_the_same_journal(place: str) -> None:
    open_journal(f"{place}/").commit((change(0),), 0)
    assert open_journal(place, must_exist=True).load(ENVIRONMENT, "soil").revision == 1


@pytest.mark.parametrize("must_exist", [False, True])
def test_a_bucket_that_is_not_there_is_reported(s3: SimulatorServer, must_exist: bool) -> None:
    with pytest.raises(UsageError, match=r"there is no bucket nowhere-eu; create it, .*--journal") as caught:
        open_journal("s3://nowhere-eu/journal", must_exist=must_exist)
    assert one_line(caught.value, "s3://nowhere-eu/journal")


def test_reading_a_missing_journal_says_what_next_and_makes_nothing(place: str) -> None:
    with pytest.raises(UsageError, match=r"JournalMissing: no journal at s3://.*--journal.*otactl journal init s3://"):
        open_journal(place, must_exist=True)
    assert keys(place) == []


def test_a_journal_opened_for_reading_refuses_to_write(place: str) -> None:
    open_journal(place).commit((change(0),), 0)
    before = keys(place)
    reader = open_journal(place, must_exist=True)
    assert reader.load(ENVIRONMENT, "soil").revision == 1
    for write in (lambda: reader.commit((change(1),), 0), lambda: reader.acquire(ENVIRONMENT, "cron", NOW)):
        with pytest.raises(UsageError, match="cannot be opened or written"):
            write()
    assert keys(place) == before


@pytest.fixture
def judged(s3: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make the caller a user who may do what is given, as IAM judges it."""
    iam = boto3.client("iam", region_name="us-east-1")
    iam.create_user(UserName="runner")
    made = iam.create_access_key(UserName="runner")["AccessKey"]

    def allow(*actions: str) -> None:
        on = {"s3:ListBucket": f"arn:aws:s3:::{BUCKET}"}
        statements = [
            {"Effect": "Allow", "Action": a, "Resource": on.get(a, f"arn:aws:s3:::{BUCKET}/*")} for a in actions
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="runner", PolicyName="journal", PolicyDocument=document)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", made["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made["SecretAccessKey"])
        s3.world.apply_settings({"enforceCallers": True})

    yield allow
    s3.world.apply_settings({"enforceCallers": False})
    monkeypatch.undo()
    iam.delete_access_key(UserName="runner", AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName="runner", PolicyName="journal")
    iam.delete_user(UserName="runner")


@pytest.mark.parametrize(
    ("allowed", "reported"),
    [
        (("s3:PutObject", "s3:ListBucket"), r"s3:GetObject of .* was refused; grant s3:GetObject on .*/\* and s3:List"),
        (("s3:GetObject", "s3:ListBucket"), r"s3:PutObject of .* was refused; grant s3:PutObject on .*/\* to the"),
        (
            ("s3:GetObject", "s3:PutObject"),
            rf"s3:GetObject .*refused; grant .* s3:ListBucket on {BUCKET} to the caller",
        ),
    ],
)
def test_a_missing_permission_is_named_as_iam_names_it(
    place: str, judged: Any, allowed: tuple[str, ...], reported: str
) -> None:
    judged(*allowed)
    with pytest.raises(StalledError, match=reported) as caught:
        open_journal(place).commit((change(0),), 0)
    assert caught.value.reason == "PermissionDenied"
    assert one_line(caught.value, place)


def test_a_missing_permission_to_list_is_named_when_environments_are_asked_for(place: str, judged: Any) -> None:
    open_journal(place).commit((change(0),), 0)
    judged("s3:GetObject")
    reader = open_journal(place, must_exist=True)
    assert list(reader.load_all(ENVIRONMENT)) == ["soil"]
    with pytest.raises(StalledError, match=rf"s3:ListBucket of .*; grant s3:ListBucket on {BUCKET} to the caller"):
        reader.environments()


def test_the_three_permissions_that_are_named_are_enough_for_everything(place: str, judged: Any) -> None:
    judged("s3:GetObject", "s3:PutObject", "s3:ListBucket")
    with open_journal(place) as journal:
        lease = journal.acquire(ENVIRONMENT, "cron", NOW)
        assert journal.commit((change(0, "one"),), lease.fencing) == {"soil": 1}
        journal.release(lease, NOW)
        assert journal.environments() == (ENVIRONMENT,)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "NoCredentials"),
        ({"AWS_PROFILE": "unknown"}, "NoCredentials"),
        ({"AWS_ENDPOINT_URL": "loopback"}, "RequestFailed"),
    ],
)
def test_settings_that_reach_no_bucket_are_one_line(
    place: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str | None], reason: str
) -> None:
    for name, value in variables.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(StalledError) as caught:
        quick(place)
    assert caught.value.reason == reason
    assert one_line(caught.value, place)


def test_a_service_that_does_not_answer_is_worth_another_try(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(TransientError, match=r"s3:GetObject .*no answer after 3 attempts") as caught:
        quick(place)
    assert (caught.value.committed, caught.value.retry_after > 0) == (False, True)
    assert one_line(caught.value, place)


def test_a_throttled_journal_is_worth_another_try_and_nothing_is_written(place: str, s3: SimulatorServer) -> None:
    journal = quick(place)
    s3.world.faults.replace([{"service": "s3", "operation": "PutObject", "effect": "throttle"}])
    with pytest.raises(TransientError, match=r"s3:PutObject .*throttled after 3 attempts") as caught:
        journal.commit((change(0),), 0)
    s3.world.faults.replace([])
    assert caught.value.committed is False
    assert journal.load_all(ENVIRONMENT) == {}


def test_a_newer_schema_is_refused_and_left_alone(place: str) -> None:
    raw(place, "journal.json.gz", pack(msgspec.structs.replace(Marker(), schema=SCHEMA + 1)))
    for must_exist in (True, False):
        reported = f"schema {SCHEMA + 1}, this version knows {SCHEMA}; run a newer otactl"
        with pytest.raises(StalledError, match=reported) as caught:
            open_journal(place, must_exist=must_exist)
        assert caught.value.reason == "JournalIsNewer"
    assert keys(place) == ["journal.json.gz"]


@pytest.mark.parametrize(
    ("journal_id", "init"), [("0123456789abcdef", "init --replaces 0123456789abcdef`"), ("", "init`")]
)
def test_an_older_schema_is_refused_with_the_way_out_and_left_alone(place: str, journal_id: str, init: str) -> None:
    raw(place, "journal.json.gz", pack(msgspec.structs.replace(Marker(), schema=SCHEMA - 2, id=journal_id)))
    for must_exist in (True, False):
        with pytest.raises(StalledError, match=f"has schema {SCHEMA - 2}.*journal {init}") as caught:
            open_journal(place, must_exist=must_exist)
        assert caught.value.reason == "JournalIsOlder"
    assert keys(place) == ["journal.json.gz"]


def test_an_object_of_another_program_is_no_journal(place: str) -> None:
    raw(place, "journal.json.gz", b"apiVersion: otactl.dev/v1\n")
    with pytest.raises(UsageError, match="is not a journal; name another"):
        open_journal(place)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        *((k, d) for k in ("heads", "segments", "events") for d in (b"", b"\x1f\x8b", b"plain", pack(Marker()))),
        ("segments", None),
        ("events", None),  # a head that is taken away is for `check`: an environment never written to has none either
    ],
)
def test_a_damaged_object_stalls_with_what_next_and_is_named(place: str, kind: str, data: bytes | None) -> None:
    open_journal(place).commit((change(0, *LONG),), 0)
    (key,) = (each for each in keys(place) if each.startswith(kind))
    raw(place, key, data)
    with pytest.raises(StalledError, match=rf"{key}.* cannot be read .*otactl journal check.*backup") as caught:
        open_journal(place).history(ENVIRONMENT, "soil")
    assert caught.value.reason == "JournalIsDamaged"
    assert one_line(caught.value, place)


@pytest.mark.parametrize("name", ["prod.eu", "..", "a/b", "a!b", "sondé 土", "A%2F", "x" * 200])
def test_an_environment_may_have_any_name(place: str, name: str) -> None:
    there = Commit(record=msgspec.structs.replace(record(), environment=name), expected_revision=0)
    with open_journal(place) as journal:
        journal.commit((change(0),), 0)
        journal.commit((there,), 0)
        assert journal.environments() == tuple(sorted((ENVIRONMENT, name)))
        assert list(journal.load_all(name)) == ["soil"]


@pytest.mark.parametrize("ask", ["load", "history"])
def test_a_name_that_is_no_text_is_reported(place: str, ask: str) -> None:
    for names in ((ENVIRONMENT, "\udcff"), ("\udcff", "soil")):
        with pytest.raises(UsageError, match="not valid text"):
            getattr(open_journal(place), ask)(*names)


def test_threads_share_a_journal_and_each_revision_goes_to_one(place: str) -> None:
    won: list[int] = []

    def work(journal: AnyJournal) -> None:
        for revision in range(10):
            try:
                journal.commit((change(revision),), 0)
            except ConflictError:
                continue
            won.append(revision)

    journal = open_journal(place)
    threads = [threading.Thread(target=work, args=(journal,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(10))
