"""The page as HTML: nothing in it acts, nothing in it asks for anything, and it says the essentials without script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import msgspec
import pytest

from otactl.model import Device, Event, Outcome, Reason, RecordedHold, Rollout, Stage, Targets, Wave, WaveRecord
from otactl.ports import Stored
from otactl.report.page.device_data import script_json
from otactl.report.page.facts import FleetFacts, Picture, RolloutFacts
from otactl.report.page.render import page
from tests.support.builders import rollout
from tests.support.fleet_sample import PLANS, failing, fleet
from tests.support.report_values import NOW, attempt, entry, record, result

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;\u2028\u202e{{7*7}}"


class Reader(HTMLParser):
    """Collects elements with their attributes, and the text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in self.raw:
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        (self.raw[self._inside] if self._inside else self.words).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def hostile() -> FleetFacts:
    """A fleet in which every text that another writes is hostile."""
    results = (msgspec.structs.replace(result("1", Outcome.FAILED, Reason.VERSION, via=HOSTILE), detail=HOSTILE),)
    results += (msgspec.structs.replace(result(HOSTILE, Outcome.SUCCEEDED), name=HOSTILE),)
    held = attempt(stage=Stage.ENDED, start_at=NOW, results=results, unit_id=HOSTILE, vendor_id=HOSTILE, arn=HOSTILE)
    wave = WaveRecord(name=HOSTILE, attempts=(msgspec.structs.replace(held, failure=HOSTILE),))
    odd = msgspec.structs.replace(entry(HOSTILE), subject=HOSTILE, commit=HOSTILE, observed=HOSTILE, action=HOSTILE)
    stored = msgspec.structs.replace(
        record(wave, name=HOSTILE, environment=HOSTILE),
        version=HOSTILE,
        source=HOSTILE,
        commit=HOSTILE,
        drift=(odd,),
        holds=(RecordedHold(reason=HOSTILE, message=HOSTILE, since=NOW, until=NOW),),
    )
    device = Device(id="2", labels={HOSTILE: HOSTILE})
    declared: Rollout = rollout(
        labels={HOSTILE: HOSTILE},
        strategy=msgspec.structs.replace(
            rollout().strategy, waves=(Wave(name=HOSTILE, targets=Targets(wireless_devices=(device,))),)
        ),
    )
    events = tuple(
        Event(at=NOW, kind=kind, subject=HOSTILE, message=HOSTILE, actor=HOSTILE, commit=HOSTILE)
        for kind in ("verdict", HOSTILE)
    )
    facts = RolloutFacts(stored=Stored(record=stored, revision=1), events=events, declared=declared)
    return FleetFacts(
        built_at=NOW,
        version=HOSTILE,
        title=HOSTILE,
        journals=(HOSTILE,),
        environments={HOSTILE: None},
        rollouts=(facts,),
        pictures=(Picture(title=HOSTILE, svg="<svg><script>alert(3)</script></svg>"),),
    )


def test_hostile_texts_add_no_element_and_no_attribute() -> None:
    found = read(page(hostile()).html)

    assert [tag for tag, _ in found.elements].count("script") == 2
    assert [attrs.get("src", "") for tag, attrs in found.elements if tag == "img"] == [
        "data:image/svg+xml;base64," + base64.b64encode(b"<svg><script>alert(3)</script></svg>").decode()
    ]
    assert [name for _, attrs in found.elements for name in attrs if name.startswith("on") or name == "style"] == []
    assert "alert(1)" in found.text
    assert "{{7*7}}" in found.text


def test_no_character_that_turns_the_reading_direction_is_left() -> None:
    html = page(hostile()).html

    assert "\u202e" not in html
    assert "\u2028" not in html
    assert "\\u202e" in html


def test_hostile_texts_stay_texts_in_the_data_of_the_script() -> None:
    found = read(page(hostile()).html)
    data = next(text for text in found.raw["script"] if text.startswith('{"environments"'))

    assert not set(data) & set("<>&\u2028\u2029")
    document = json.loads(data)
    assert "<script>alert(1)</script>" in document["rollouts"][0][0]
    assert "<script>alert(1)</script>" in " ".join(document["labels"][1])


@pytest.mark.parametrize("text", ["</script>", "<!--", "\u2028", "\u2029", "&lt;", "\x7f", "\ud800", "é"])
def test_script_json_is_ascii_without_markup_and_means_the_same(text: str) -> None:
    written = script_json({"a": [text]})

    assert written.isascii()
    assert written.isprintable()
    assert not set(written) & set("<>&")
    assert json.loads(written) == {"a": [text]}


def test_the_policy_allows_this_style_and_this_script_and_no_connection() -> None:
    built = page(fleet(20))
    found = read(built.html)
    (policy,) = [a["content"] for t, a in found.elements if t == "meta" and a.get("http-equiv")]

    assert policy == built.policy
    assert "default-src 'none'" in built.policy
    assert "unsafe" not in built.policy
    assert "connect-src" not in built.policy
    for name, text in (("style", found.raw["style"][0]), ("script", found.raw["script"][-1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in built.policy


@pytest.mark.parametrize("facts", [fleet(20), failing(fleet(20)), hostile()], ids=["sample", "failing", "hostile"])
def test_the_page_names_no_address_that_a_browser_would_ask(facts: FleetFacts) -> None:
    html = page(facts).html
    found = read(html)
    addresses = [
        v or "" for _, attrs in found.elements for name, v in attrs.items() if name in ("src", "href", "action", "data")
    ]

    assert [a for a in addresses if not a.startswith(("#", "data:"))] == []
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", found.raw["style"][0]) == []


def test_overview_and_rollouts_can_be_read_without_script() -> None:
    facts = fleet(60)
    text = read(page(facts).html).text

    for each in facts.rollouts:
        assert each.stored.record.name in text
        assert each.stored.record.phase.value in text
    for words in ("needs a person", "2026-11-20 21:40 UTC", "of at most", "window_is_closed", "otactl status --device"):
        assert words in text.replace("\xa0", " ")


def test_a_failing_run_and_a_failed_call_are_on_the_first_view() -> None:
    text = read(page(failing(fleet(20))).html).text

    assert "runs over prod-eu fail" in text
    assert "sts:GetCallerIdentity was refused" in text
    assert "iotwireless:StartFuotaTask was refused" in text


def test_who_recorded_an_event_and_which_commit_are_shown() -> None:
    facts = fleet(20)
    first, *others = facts.rollouts
    event = msgspec.structs.replace(first.events[0], actor="ada", commit="5d41402abc4b2a76b9719d911017c592a1b2c3d4")
    record_of = msgspec.structs.replace(first.stored.record, commit="5d41402abc4b2a76b9719d911017c592a1b2c3d4")
    stored = msgspec.structs.replace(first.stored, record=record_of)
    first = msgspec.structs.replace(first, events=(event,), stored=stored)
    text = read(page(msgspec.structs.replace(facts, rollouts=(first, *others))).html).text

    assert "by ada 5d41402a" in text
    assert "Commit 5d41402abc4b" in text


def test_every_id_is_unique_and_every_label_leads_to_one() -> None:
    found = read(page(fleet(40)).html)
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]

    assert len(ids) == len(set(ids))
    named = {v for _, attrs in found.elements for k, v in attrs.items() if k in ("aria-labelledby", "for")}
    assert named <= set(ids)


def test_a_fleet_with_nothing_recorded_has_a_page_that_says_so() -> None:
    empty = msgspec.structs.replace(fleet(8), rollouts=(), environments={})

    assert "The journal holds no rollout yet" in read(page(empty).html).text


def test_of_rollouts_that_are_over_only_the_newest_have_their_history_on_the_page() -> None:
    over = next(p for p in PLANS if p.phase.value == "Succeeded")
    plans = [msgspec.structs.replace(over, name=f"over-{n}", days_ago=10 + n) for n in range(52)]
    text = read(page(fleet(208, [*plans, PLANS[0]])).html).text

    assert "otactl history over-51 prints" in text
    assert "otactl history over-50 prints" in text
    assert "otactl history over-49 prints" not in text
    assert f"otactl history {PLANS[0].name} prints" not in text


def test_ten_thousand_devices_fit_into_five_megabytes() -> None:
    built = page(fleet(10_000))

    assert built.devices == 10_000
    assert len(built.html) < 2_000_000
