"""`otactl evidence` writes what `evidence verify` says yes to, and no to after one changed byte."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otactl.cli.commands.evidence import command
from otactl.journal import SqlJournal
from otactl.model import Event, Outcome, Stage, WaveRecord
from otactl.ports import Commit
from tests.support.report_values import NOW, attempt, record, result, validated
from tests.support.signing import KINDS, KeyFiles, key_files


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFiles:
    """A folder with a journal of one rollout that sent an image, and a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTACTL_JOURNAL", "journal.db")
    sent = attempt(stage=Stage.DELETED, ended_at=NOW, image_sha256="f" * 64, results=(result("a", Outcome.SUCCEEDED),))
    kept = record(WaveRecord(name="canary", attempts=(sent,)), manifest="d" * 64)
    events = tuple(Event(at=NOW, kind="note", subject="soil", message=str(n)) for n in range(3))
    with SqlJournal("journal.db") as journal:
        journal.commit((Commit(record=kept, expected_revision=0, events=events),), 0)
    return key_files(tmp_path)


def run(*words: str, code: int = 0) -> Result:
    ran = CliRunner().invoke(command, list(words))
    assert ran.exit_code == code, ran.output
    return ran


def written(keys: KeyFiles) -> dict[str, str]:
    run("soil", "--key", str(keys.private_file), "--file", "soil.json")
    document: dict[str, str] = json.loads(Path("soil.json").read_text())
    return document


def test_what_was_written_is_verified(keys: KeyFiles) -> None:
    payload = json.loads(base64.b64decode(written(keys)["payload"]))
    assert payload["predicate"]["chain"]["number"] == 3
    said = run("verify", "soil.json", "--key", str(keys.public_file)).output
    assert f"soil.json is verified: prod-eu/soil, image {'f' * 64}" in said
    answer = run("verify", "soil.json", "--key", str(keys.public_file), "-o", "json").output
    validated(answer, "evidence-verify")


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_with_a_passphrase_takes_it_from_the_environment(
    keys: KeyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    locked = key_files(tmp_path, kind, "open sesame", "locked")
    said = run("soil", "--key", str(locked.private_file), code=1).output
    assert "set OTACTL_KEY_PASSPHRASE" in said
    monkeypatch.setenv("OTACTL_KEY_PASSPHRASE", "open sesame")
    Path("out.json").write_text(run("soil", "--key", str(locked.private_file)).output)
    run("verify", "out.json", "--key", str(locked.public_file))


def test_one_changed_byte_of_the_payload_is_a_no(keys: KeyFiles) -> None:
    document = written(keys)
    payload = base64.b64decode(document["payload"])
    changed = payload.replace(b'"outcome":"succeeded"', b'"outcome":"succeedeD"')
    assert changed != payload
    Path("soil.json").write_text(json.dumps({**document, "payload": base64.b64encode(changed).decode()}))
    said = run("verify", "soil.json", "--key", str(keys.public_file), code=2).output
    assert "no   signature: no signature is of a given key" in said
    assert "soil.json is NOT verified" in said


def test_evidence_by_another_key_is_a_no(keys: KeyFiles, tmp_path: Path) -> None:
    written(keys)
    other = key_files(tmp_path, name="other")
    run("verify", "soil.json", "--key", str(other.public_file), code=2)
    run("verify", "soil.json", "--key", str(other.public_file), "--key", str(keys.public_file))


def test_evidence_about_another_image_is_a_no(keys: KeyFiles) -> None:
    written(keys)
    Path("image.bin").write_bytes(b"firmware")
    said = run("verify", "soil.json", "--key", str(keys.public_file), "--image", "image.bin", code=2).output
    assert "no   image: it is about the image ffff" in said


def test_a_broken_history_is_no_evidence(keys: KeyFiles) -> None:
    with closing(sqlite3.connect("journal.db", isolation_level=None)) as raw:
        raw.execute('UPDATE events SET event = replace(event, \'"message":"1"\', \'"message":"9"\')')
    said = run("soil", "--key", str(keys.private_file), "--file", "soil.json", code=1).output
    assert "is broken at prod-eu/soil event 2" in said
    assert not Path("soil.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gone", "--key", "key.pem"), "no rollout gone"),
        (("soil", "--key", "none.pem"), "cannot read the key none.pem"),
        (("soil", "--key", "key.pub"), "is no private key in PEM"),
        (("soil", "--key", "key.pem", "--file", "none/x.json"), "cannot write none/x.json"),
        (("verify", "none.json", "--key", "key.pub"), "cannot read none.json"),
        (("verify", "journal.db", "--key", "key.pub"), "is no DSSE envelope"),
        (("soil",), "Missing option '--key'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exits_1(keys: KeyFiles, words: tuple[str, ...], message: str) -> None:
    assert message in run(*words, code=1).output


def test_a_rollout_that_sent_nothing_has_no_evidence(keys: KeyFiles) -> None:
    with SqlJournal("journal.db") as journal:
        journal.commit((Commit(record=record(name="new"), expected_revision=0),), 0)
    assert "nothing was sent yet" in run("new", "--key", str(keys.private_file), code=1).output


def test_a_journal_whose_history_was_written_again_differs_from_the_evidence(keys: KeyFiles) -> None:
    written(keys)
    words = ("verify", "soil.json", "--key", str(keys.public_file), "--against")
    assert "yes  history: the journal has the same history up to event 3" in run(*words, "journal.db").output
    with SqlJournal("journal.db") as journal:  # what comes later changes nothing before it
        kept = journal.load("prod-eu", "soil")
        more = (Event(at=NOW, kind="note", subject="soil", message="later"),)
        journal.commit((Commit(record=kept.record, expected_revision=1, events=more),), 0)
    run(*words, "journal.db")
    for name, messages in (("again.db", "0x2"), ("cut.db", "01")):
        events = tuple(Event(at=NOW, kind="note", subject="soil", message=each) for each in messages)
        with SqlJournal(name) as journal:
            journal.commit((Commit(record=kept.record, expected_revision=0, events=events),), 0)
    assert "no   history: event 3 has another hash in the journal" in run(*words, "again.db", code=2).output
    assert "no   history: the journal has no event 3" in run(*words, "cut.db", code=2).output
    with closing(sqlite3.connect("journal.db", isolation_level=None)) as raw:
        raw.execute('UPDATE events SET event = replace(event, \'"message":"1"\', \'"message":"9"\')')
    assert "no   history: the history of prod-eu/soil is broken at" in run(*words, "journal.db", code=2).output
