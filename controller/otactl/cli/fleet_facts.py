"""Gathers what the page of `otactl report` is built from: the journals, and manifests and pictures that are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from otactl import __version__
from otactl.backends.registry import read_config
from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.load_manifests import read_all
from otactl.cli.select_records import Memory, open_to_read, select
from otactl.errors import UsageError
from otactl.manifest import Reading
from otactl.model import Rollout
from otactl.planning.environment import NAME
from otactl.planning.removed_rollout import declared
from otactl.ports import Stored
from otactl.report.page.facts import FleetFacts, Picture, RolloutFacts

MOST_PICTURE_BYTES = 1_000_000
_OPENING = "<svg"


@dataclass(frozen=True)
class PageRequest:
    """What the page is asked to show; `pictures` are SVG files, `airtime` asks for a picture of each radio session."""

    title: str
    journal: str | None = None
    environment: str | None = None
    manifests: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    airtime: bool = False


def gather(request: PageRequest, now: datetime | None = None) -> FleetFacts:
    """Read the journals and all that was named.

    Raises: UsageError for a journal, an environment or a file that cannot be read, ManifestError for wrong manifests.
    """
    reading = read_all(request.manifests, offline=True) if request.manifests else None
    with open_to_read(request.journal, request.environment, request.manifests) as opened:
        chosen = select(opened, request.environment, None)
        rollouts = tuple(_facts(opened, stored, reading) for stored in chosen if stored.record.name != NAME)
        own = {s.record.environment: s for s in chosen if s.record.name == NAME}
        names = dict.fromkeys(s.record.environment for s in chosen)
        journals = tuple(dict.fromkeys(used.shown for used in opened.used))
    pictures = [_picture(Path(name)) for name in request.pictures]
    if request.airtime:
        pictures += _airtime(rollouts)
    environments = reading.environments if reading is not None else ()
    return FleetFacts(
        built_at=now or utc_now(),
        version=__version__,
        title=request.title,
        journals=journals,
        environments={name: own.get(name) for name in names},
        rollouts=rollouts,
        freezes={e.name: e.freezes for e in environments},
        pictures=tuple(pictures),
    )


def _facts(opened: Memory, stored: Stored, reading: Reading | None) -> RolloutFacts:
    record = stored.record
    read: Sequence[Rollout] = reading.rollouts if reading is not None else ()
    written = next((r for r in read if (r.environment, r.name) == (record.environment, record.name)), None)
    events = opened.history(record.environment, record.name)
    return RolloutFacts(stored=stored, events=events, declared=written or declared(record, read_config))


def _picture(file: Path) -> Picture:
    """Read one picture; it is shown as an image, so nothing in it is run."""
    try:
        svg = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"--picture {file} cannot be read: {why}; name an SVG file that --plot wrote") from error
    if _OPENING not in svg[:1000]:
        raise UsageError(
            f"--picture {file} is not an SVG file; name one that `airtime --plot` or `rehearse --plot` wrote"
        )
    if len(svg) > MOST_PICTURE_BYTES:
        limit = f"{MOST_PICTURE_BYTES:,} characters"
        raise UsageError(f"--picture {file} has {len(svg):,} characters, at most {limit} fit; name a smaller one")
    return Picture(title=file.stem, svg=svg)


def _airtime(rollouts: tuple[RolloutFacts, ...]) -> list[Picture]:
    """Draw the session of each rollout that has a radio session and a known manifest."""
    from otactl.cli.airtime_request import question_of, require_radio

    require_radio()
    from otactl.lorawan.planner import ImpossibleSessionError, forecast
    from otactl.lorawan.redundancy_curve import curve
    from otactl.report.airtime_plot import as_svg

    pictures = []
    for each in rollouts:
        question = question_of(each.declared) if each.declared is not None else None
        if question is None:
            continue
        try:
            found = forecast(question)
        except ImpossibleSessionError:
            continue  # `validate` and `airtime` say why; there is nothing to draw
        title = f"{each.stored.record.name}: chance that a device rebuilds the image, over redundancy"
        pictures.append(Picture(title=title, svg=as_svg(found, curve(question, found))))
    return pictures
