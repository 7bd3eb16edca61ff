"""Opens journals and selects records, with the shared options of verbs that read only the journal.

1. Reading never creates a journal and never writes to one.
2. A name or an environment the journal does not know is an error that lists what it knows.
3. Environments that declare a journal of their own are read from it, all others from the default place: `Memory` is all
   of them as one. One that is not there is reported; an error it is where it leaves nothing to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import click

from otactl.cli.journal_option import Place, default_place, overridden, place_for
from otactl.cli.nearby_environments import environments_near
from otactl.errors import JournalMissingError, UsageError
from otactl.journal import AnyJournal, open_journal
from otactl.journal.chain_reading import ChainReading
from otactl.model import Event
from otactl.ports import Identity, Stored
from otactl.report.journals_used import UsedJournal
from otactl.report.sanitize import plain

_SHOWN = 10


style_option = click.option(
    "-o",
    "--output",
    "style",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Text for people, JSON for machines, Markdown for a pull request.",
)


class Memory:
    """The journals of one command, read as if they were one; use it as a context manager.

    `homes` are the places of environments that have their own, `rest` that of all others, which need not be named.
    """

    def __init__(self, homes: Mapping[str, Place], rest: Place | None) -> None:
        self._stack = ExitStack()
        self._opened: dict[str, AnyJournal] = {}
        self._homes: dict[str, AnyJournal] = {}
        self._rest: AnyJournal | None = None
        self.used: tuple[UsedJournal, ...] = ()
        missing: list[JournalMissingError] = []
        for name, place in (*homes.items(), *((("", rest),) if rest is not None else ())):
            try:
                journal = self._open(place)
            except JournalMissingError as error:
                missing.append(error)
                continue
            except BaseException:
                self.close()
                raise
            self.used = (*self.used, place.used(name))
            if name:
                self._homes[name] = journal
            else:
                self._rest = journal
        if missing and not self._opened:
            raise missing[0]
        for each in missing:
            click.echo(plain(f"otactl: {each}"), err=True)

    def _open(self, place: Place) -> AnyJournal:
        if place.url not in self._opened:
            opened = open_journal(place.url, must_exist=True)
            self._stack.callback(opened.close)
            self._opened[place.url] = opened
        return self._opened[place.url]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all of them."""
        self._stack.close()

    @property
    def path(self) -> str:
        """Return what was opened, for messages."""
        return ", ".join(dict.fromkeys(str(each.path) for each in self._opened.values()))

    def used_for(self, environment: str) -> tuple[UsedJournal, ...]:
        """Return the journal of an environment, as reports show it."""
        mine = tuple(each for each in self.used if each.environment == environment)
        return mine or tuple(each for each in self.used if not each.environment)

    def environments(self) -> tuple[str, ...]:
        """Name every environment with a record."""
        others = set(self._rest.environments()) - set(self._homes) if self._rest is not None else set()
        homes = {name for name, journal in self._homes.items() if name in journal.environments()}
        return tuple(sorted(others | homes))

    def load(self, environment: str, name: str) -> Stored:
        """Load one rollout's record from its environment's journal."""
        return self._of(environment).load(environment, name)

    def load_all(self, environment: str) -> dict[str, Stored]:
        """Load every record of an environment, by rollout name."""
        return self._of(environment).load_all(environment)

    def history(self, environment: str, name: str) -> tuple[Event, ...]:
        """Read a rollout's events, oldest first."""
        return self._of(environment).history(environment, name)

    def chained(self, environment: str, name: str) -> ChainReading:
        """Read a rollout's events as they are chained."""
        return self._of(environment).chained(environment, name)

    def identity_of(self, environment: str) -> Identity:
        """Return which journal an environment has."""
        return self._of(environment).identity()

    def _of(self, environment: str) -> AnyJournal:
        found = self._homes.get(environment, self._rest)
        if found is None:
            raise UsageError(f"journal {self.path} holds no environment {environment}")
        return found


def open_to_read(option: str | None, environment: str | None = None, manifests: Sequence[str] = ()) -> Memory:
    """Open the journals for the working folder, of one environment or of all."""
    places = places_near(option, environment, manifests)
    return Memory({name: place for name, place in places.items() if name}, places.get(""))


def places_near(option: str | None, environment: str | None, manifests: Sequence[str]) -> dict[str, Place]:
    """Return the journals for the working folder: by environment, and under "" that of all others."""
    named = overridden(option)
    if named is not None:
        return {"": named}
    declared = {e.name: e for e in environments_near(manifests)}
    homes = {
        name: place_for(each, manifests, option)
        for name, each in sorted(declared.items())
        if each.journal is not None and environment in (None, name)
    }
    asked = set(declared) if environment is None else {environment}
    return homes if asked and asked <= set(homes) else {**homes, "": default_place(manifests)}


def select(journal: Memory, environment: str | None, name: str | None) -> tuple[Stored, ...]:
    """Load the rollouts asked for: all, an environment's, or every one of that name. Raises `UsageError` (rule 2)."""
    known = journal.environments()
    if environment is not None and environment not in known:
        raise UsageError(f"journal {journal.path} holds no environment {environment}; it holds {_some(known)}")
    chosen = known if environment is None else (environment,)
    if name is None:
        return tuple(stored for each in chosen for stored in journal.load_all(each).values())
    named = tuple(stored for each in chosen if (stored := journal.load(each, name)).revision > 0)
    if not named:
        where = f"environment {environment} of journal {journal.path}" if environment else f"journal {journal.path}"
        keys = tuple(f"{each}/{rollout}" for each in chosen for rollout in journal.load_all(each))
        raise UsageError(f"no rollout {name} in {where}; it holds {_some(keys)}")
    return named


def select_one(journal: Memory, environment: str | None, name: str) -> Stored:
    """Load the one rollout of that name; when several environments have one, `--environment` must choose.

    Raises: UsageError when several environments have one.
    """
    named = select(journal, environment, name)
    if len(named) > 1:
        places = _some(tuple(s.record.environment for s in named))
        raise UsageError(f"rollout {name} is in environments {places}; choose one with --environment")
    return named[0]


def _some(names: tuple[str, ...]) -> str:
    if not names:
        return "nothing yet"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
