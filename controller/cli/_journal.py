"""Where the journal is, for every verb alike."""

from __future__ import annotations

from pathlib import Path

import click

from controller.journal import open_journal
from controller.ports import Journal

DEFAULT = "sqlite:///.otactl/journal.db"

journal_option = click.option(
    "--journal", envvar="OTACTL_JOURNAL", default=DEFAULT, show_default=True, help="URL of the journal."
)


def open_if_there(url: str) -> Journal | None:
    """Open the journal for reading; None when there is none yet, so that reading never makes one."""
    name = url.removeprefix("sqlite:///")
    if "://" not in name and not Path(name).exists():
        return None
    return open_journal(url, must_exist=True)
