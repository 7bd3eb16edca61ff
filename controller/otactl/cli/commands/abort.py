"""`otactl abort`: writes `spec.abort` with its reason into a manifest."""

from __future__ import annotations

import click

from otactl.cli.errors import Verb, guarded
from otactl.cli.manifest_edit import change, find, form_option, rollout_option
from otactl.errors import UsageError
from otactl.manifest.edit import Put


@click.command(cls=Verb, name="abort", short_help="abort a rollout, in its manifest")
@click.argument("path", metavar="PATH")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who read it later.")
@click.option("--replace", is_flag=True, help="Put this reason in place of another one.")
@rollout_option
@form_option
@guarded
def command(path: str, reason: str, replace: bool, name: str | None, style: str) -> None:
    """Write spec.abort into the manifest PATH: its rollout ends for good.

    Devices that took the image keep it: `otactl rollback` writes the manifest that takes them back.
    """
    found = find(path, name)
    ended = found.rollout.abort
    if ended is not None and not replace:
        text = f"rollout {found.rollout.name} is aborted already: {ended.reason}"
        raise UsageError(f"{text}; add --replace to set your reason")
    put = Put(("spec", "abort"), {"reason": reason})
    change(found, put, style=style, text=f"rollout {found.rollout.name} is aborted")
