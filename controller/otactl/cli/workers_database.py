"""Adds the option that names the database of the workers."""

from __future__ import annotations

import click

database_option = click.option(
    "--database",
    metavar="CONNINFO",
    help="The workers' database in PostgreSQL, without a password.  [default: OTACTL_DATABASE, else PGSERVICE]",
)
