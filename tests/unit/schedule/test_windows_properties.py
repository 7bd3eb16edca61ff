"""What holds of every start under any windows: against a clock that is asked minute by minute, and against itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from otactl.model import Window
from otactl.schedule import openings
from otactl.schedule import windows as windows_module
from otactl.schedule.windows import ever_permitted, verdict
from tests.support.sampling import examples

MINUTE = timedelta(minutes=1)
NIGHTS = (
    ("UTC", "2026-05-01"),
    ("Asia/Kathmandu", "2026-05-01"),
    ("Europe/Paris", "2026-03-28"),
    ("Europe/Paris", "2026-10-24"),
    ("America/New_York", "2026-03-07"),
    ("America/New_York", "2026-10-31"),
    ("America/Santiago", "2026-04-04"),
    ("America/Santiago", "2026-09-05"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("Africa/Cairo", "2026-04-23"),
    ("Africa/Cairo", "2026-10-29"),
)
"""Zones, and days on which, or on the day after which, their clocks change."""
DAYS_LOOKED_AT = 3


@dataclass(frozen=True)
class Plain:
    """A window, and beside its schedule the numbers it is made of: the reference does not read schedules."""

    window: Window
    minutes: frozenset[int]
    hours: frozenset[int]
    weekdays: frozenset[int]
    running_clock: bool

    def means(self, local: datetime) -> bool:
        fits = local.minute in self.minutes and local.hour in self.hours
        return fits and local.isoweekday() % 7 in self.weekdays


def numbers(low: int, high: int, most: int) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.integers(low, high), min_size=1, max_size=most)


@st.composite
def windows(draw: st.DrawFn, zone: str, kinds: tuple[str, ...] = ("allow", "deny")) -> Plain:
    every_hour, every_day = draw(st.booleans()), draw(st.booleans())
    minutes = draw(numbers(0, 59, 3))
    hours = frozenset(range(24)) if every_hour else draw(numbers(0, 23, 3))
    weekdays = frozenset(range(7)) if every_day else draw(numbers(0, 6, 3))
    fields = [minutes, "*" if every_hour else hours, "*", "*", "*" if every_day else weekdays]
    schedule = " ".join(f if isinstance(f, str) else ",".join(map(str, sorted(f))) for f in fields)
    window = Window(
        kind=draw(st.sampled_from(kinds)),
        schedule=schedule,
        duration=f"{draw(st.integers(1, 90 if every_hour else 1800))}m",
        time_zone=zone,
        overrun=draw(st.sampled_from(["finish", "doNotStart"])),
    )
    return Plain(window, minutes, hours, weekdays, every_hour)


@dataclass(frozen=True)
class Question:
    own: tuple[Plain, ...]
    freezes: tuple[Plain, ...]
    start: datetime
    length: timedelta | None

    @property
    def asked(self) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
        return tuple(p.window for p in self.own), tuple(p.window for p in self.freezes)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    zone, day = draw(st.sampled_from(NIGHTS))
    own = draw(st.lists(windows(zone), max_size=3))
    freezes = draw(st.lists(windows(zone, ("deny",)), max_size=1))
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) + draw(st.integers(0, 1500)) * MINUTE
    length = draw(st.none() | st.integers(0, 600).map(lambda n: n * MINUTE))
    return Question(tuple(own), tuple(freezes), start, length)


class Clock:
    """The reference: every minute from before the start on, and which windows are open in it."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.taken = int((question.length or timedelta()) / MINUTE)
        self.last = DAYS_LOOKED_AT * 1440
        self.open = {id(plain): self._open(plain) for plain in (*question.own, *question.freezes)}

    def _open(self, plain: Plain) -> list[bool]:
        """Whether the window is open in minute n after the start, for as long as a late session may last."""
        lasting = int(plain.window.duration[:-1])
        zone = ZoneInfo(plain.window.time_zone)
        fires: list[bool] = []
        before = (self.question.start - (lasting + 1) * MINUTE).astimezone(zone)
        for n in range(-lasting, self.last + self.taken + 1):
            now = (self.question.start + n * MINUTE).astimezone(zone)
            fires.append(self._fires(plain, before, now))
            before = now
        left, found = 0, []
        for fired in fires:
            left = lasting if fired else max(0, left - 1)
            found.append(left > 0)
        return found[lasting:]

    @staticmethod
    def _fires(plain: Plain, before: datetime, now: datetime) -> bool:
        if plain.running_clock:
            return plain.means(now)
        if now.fold == 0 and plain.means(now):
            return True
        wall, now_wall = before.replace(tzinfo=None) + MINUTE, now.replace(tzinfo=None)
        while wall < now_wall:  # minutes that the clock has jumped over
            if plain.means(wall):
                return True
            wall += MINUTE
        return False

    def permits(self, n: int) -> bool:
        allow = [p for p in self.question.own if p.window.kind == "allow"]
        deny = [*(p for p in self.question.own if p.window.kind == "deny"), *self.question.freezes]
        session = range(n, n + max(1, self.taken))
        for plain in deny:
            strict = plain.window.overrun == "doNotStart"
            if any(self.open[id(plain)][m] for m in (session if strict else (n,))):
                return False
        if not allow or any(self.open[id(p)][n] and p.window.overrun == "finish" for p in allow):
            return True
        return all(any(self.open[id(p)][m] for p in allow) for m in session)


TWICE = Window(kind="allow", schedule="30 2 * * 0,6", duration="45m", time_zone="Europe/Paris")
NIGHT_OF_25_HOURS = Question(
    own=(Plain(TWICE, frozenset({30}), frozenset({2}), frozenset({0, 6}), running_clock=False),),
    freezes=(),
    start=datetime(2026, 10, 24, 12, tzinfo=UTC),
    length=30 * MINUTE,
)


@settings(max_examples=examples(60), deadline=None)
@example(NIGHT_OF_25_HOURS)
@given(questions())
def test_the_earliest_start_is_the_first_minute_that_a_slow_clock_permits(question: Question) -> None:
    clock = Clock(question)
    slow = next((n for n in range(clock.last) if clock.permits(n)), None)
    found = verdict(*question.asked, question.start, question.length)
    limit = question.start + clock.last * MINUTE
    quick = found.earliest if found.earliest is not None and found.earliest < limit else None
    assert quick == (None if slow is None else question.start + slow * MINUTE)
    assert found.permitted is (slow == 0)


@settings(max_examples=examples(40), deadline=None)
@given(questions())
def test_the_earliest_start_is_permitted(question: Question) -> None:
    found = verdict(*question.asked, question.start, question.length)
    assume(found.earliest is not None)
    then = verdict(*question.asked, found.earliest, question.length)
    assert (then.permitted, then.reason, then.earliest) == (True, None, found.earliest)


@settings(max_examples=examples(25), deadline=None)
@given(questions(), st.floats(0, 1, exclude_max=True))
def test_nothing_between_the_question_and_the_earliest_start_is_permitted(question: Question, share: float) -> None:
    found = verdict(*question.asked, question.start, question.length)
    end = found.earliest or question.start + timedelta(days=30)
    moment = question.start + share * (end - question.start)
    assume(question.start < moment < end)
    assert not verdict(*question.asked, moment, question.length).permitted


@settings(max_examples=examples(40), deadline=None)
@given(questions(), st.floats(0, 1))
def test_every_start_up_to_the_latest_is_permitted(question: Question, share: float) -> None:
    first = verdict(*question.asked, question.start, question.length).earliest
    assume(first is not None)
    latest = verdict(*question.asked, first, question.length).latest or first + timedelta(days=400)
    assert verdict(*question.asked, first + share * (latest - first), question.length).permitted


@settings(max_examples=examples(40), deadline=None)
@given(questions(), st.data())
def test_one_more_deny_never_makes_an_earlier_start(question: Question, data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(NIGHTS))[0]
    deny = data.draw(windows(zone, ("deny",))).window
    own, freezes = question.asked
    without = verdict(own, freezes, question.start, question.length).earliest
    for with_it in (
        verdict((*own, deny), freezes, question.start, question.length),
        verdict(own, (*freezes, deny), question.start, question.length),
    ):
        assert with_it.earliest is None or (without is not None and with_it.earliest >= without)


@settings(max_examples=examples(40), deadline=None)
@given(questions(), st.integers(1, 600))
def test_deny_wins_over_any_allow(question: Question, minutes: int) -> None:
    now = f"{question.start.minute} {question.start.hour} * * *"
    deny = Window(kind="deny", schedule=now, duration=f"{minutes}m", time_zone="UTC")
    own, freezes = question.asked
    denied = verdict((*own, deny), freezes, question.start, question.length)
    frozen = verdict(own, (*freezes, deny), question.start, question.length)
    assert denied.reason in ("deny_window_is_on", "freeze_is_on")
    assert frozen.reason == "freeze_is_on"


@settings(max_examples=examples(30), deadline=None)
@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_windows_does_not_matter(question: Question, random: object) -> None:
    own, freezes = question.asked
    shuffled = list(own)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = verdict(own, freezes, question.start, question.length)
    other = verdict(tuple(shuffled), freezes, question.start, question.length)
    assert (one.reason, one.earliest, one.latest) == (other.reason, other.earliest, other.latest)


@settings(max_examples=examples(30), deadline=None)
@given(questions())
def test_the_answer_does_not_depend_on_what_was_asked_before(question: Question) -> None:
    remembered = verdict(*question.asked, question.start, question.length)
    for cache in (windows_module._verdict, openings._block, openings._template):
        cache.cache_clear()
    assert verdict(*question.asked, question.start, question.length) == remembered


@settings(max_examples=examples(40), deadline=None)
@given(questions())
def test_where_the_plan_finds_a_start_the_rules_find_none_missing(question: Question) -> None:
    assume(verdict(*question.asked, question.start, question.length).earliest is not None)
    assert ever_permitted(*question.asked, question.length)
