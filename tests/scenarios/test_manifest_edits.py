"""`otactl suspend`, `resume`, `abort` and `approve`: edits of a manifest that a person reads in a pull request."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from controller.cli import cli
from controller.journal import SqlJournal
from controller.manifest import read_paths
from controller.membership import approval_digest, resolved
from controller.model import Approval, Attempt, Record, Rollout, WaveRecord
from controller.ports import Commit

ROOT = Path(__file__).parents[2]
SOIL, LEAK, PLUG = "rollouts/soil-probe-2-4-1.yaml", "rollouts/leak-sensor-1-3-0.json", "rollouts/smart-plug-2-4-1.yaml"
HOLD = ("--reason", "waiting for the lab", "--owner", "ada")
ALL = (SOIL, LEAK, PLUG, "rollouts/gateway-3-2-0.yaml")
Otactl = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "rollouts", tmp_path / "rollouts", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OTACTL_JOURNAL", raising=False)
    return tmp_path


@pytest.fixture
def otactl(folder: Path) -> Otactl:
    def run(*words: str, code: int = 0) -> Result:
        ran = CliRunner().invoke(cli, list(words))
        assert ran.exit_code == code, ran.output
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran

    return run


def rollout(file: str) -> Rollout:
    reading = read_paths([file], require_environments=True)
    assert not reading.errors
    return reading.rollouts[0]


def edit(folder: Path, file: str, old: str, new: str) -> None:
    place = folder / file
    text = place.read_bytes()
    assert text.count(old.encode()) == 1
    place.write_bytes(text.replace(old.encode(), new.encode()))


@pytest.mark.parametrize("file", ALL)
def test_a_manifest_is_suspended_and_resumed_and_is_what_it_was(folder: Path, otactl: Otactl, file: str) -> None:
    before = (folder / file).read_bytes()

    told = otactl("suspend", file, *HOLD).output

    held = rollout(file).suspend
    assert held is not None
    assert (held.reason, held.owner) == ("waiting for the lab", "ada")
    assert "commit it and open a pull request" in told
    assert "goes on; it was suspended by ada: waiting for the lab" in otactl("resume", file).output
    assert (folder / file).read_bytes() == before
    assert [p.name for p in (folder / "rollouts").iterdir() if p.name.startswith(".")] == []


def test_only_the_line_that_changed_is_another_one(folder: Path, otactl: Otactl) -> None:
    edit(folder, PLUG, "  strategy:", "  suspend: null   # {reason, owner} holds it\n  strategy:  # two waves")
    before = (folder / PLUG).read_text().splitlines()

    otactl("suspend", PLUG, *HOLD)

    changed = [(a, b) for a, b in zip(before, (folder / PLUG).read_text().splitlines(), strict=True) if a != b]
    assert changed == [
        ("  suspend: null   # {reason, owner} holds it",
         "  suspend: {reason: waiting for the lab, owner: ada}   # {reason, owner} holds it"),
    ]  # fmt: skip
    otactl("resume", PLUG)
    assert (folder / PLUG).read_text().splitlines() == before


def test_a_rollout_that_is_suspended_is_not_suspended_over_another_persons_words(otactl: Otactl) -> None:
    otactl("suspend", SOIL, *HOLD)

    told = otactl("suspend", SOIL, "--reason", "mine", "--owner", "grace", code=1).output

    assert "is suspended already, by ada: waiting for the lab; --replace puts your words there" in told
    held = rollout(SOIL).suspend
    assert held is not None
    assert held.owner == "ada"
    otactl("suspend", SOIL, "--reason", "mine", "--owner", "grace", "--replace")
    held = rollout(SOIL).suspend
    assert held is not None
    assert (held.reason, held.owner) == ("mine", "grace")


def test_a_rollout_that_is_not_suspended_has_nothing_to_resume(folder: Path, otactl: Otactl) -> None:
    before = (folder / SOIL).read_bytes()

    assert "is not suspended; nothing was changed" in otactl("resume", SOIL).output
    assert json.loads(otactl("resume", SOIL, "-o", "json").output)["changed"] is False
    assert (folder / SOIL).read_bytes() == before


def test_json_says_what_was_changed(otactl: Otactl) -> None:
    told = json.loads(otactl("abort", LEAK, "--reason", "wrong image", "-o", "json").output)

    assert told == {
        "file": LEAK, "rollout": "leak-sensor-1-3-0", "environment": "prod-eu", "changed": True,
        "edits": [{"pointer": "/spec/abort", "before": None, "after": {"reason": "wrong image"}}],
    }  # fmt: skip
    ended = rollout(LEAK).abort
    assert ended is not None
    assert ended.reason == "wrong image"


def test_an_aborted_rollout_keeps_its_reason_unless_it_is_replaced(otactl: Otactl) -> None:
    otactl("abort", SOIL, "--reason", "wrong image")

    assert "is aborted already: wrong image" in otactl("abort", SOIL, "--reason", "other", code=1).output
    otactl("abort", SOIL, "--reason", "other", "--replace")
    assert rollout(SOIL).abort == msgspec.convert({"reason": "other"}, type(rollout(SOIL).abort))


def test_one_of_several_rollouts_is_chosen_by_name(folder: Path, otactl: Otactl) -> None:
    both = (folder / SOIL).read_text() + "---\n" + (folder / PLUG).read_text()
    (folder / "rollouts/both.yaml").write_text(both)

    assert "holds several rollouts (soil-probe-2-4-1, smart-plug-2-4-1)" in otactl(
        "suspend", "rollouts/both.yaml", *HOLD, code=1
    ).output  # fmt: skip
    assert "holds no rollout nobody; it holds soil-probe-2-4-1, smart-plug-2-4-1" in otactl(
        "suspend", "rollouts/both.yaml", "--rollout", "nobody", *HOLD, code=1
    ).output  # fmt: skip
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


@pytest.mark.parametrize(("words", "told"), REFUSED, ids=[" ".join(w)[:60] for w, _ in REFUSED])
def test_a_mistake_is_told_and_changes_nothing(folder: Path, otactl: Otactl, words: tuple[str, ...], told: str) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    assert told in otactl(*words, code=1).output
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_manifest_that_is_wrong_is_not_edited_but_told(folder: Path, otactl: Otactl) -> None:
    edit(folder, SOIL, "rfRegion: EU868", "rfRegion: EU-868")

    assert f"{SOIL}:15:15: unknown_value" in otactl("suspend", SOIL, *HOLD, code=1).output


def test_a_file_that_may_not_be_replaced_is_named(
    folder: Path, otactl: Otactl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object, **_named: object) -> tuple[int, str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)

    told = otactl("suspend", SOIL, *HOLD, code=1).output
    assert "No space left on device; nothing was changed" in told
    assert rollout(SOIL).suspend is None


def test_a_link_stays_a_link_and_the_file_keeps_its_mode(folder: Path, otactl: Otactl) -> None:
    (folder / "store").mkdir()
    real = (folder / SOIL).rename(folder / "store/soil.yaml")
    real.chmod(0o640)
    (folder / SOIL).symlink_to(real)

    otactl("suspend", SOIL, *HOLD)

    assert (folder / SOIL).is_symlink()
    assert "suspend:" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


# Approvals


@pytest.fixture
def asking(folder: Path) -> Path:
    """The fleet asks for an approval of the firmware's owners, among whom are ada and grace."""
    edit(folder, SOIL, "      - name: fleet\n", "      - name: fleet\n        requires: {approval: firmware-owners}\n")
    return folder


def digest(file: str, wave: str, record: Record | None = None) -> str:
    declared = rollout(file)
    known = resolved(declared, record or Record(environment=declared.environment, name=declared.name))
    return approval_digest(known, next(w for w in known.strategy.waves if w.name == wave))


def test_an_approval_names_what_exactly_is_approved(asking: Path, otactl: Otactl) -> None:
    otactl("approve", SOIL, "--wave", "fleet", "--role", "firmware-owners", "--by", "ada",
           "--at", "2026-11-20T09:00:00+01:00")  # fmt: skip

    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    expected = Approval(wave="fleet", role="firmware-owners", by="ada", digest=digest(SOIL, "fleet"), at=at)
    assert rollout(SOIL).approvals == (expected,)
    assert rollout(SOIL).approvals[0].at == at


def test_an_approval_stays_good_while_only_holds_and_other_approvals_change(asking: Path, otactl: Otactl) -> None:
    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")
    otactl("suspend", SOIL, *HOLD)

    assert "is approved by ada as it is" in otactl("approve", SOIL, "--wave", "fleet", "--by", "ada").output
    assert rollout(SOIL).approvals[0].digest == digest(SOIL, "fleet")


def test_an_outdated_approval_is_replaced_and_others_are_kept(asking: Path, otactl: Otactl) -> None:
    edit(asking, SOIL, "      - name: canary\n", "      - name: canary\n        requires: {approval: lab}\n")
    edit(
        asking,
        "rollouts/environments/prod-eu.yaml",
        "members: [ada, grace]}",
        "members: [ada, grace]}\n    - {name: lab}",
    )
    otactl("approve", SOIL, "--wave", "canary", "--by", "anybody")
    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")
    edit(asking, SOIL, "- 91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d03", "- 91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d04")

    told = json.loads(otactl("approve", SOIL, "--wave", "fleet", "--by", "grace", "-o", "json").output)

    assert [e["pointer"] for e in told["edits"]] == ["/spec/approvals/1"]
    assert told["digest"] == digest(SOIL, "fleet")
    assert [(a.wave, a.by) for a in rollout(SOIL).approvals] == [("canary", "anybody"), ("fleet", "grace")]


def test_a_second_person_may_approve_the_same(asking: Path, otactl: Otactl) -> None:
    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")
    otactl("approve", SOIL, "--wave", "fleet", "--by", "grace")

    assert [a.by for a in rollout(SOIL).approvals] == ["ada", "grace"]


def test_all_outdated_approvals_of_the_wave_make_way_for_one(asking: Path, otactl: Otactl) -> None:
    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")
    otactl("approve", SOIL, "--wave", "fleet", "--by", "grace")
    edit(asking, SOIL, "sizeBytes: 8960", "sizeBytes: 8961")

    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")

    assert [(a.by, a.digest) for a in rollout(SOIL).approvals] == [("ada", digest(SOIL, "fleet"))]


NOBODY: list[tuple[tuple[str, ...], str]] = [
    (("--wave", "all", "--by", "ada"), "has no wave all with devices; those that ask for an approval: fleet"),
    (("--wave", "canary", "--by", "ada"), "wave canary of rollout soil-probe-2-4-1 begins without an approval"),
    (("--wave", "fleet", "--by", "eve"), "eve is not a member of the approval role firmware-owners; members in"),
    (("--wave", "fleet", "--by", "ada", "--role", "x"), "environment prod-eu has no approval role x"),
    (("--wave", "fleet", "--by", "ada", "--at", "yesterday"), "is no time with its zone"),
    (("--wave", "fleet", "--by", "ada", "--at", "2026-01-01T00:00:00"), "is no time with its zone"),
    (("--wave", "fleet", "--by", "ada", "--journal", "mysql://x"), "is not a journal URL this version knows"),
]


@pytest.mark.parametrize(("words", "told"), NOBODY, ids=[" ".join(w) for w, _ in NOBODY])
def test_an_approval_that_would_let_nothing_begin_is_refused(
    asking: Path, otactl: Otactl, words: tuple[str, ...], told: str
) -> None:
    before = (asking / SOIL).read_bytes()

    assert told in otactl("approve", SOIL, *words, code=1).output
    assert (asking / SOIL).read_bytes() == before


def test_an_approval_for_a_role_the_wave_does_not_ask_for_is_refused(asking: Path, otactl: Otactl) -> None:
    edit(
        asking,
        "rollouts/environments/prod-eu.yaml",
        "members: [ada, grace]}",
        "members: [ada, grace]}\n    - {name: lab}",
    )

    told = otactl("approve", SOIL, "--wave", "fleet", "--by", "ada", "--role", "lab", code=1).output
    assert "asks for the approval of firmware-owners; one of lab would not let it begin" in told


def test_a_wave_by_percent_is_approved_with_the_devices_the_journal_left_it(folder: Path, otactl: Otactl) -> None:
    head, _, _ = (folder / PLUG).read_text().partition("    waves:")
    asked = "requires: {approval: firmware-owners}"
    waves = f"    waves:\n      - {{name: canary, percent: 20}}\n      - {{name: fleet, percent: 100, {asked}}}\n"
    (folder / PLUG).write_text(f"{head}{waves}  targets:\n    devices: {{file: smart-plugs.csv}}\n")
    declared = rollout(PLUG)
    begun = Attempt(number=1, generation=declared.generation, unit_id="u", vendor_id="1")
    canary = WaveRecord(name="canary", members=("device:plug-field-8",), attempts=(begun,))
    record = Record(environment="prod-eu", name=declared.name, waves=(canary,))
    now = datetime.now(UTC)
    with SqlJournal(folder / "j.db") as journal:
        lease = journal.acquire("prod-eu", "cron", now)
        journal.commit((Commit(record=record, expected_revision=0),), lease.fencing)
        journal.release(lease, now)

    blind = otactl("approve", PLUG, "--wave", "fleet", "--by", "ada").output
    told = json.loads(
        otactl("approve", PLUG, "--wave", "fleet", "--by", "ada", "--journal", "j.db", "-o", "json").output
    )

    assert "no journal at sqlite:///.otactl/journal.db: devices are divided as if no wave had begun" in blind
    assert told["digest"] == digest(PLUG, "fleet", record) != digest(PLUG, "fleet")
    assert [a.digest for a in rollout(PLUG).approvals] == [told["digest"]]
