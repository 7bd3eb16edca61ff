"""`otactl approve`: a consent to a wave, written into its manifest and named by what is approved."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otactl.journal import SqlJournal
from otactl.model import Approval, Attempt, Record, WaveRecord
from otactl.planning.membership import approval_digest, named_devices, resolved
from otactl.ports import Commit
from tests.support.examples import ENVIRONMENT, PLUG, SOIL, edit, examples, otactl, rollout
from tests.support.fuota_stage import GROUPS, FuotaStage

GROUPS_OF_FLEET = """\
            - 77ab2e10-5b7c-4a55-8c3e-1d2f3a4b5c02
            - 91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d03
"""
HOLD = ("--reason", "waiting for the lab", "--owner", "ada")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return examples(tmp_path, monkeypatch)


@pytest.fixture
def asking(folder: Path) -> Path:
    """The fleet asks for an approval of the firmware's owners, among whom are ada and grace."""
    edit(SOIL, "      - name: fleet\n", "      - name: fleet\n        requires: {approval: firmware-owners}\n")
    return folder


def digest(file: str, wave: str, record: Record | None = None) -> str:
    declared = rollout(file)
    known = resolved(declared, record or Record(environment=declared.environment, name=declared.name))
    return approval_digest(known, next(w for w in known.strategy.waves if w.name == wave))


def test_an_approval_names_what_exactly_is_approved(asking: Path) -> None:
    otactl(
        "approve",
        SOIL,
        "--wave",
        "fleet",
        "--role",
        "firmware-owners",
        "--by",
        "ada",
        "--at",
        "2026-11-20T09:00:00+01:00",
    )

    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    expected = Approval(wave="fleet", role="firmware-owners", by="ada", digest=digest(SOIL, "fleet"), at=at)
    assert rollout(SOIL).approvals == (expected,)
    assert rollout(SOIL).approvals[0].at == at


def test_an_approval_stays_good_while_only_holds_and_other_approvals_change(asking: Path) -> None:
    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")
    otactl("suspend", SOIL, *HOLD)

    assert "is approved by ada as it is" in otactl("approve", SOIL, "--wave", "fleet", "--by", "ada").output
    assert rollout(SOIL).approvals[0].digest == digest(SOIL, "fleet")


def test_an_outdated_approval_is_replaced_and_others_are_kept(asking: Path) -> None:
    edit(SOIL, "      - name: canary\n", "      - name: canary\n        requires: {approval: lab}\n")
    edit(ENVIRONMENT, "members: [ada, grace]}", "members: [ada, grace]}\n    - {name: lab}")
    otactl("approve", SOIL, "--wave", "canary", "--by", "anybody")
    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")
    edit(SOIL, "- 91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d03", "- 91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d04")

    reported = json.loads(otactl("approve", SOIL, "--wave", "fleet", "--by", "grace", "-o", "json").output)

    assert [e["pointer"] for e in reported["edits"]] == ["/spec/approvals/1"]
    assert reported["digest"] == digest(SOIL, "fleet")
    assert [(a.wave, a.by) for a in rollout(SOIL).approvals] == [("canary", "anybody"), ("fleet", "grace")]


def test_a_second_person_may_approve_the_same(asking: Path) -> None:
    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")
    otactl("approve", SOIL, "--wave", "fleet", "--by", "grace")

    assert [a.by for a in rollout(SOIL).approvals] == ["ada", "grace"]


def test_all_outdated_approvals_of_the_wave_make_way_for_one(asking: Path) -> None:
    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")
    otactl("approve", SOIL, "--wave", "fleet", "--by", "grace")
    edit(SOIL, "sizeBytes: 8960", "sizeBytes: 8961")

    otactl("approve", SOIL, "--wave", "fleet", "--by", "ada")

    assert [(a.by, a.digest) for a in rollout(SOIL).approvals] == [("ada", digest(SOIL, "fleet"))]


NO_ONE: list[tuple[tuple[str, ...], str]] = [
    (("--wave", "all", "--by", "ada"), "has no wave all with devices; those that ask for an approval: fleet"),
    (("--wave", "canary", "--by", "ada"), "wave canary of rollout soil-probe-2-4-1 needs no approval"),
    (("--wave", "fleet", "--by", "eve"), "eve is not a member of the approval role firmware-owners; members in"),
    (("--wave", "fleet", "--by", "ada", "--role", "x"), "environment prod-eu has no approval role x"),
    (("--wave", "fleet", "--by", "ada", "--at", "yesterday"), "is no time with its zone"),
    (("--wave", "fleet", "--by", "ada", "--at", "2026-01-01T00:00:00"), "is no time with its zone"),
    (("--wave", "fleet", "--by", "ada", "--journal", "mysql://x"), "is not a journal URL this version knows"),
]


@pytest.mark.parametrize(("words", "reported"), NO_ONE, ids=[" ".join(w) for w, _ in NO_ONE])
def test_an_approval_that_would_let_nothing_begin_is_refused(
    asking: Path, words: tuple[str, ...], reported: str
) -> None:
    before = (asking / SOIL).read_bytes()

    assert reported in otactl("approve", SOIL, *words, code=1).output
    assert (asking / SOIL).read_bytes() == before


def test_an_approval_for_a_role_the_wave_does_not_ask_for_is_refused(asking: Path) -> None:
    edit(ENVIRONMENT, "members: [ada, grace]}", "members: [ada, grace]}\n    - {name: lab}")

    reported = otactl("approve", SOIL, "--wave", "fleet", "--by", "ada", "--role", "lab", code=1).output
    assert "asks for the approval of firmware-owners; one of lab would not be valid" in reported


def test_a_wave_by_percent_is_approved_with_the_devices_the_journal_left_it(folder: Path) -> None:
    head, _, _ = (folder / PLUG).read_text().partition("    waves:")
    asked = "requires: {approval: firmware-owners}"
    waves = f"    waves:\n      - {{name: canary, percent: 20}}\n      - {{name: fleet, percent: 100, {asked}}}\n"
    (folder / PLUG).write_text(f"{head}{waves}  targets:\n    devices: {{file: smart-plugs.csv}}\n")
    declared = rollout(PLUG)
    started = Attempt(number=1, generation=declared.generation, unit_id="u", vendor_id="1")
    canary = WaveRecord(name="canary", members=("device:plug-field-8",), attempts=(started,))
    record = Record(environment="prod-eu", name=declared.name, waves=(canary,))
    now = datetime.now(UTC)
    with SqlJournal(folder / "j.db") as journal:
        lease = journal.acquire("prod-eu", "cron", now)
        journal.commit((Commit(record=record, expected_revision=0),), lease.fencing)
        journal.release(lease, now)

    blind = otactl("approve", PLUG, "--wave", "fleet", "--by", "ada").output
    reported = json.loads(
        otactl("approve", PLUG, "--wave", "fleet", "--by", "ada", "--journal", "j.db", "-o", "json").output
    )

    assert "no journal at rollouts/.otactl/journal.db: devices are divided as if no wave had started" in blind
    assert reported["digest"] == digest(PLUG, "fleet", record) != digest(PLUG, "fleet")
    assert [a.digest for a in rollout(PLUG).approvals] == [reported["digest"]]


def test_an_approval_looks_into_the_groups_when_asked_to_and_names_who_is_in_them(
    asking: Path, fuota_stage: FuotaStage
) -> None:
    edit(SOIL, GROUPS_OF_FLEET, f"            - {GROUPS[1]}\n")
    blind = otactl("approve", SOIL, "--wave", "fleet", "--by", "grace").output
    before = len(fuota_stage.server.world.requests)

    reported = json.loads(
        otactl("approve", SOIL, "--wave", "fleet", "--by", "ada", "--read-groups", "-o", "json").output
    )

    devices = [
        d["Id"] for d in fuota_stage.wireless.list_wireless_devices(MulticastGroupId=GROUPS[1])["WirelessDeviceList"]
    ]
    assert "no run has asked for this approval yet" in blind
    assert reported["devices"] == named_devices(tuple(sorted(devices)))
    assert [(a.by, a.devices) for a in rollout(SOIL).approvals if a.devices] == [("ada", reported["devices"])]
    asked = {str(r["operation"]) for r in fuota_stage.server.world.requests[before:]}
    assert not any(name.startswith(("Create", "Associate", "Start", "Update", "Delete", "Tag")) for name in asked)
