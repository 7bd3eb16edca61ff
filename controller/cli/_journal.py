"""Where the journal is, for every verb alike."""

from __future__ import annotations

import click

from controller.errors import JournalMissingError
from controller.journal import open_journal
from controller.ports import Journal

DEFAULT = "sqlite:///.otactl/journal.db"

journal_option = click.option(
    "--journal",
    envvar="OTACTL_JOURNAL",
    default=DEFAULT,
    show_default=True,
    help="URL of the journal: a path, sqlite:///… or s3://BUCKET/PREFIX.",
)


def open_if_there(url: str) -> Journal | None:
    """Open the journal for reading; None when there is none yet, so that reading never makes one."""
    try:
        return open_journal(url, must_exist=True)
    except JournalMissingError:
        return None
