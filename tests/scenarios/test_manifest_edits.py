"""`otactl suspend`, `resume` and `abort`: edits of a manifest that a person reads in a pull request."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from otactl.journal import SqlJournal
from otactl.model import Attempt, Record, Stage, WaveRecord
from otactl.ports import Commit
from tests.support.examples import LEAK, PLUG, SOIL, edit, examples, otactl, rollout

HOLD = ("--reason", "waiting for the lab", "--owner", "ada")
ALL = (SOIL, LEAK, PLUG, "rollouts/gateway-3-2-0.yaml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return examples(tmp_path, monkeypatch)


@pytest.mark.parametrize("file", ALL)
def test_a_manifest_is_suspended_and_resumed_and_is_what_it_was(folder: Path, file: str) -> None:
    before = (folder / file).read_bytes()

    reported = otactl("suspend", file, *HOLD).output

    held = rollout(file).suspend
    assert held is not None
    assert (held.reason, held.owner) == ("waiting for the lab", "ada")
    assert "commit it and open a pull request" in reported
    assert "is resumed; it was suspended by ada: waiting for the lab" in otactl("resume", file).output
    assert (folder / file).read_bytes() == before
    assert [p.name for p in (folder / "rollouts").iterdir() if p.name.startswith(".")] == []


def test_only_the_line_that_changed_is_another_one(folder: Path) -> None:
    edit(PLUG, "  strategy:", "  suspend: null   # {reason, owner} holds it\n  strategy:  # two waves")
    before = (folder / PLUG).read_text().splitlines()

    otactl("suspend", PLUG, *HOLD)

    changed = [(a, b) for a, b in zip(before, (folder / PLUG).read_text().splitlines(), strict=True) if a != b]
    assert changed == [
        (
            "  suspend: null   # {reason, owner} holds it",
            "  suspend: {reason: waiting for the lab, owner: ada}   # {reason, owner} holds it",
        ),
    ]
    otactl("resume", PLUG)
    assert (folder / PLUG).read_text().splitlines() == before


def test_a_rollout_that_is_suspended_is_not_suspended_over_another_persons_words(folder: Path) -> None:
    otactl("suspend", SOIL, *HOLD)

    reported = otactl("suspend", SOIL, "--reason", "mine", "--owner", "grace", code=1).output

    assert "is suspended already, by ada: waiting for the lab; add --replace to set your reason and owner" in reported
    held = rollout(SOIL).suspend
    assert held is not None
    assert held.owner == "ada"
    otactl("suspend", SOIL, "--reason", "mine", "--owner", "grace", "--replace")
    held = rollout(SOIL).suspend
    assert held is not None
    assert (held.reason, held.owner) == ("mine", "grace")


def test_a_rollout_that_is_not_suspended_has_nothing_to_resume(folder: Path) -> None:
    before = (folder / SOIL).read_bytes()

    assert "is not suspended; nothing was changed" in otactl("resume", SOIL).output
    assert json.loads(otactl("resume", SOIL, "-o", "json").output)["changed"] is False
    assert (folder / SOIL).read_bytes() == before


def test_json_says_what_was_changed(folder: Path) -> None:
    reported = json.loads(otactl("abort", LEAK, "--reason", "wrong image", "-o", "json").output)

    assert reported == {
        "file": LEAK,
        "rollout": "leak-sensor-1-3-0",
        "environment": "prod-eu",
        "changed": True,
        "edits": [{"pointer": "/spec/abort", "before": None, "after": {"reason": "wrong image"}}],
    }
    ended = rollout(LEAK).abort
    assert ended is not None
    assert ended.reason == "wrong image"


def test_an_aborted_rollout_keeps_its_reason_unless_it_is_replaced(folder: Path) -> None:
    otactl("abort", SOIL, "--reason", "wrong image")

    assert "is aborted already: wrong image" in otactl("abort", SOIL, "--reason", "other", code=1).output
    otactl("abort", SOIL, "--reason", "other", "--replace")
    assert rollout(SOIL).abort == msgspec.convert({"reason": "other"}, type(rollout(SOIL).abort))


def test_one_of_several_rollouts_is_chosen_by_name(folder: Path) -> None:
    both = (folder / SOIL).read_text() + "---\n" + (folder / PLUG).read_text()
    (folder / "rollouts/both.yaml").write_text(both)

    assert (
        "holds several rollouts (soil-probe-2-4-1, smart-plug-2-4-1)"
        in otactl("suspend", "rollouts/both.yaml", *HOLD, code=1).output
    )
    assert (
        "holds no rollout unknown; it holds soil-probe-2-4-1, smart-plug-2-4-1"
        in otactl("suspend", "rollouts/both.yaml", "--rollout", "unknown", *HOLD, code=1).output
    )
    otactl("suspend", "rollouts/both.yaml", "--rollout", "smart-plug-2-4-1", *HOLD)
    after = (folder / "rollouts/both.yaml").read_text()
    assert after == both + "  suspend: {reason: waiting for the lab, owner: ada}\n"


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("suspend", SOIL, "--reason", "", "--owner", "ada"), "would not be valid: is_empty: spec.suspend.reason"),
    (("suspend", SOIL, "--reason", "x" * 1001, "--owner", "ada"), "would not be valid: "),
    (("suspend", SOIL, "--reason", "x"), "Missing option '--owner'"),
    (("suspend", "rollouts/nope.yaml", *HOLD), "path_not_found"),
    (("suspend", "rollouts/environments/prod-eu.yaml", *HOLD), "holds no rollout"),
    (("resume", "rollouts"), "holds several rollouts"),
    (("abort", SOIL), "Missing option '--reason'"),
    (("approve", SOIL, "--wave", "fleet", "--by", "ada"), "no wave of it asks for an approval"),
]


@pytest.mark.parametrize(("words", "reported"), REFUSED, ids=[" ".join(w)[:60] for w, _ in REFUSED])
def test_a_mistake_is_reported_and_changes_nothing(folder: Path, words: tuple[str, ...], reported: str) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    assert reported in otactl(*words, code=1).output
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_manifest_that_is_wrong_is_not_edited_but_reported(folder: Path) -> None:
    edit(SOIL, "rfRegion: EU868", "rfRegion: EU-868")

    assert f"{SOIL}:15:15: unknown_value" in otactl("suspend", SOIL, *HOLD, code=1).output


def test_a_file_that_may_not_be_replaced_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object, **_named: object) -> tuple[int, str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)

    reported = otactl("suspend", SOIL, *HOLD, code=1).output
    assert "No space left on device; nothing was changed" in reported
    assert rollout(SOIL).suspend is None


def test_a_link_stays_a_link_and_the_file_keeps_its_mode(folder: Path) -> None:
    (folder / "store").mkdir()
    real = (folder / SOIL).rename(folder / "store/soil.yaml")
    real.chmod(0o640)
    (folder / SOIL).symlink_to(real)

    otactl("suspend", SOIL, *HOLD)

    assert (folder / SOIL).is_symlink()
    assert "suspend:" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (
            timedelta(hours=1),
            "a reconcile before that deletes it; to do it now: aws iotwireless delete-fuota-task --id t1",
        ),
        (-timedelta(hours=1), "will finish; to stop it at its risk: aws iotwireless delete-fuota-task --id t1"),
    ],
)
def test_suspending_tells_what_the_journal_knows_to_be_under_way(folder: Path, start: timedelta, words: str) -> None:
    declared, now = rollout(SOIL), datetime.now(UTC)
    attempt = Attempt(
        number=1, generation="g", unit_id="unit-1", stage=Stage.SCHEDULED, vendor_id="t1", start_at=now + start
    )
    wave = WaveRecord(name="canary", attempts=(attempt,))
    record = Record(environment=declared.environment, name=declared.name, waves=(wave,))
    with SqlJournal(folder / "memory.db") as journal:
        lease = journal.acquire(declared.environment, "test", now)
        journal.commit((Commit(record=record, expected_revision=0),), lease.fencing)

    reported = otactl("suspend", SOIL, *HOLD, "--journal", str(folder / "memory.db")).output

    assert "under way, by journal memory.db: unit-1" in reported
    assert words in reported
    finish = otactl("suspend", SOIL, *HOLD, "--replace", "--running", "finish", "-o", "json").output
    assert json.loads(finish)["goesOn"] == []
    held = rollout(SOIL).suspend
    assert held is not None
    assert held.running == "finish"
