"""`drift --who` names the principal of the last write before a drift, by real calls to a stand-in for the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from otactl.backends.aws.audit_log import PAGES, CloudTrail
from otactl.cli.drift_authors import authors
from otactl.model import Cause, Record, WaveRecord
from otactl.model.record import Home
from otactl.report import drift
from tests.support.audit_service import PAGE, AuditService, event
from tests.support.report_values import attempt, entry, record

ENTRY = entry("redundancyPercent")
SEEN = ENTRY.first_seen
UNIT = "b2e1f0aa-0000-4000-8000-000000000001"
HOME = Home(account="123456789012", region="eu-west-1", owner="acme")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditService]:
    with AuditService() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", running.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield running


def drifted(**changes: object) -> Record:
    wave = WaveRecord(name="canary", attempts=(attempt(vendor_id=UNIT),))
    return record(wave, **{"home": HOME, "drift": (ENTRY,), **changes})


def found(*records: Record, waits: list[float] | None = None) -> list[str]:
    sleep = waits.append if waits is not None else lambda _seconds: None
    return list(authors(records, lambda region: CloudTrail(region, sleep=sleep)).values())


@pytest.mark.server
def test_the_newest_write_that_names_the_unit_is_who_changed_it(service: AuditService) -> None:
    minute = timedelta(minutes=1)
    service.events = [
        event(SEEN + minute, "UpdateFuotaTask", UNIT, "controller/later"),
        event(SEEN - minute, "GetFuotaTask", UNIT, "oncall/reader", readOnly=True),
        event(SEEN - 2 * minute, "UpdateFuotaTask", "another", "oncall/bob"),
        event(SEEN - 3 * minute, "UpdateFuotaTask", UNIT, "oncall/denied", errorCode="AccessDenied"),
        event(SEEN - 4 * minute, "UpdateFuotaTask", UNIT, "oncall/ada"),
        event(SEEN - 5 * minute, "CreateFuotaTask", UNIT, "controller/first"),
    ]
    waits: list[float] = []
    (who,) = found(drifted(), waits=waits)
    assert who.startswith("arn:aws:sts::123456789012:assumed-role/oncall/ada (UpdateFuotaTask, 2026-03-01T09:56:00Z)")
    assert waits == [0.5]  # two pages, two a second
    asked = service.asked[0]["LookupAttributes"]
    assert asked == [{"AttributeKey": "EventSource", "AttributeValue": "iotwireless.amazonaws.com"}]


@pytest.mark.server
def test_a_log_without_the_write_is_read_a_few_pages_and_names_no_one(service: AuditService) -> None:
    service.events = [event(SEEN - timedelta(minutes=n), "UpdateFuotaTask", "other", "x") for n in range(20)]
    assert found(drifted()) == []
    assert len(service.asked) == PAGES < 20 / PAGE


@pytest.mark.server
def test_a_refusal_is_reported_once_and_fails_nothing(
    service: AuditService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.refuse = "AccessDeniedException"
    other = msgspec.structs.replace(ENTRY, field="tags")
    assert found(drifted(drift=(ENTRY, other)), drifted(name="second")) == []
    assert len(service.asked) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "otactl: cloudtrail:LookupEvents was refused, so who made a change is not known; grant it to the caller"
    )


@pytest.mark.server
@pytest.mark.parametrize(
    "changes",
    [
        {"home": None},
        {"backend": "tuya"},
        {"drift": (msgspec.structs.replace(ENTRY, cause=Cause.VERSION),)},
        {"drift": (msgspec.structs.replace(ENTRY, subject="image"),)},
    ],
)
def test_nothing_is_asked_where_no_write_of_another_actor_can_be_found(
    service: AuditService, changes: dict[str, object]
) -> None:
    assert found(drifted(**changes)) == []
    assert service.asked == []


@pytest.mark.server
def test_the_ledger_shows_who_made_a_change(service: AuditService) -> None:
    service.events = [event(SEEN, "UpdateFuotaTask", UNIT, "oncall/ada")]
    held = drifted()
    ledger = drift.collect([held], authors([held]))
    assert ledger.open[0].changed_by is not None
    head, row = drift.render(ledger, "text").splitlines()[1:3]
    assert head.rstrip().endswith("CHANGED BY")
    assert "assumed-role/oncall/ada (UpdateFuotaTask, 2026-03-01T10:00:00Z)" in row
    assert "CHANGED BY" not in drift.render(drift.collect([held]), "text")
