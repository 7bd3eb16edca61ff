"""What verbs share that only read the journal: their options, and finding the rollouts they are asked about.

1. Reading never creates a journal and never writes to one.
2. A name or an environment the journal does not know is an error that lists what it knows.
"""

from __future__ import annotations

import click

from controller.errors import UsageError
from controller.journal import AnyJournal, open_journal
from controller.ports import Stored

_SHOWN = 10

environment_option = click.option("--environment", metavar="NAME", help="Only this environment; all by default.")
style_option = click.option(
    "-o",
    "--output",
    "style",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Text for people, JSON for machines, Markdown for a pull request.",
)


def open_to_read(url: str) -> AnyJournal:
    """Open a journal that must be there; use it as a context manager."""
    return open_journal(url, must_exist=True)


def select(journal: AnyJournal, environment: str | None, name: str | None) -> tuple[Stored, ...]:
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


def select_one(journal: AnyJournal, environment: str | None, name: str) -> Stored:
    """Load the one rollout of that name; when several environments have one, `--environment` must choose."""
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
