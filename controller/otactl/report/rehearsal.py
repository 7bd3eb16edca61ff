"""Renders a rehearsal as text, Markdown and JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from otactl import wording
from otactl.model import Event, iso
from otactl.rehearsal.results import (
    Rehearsal,
    RehearsalRun,
    RolloutCourse,
    RolloutForecast,
    Span,
    Spread,
    Wait,
    WaveCourse,
)
from otactl.report import sanitize
from otactl.report.rehearsal_values import (
    AttemptResult,
    EventResult,
    ForecastResult,
    RehearsalResult,
    RolloutCourseResult,
    SeedResult,
    SpreadResult,
    WaitResult,
    WaveCourseResult,
)
from otactl.report.sanitize import cell, markdown_table, plain
from otactl.report.tables import table
from otactl.wording import count

SHOWN = ("verdict", "released", "results", "spared", "failed", "adopted", "drift", "driftClosed")
"""Kinds of events that make a timeline; what was sent, call by call, is for `history`."""


def as_json(found: Rehearsal) -> str:
    """Return the whole rehearsal, every seed with its timeline, as schemas/v1/rehearse.schema.json says."""
    return sanitize.as_json(
        RehearsalResult(
            succeeds=found.succeeds,
            at=_whole(found.at),
            horizon_days=found.horizon_days,
            assumed=found.assumed,
            forecasts=tuple(_forecast(f) for f in found.forecasts),
            seeds=tuple(_seed(c, found.at) for c in found.courses),
        )
    )


def _forecast(forecast: RolloutForecast) -> ForecastResult:
    return ForecastResult(
        name=forecast.name,
        environment=forecast.environment,
        succeeded_seeds=forecast.succeeded_seeds,
        seconds=_spread(forecast.seconds) if forecast.seconds is not None else None,
        devices=_spread(forecast.devices),
        succeeded=_spread(forecast.succeeded),
        failures={reason: _spread(number) for reason, number in forecast.failures.items()},
        why=forecast.why,
    )


def _spread(spread: Spread) -> SpreadResult:
    return SpreadResult(least=spread.least, median=spread.median, most=spread.most)


def _seed(course: RehearsalRun, began: datetime) -> SeedResult:
    return SeedResult(
        seed=course.seed,
        succeeded=course.succeeded,
        ended_at=_whole(course.ended_at),
        runs=course.runs,
        calls=course.calls,
        rollouts=tuple(_course(r, began) for r in course.rollouts),
    )


def _course(rollout: RolloutCourse, began: datetime) -> RolloutCourseResult:
    return RolloutCourseResult(
        name=rollout.name,
        environment=rollout.environment,
        outcome=rollout.outcome,
        ended_at=_whole(rollout.ended_at),
        seconds=(rollout.ended_at - began).total_seconds(),
        why=rollout.why,
        waves=tuple(_wave(w) for w in rollout.waves),
        waits=tuple(
            WaitResult(wave=w.wave, reason=w.reason, message=w.message, since=_whole(w.since), until=_whole(w.until))
            for w in rollout.waits
        ),
        events=tuple(
            EventResult(at=_whole(e.at), kind=e.kind, subject=e.subject, message=e.message) for e in rollout.events
        ),
    )


def _wave(wave: WaveCourse) -> WaveCourseResult:
    return WaveCourseResult(
        name=wave.name,
        attempts=tuple(_attempt(a) for a in wave.attempts),
        passed=wave.passed,
        verdict=wave.verdict,
        verdict_at=_whole_or_none(wave.verdict_at),
        released=wave.released,
        devices=wave.devices,
        succeeded=wave.succeeded,
        failures=wave.failures,
    )


def _attempt(span: Span) -> AttemptResult:
    return AttemptResult(
        unit=span.unit,
        tries=span.tries,
        start_at=_whole_or_none(span.start_at),
        ended_at=_whole_or_none(span.ended_at),
        succeeded=span.succeeded,
        failed=span.failed,
    )


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _whole_or_none(moment: datetime | None) -> datetime | None:
    return _whole(moment) if moment is not None else None


def as_text(found: Rehearsal, width: int | None = None) -> str:
    """Render for a terminal of a width: the forecast, then the timeline of the seed in the middle."""
    lines = [_title(found), *(f"  assumed: {sentence}" for sentence in found.assumed)]
    for forecast in found.forecasts:
        lines += [_verdict(forecast, len(found.courses)), *(f"  {line}" for line in _figures(forecast))]
    course = found.typical
    runs = f"{count(course.runs, 'run')} of reconcile, {count(course.calls, 'call')}"
    lines.append(f"timeline of seed {course.seed} ({runs}):")
    rows = [[_clock(at, found.at), name, text] for at, name, text in _timeline(found)]
    room = width - 2 if width is not None else None
    timeline = table(("AFTER", "ROLLOUT", "WHAT"), rows, sentences=frozenset({2}), width=room)
    lines += [f"  {line}" for line in timeline]
    return "\n".join(plain(line) for line in lines)


def as_markdown(found: Rehearsal) -> str:
    """Render for a pull request: a table of the forecast; the timeline is folded."""
    lines = [f"## Rehearsal: {'succeeds' if found.succeeds else 'does not succeed'}", "", cell(_title(found)), ""]
    rows = [[f"{f.environment}/{f.name}", *_row(f, len(found.courses))] for f in found.forecasts]
    lines += markdown_table(["Rollout", "Seeds", "Ends after", "Devices", "Failures"], rows)
    lines += ["", *(f"- {cell(f'{f.name}: {f.why}')}" for f in found.forecasts if f.why)]
    lines += ["", "Assumed:", "", *(f"- {cell(sentence)}" for sentence in found.assumed)]
    course = found.typical
    lines += ["", f"<details><summary>Timeline of seed {course.seed}</summary>", ""]
    timeline = [[_clock(at, found.at), name, text] for at, name, text in _timeline(found)]
    return "\n".join([*lines, *markdown_table(["After", "Rollout", "What"], timeline), "", "</details>"])


def _title(found: Rehearsal) -> str:
    good, many = sum(c.succeeded for c in found.courses), len(found.courses)
    what = count(len(found.forecasts), "rollout")

    return f"{what} rehearsed from {iso(found.at)}: all succeed in {good} of {count(many, 'seed')}"


def _verdict(forecast: RolloutForecast, seeds: int) -> str:
    name = f"{forecast.environment}/{forecast.name}"
    if forecast.seconds is None:
        return f"{name}: does not succeed: {forecast.why}"
    good = f"{forecast.succeeded_seeds} of {count(seeds, 'seed')}"
    ends = f"{name}: succeeds in {good}, ends after {_spans(forecast.seconds)}"
    return f"{ends}; else: {forecast.why}" if forecast.why else ends


def _figures(forecast: RolloutForecast) -> list[str]:
    lines = [f"devices updated: {_numbers(forecast.succeeded)} of {_numbers(forecast.devices)} in waves that started"]
    if forecast.failures:
        lines.append(f"failures: {_failures(forecast)}")
    return lines


def _row(forecast: RolloutForecast, seeds: int) -> list[str]:
    return [
        f"{forecast.succeeded_seeds} of {seeds}",
        _spans(forecast.seconds) if forecast.seconds is not None else "does not",
        f"{_numbers(forecast.succeeded)} of {_numbers(forecast.devices)}",
        _failures(forecast) or "none",
    ]


def _failures(forecast: RolloutForecast) -> str:
    return ", ".join(f"{reason} {_numbers(number)}" for reason, number in forecast.failures.items())


def _numbers(figure: Spread) -> str:
    if figure.least == figure.most:
        return f"{figure.median:g}"
    return f"{figure.median:g} ({figure.least:g} to {figure.most:g})"


def _spans(figure: Spread) -> str:
    if length(figure.least) == length(figure.most):
        return length(figure.median)
    return f"{length(figure.median)} ({length(figure.least)} to {length(figure.most)})"


def length(seconds: float) -> str:
    """Return a duration to the minute: `2d 3h 30m`, `45m`."""
    return wording.length(60 * round(seconds / 60)) if round(seconds / 60) else "0m"


def _clock(at: datetime, began: datetime) -> str:
    return f"+{length(max(timedelta(0), at - began).total_seconds())}"


def _timeline(found: Rehearsal) -> list[tuple[datetime, str, str]]:
    """Return what happened to all rollouts of the seed in the middle, by time."""
    rows: list[tuple[datetime, str, str]] = []
    for rollout in found.typical.rollouts:
        rows += [(e.at, rollout.name, _event(e)) for e in rollout.events if e.kind in SHOWN]
        rows += [(w.since, rollout.name, _wait(w)) for w in rollout.waits if not rollout.why.startswith(f"{w.reason}:")]
        for wave in rollout.waves:
            for span in wave.attempts:
                again = f", try {span.tries}" if span.tries > 1 else ""
                if span.start_at is not None:
                    rows.append((span.start_at, rollout.name, f"wave {wave.name}{again}: goes out"))
        outcome = f"{rollout.outcome.value}: {rollout.why}" if rollout.why else rollout.outcome.value
        rows.append((rollout.ended_at, rollout.name, outcome))
    return sorted(rows, key=lambda row: row[0])


def _event(event: Event) -> str:
    return f"{event.kind}: {event.message}" if event.kind not in ("verdict", "released") else event.message


def _wait(wait: Wait) -> str:
    took = (wait.until - wait.since).total_seconds()
    lasts = f" ({length(took)})" if took >= 60 else ""
    return f"held by {wait.reason}{lasts}: {wait.message}"
