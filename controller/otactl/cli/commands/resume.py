"""`otactl resume`: removes `spec.suspend` from a manifest."""

from __future__ import annotations

import click

from otactl.cli.errors import Verb, guarded
from otactl.cli.manifest_edit import change, find, form_option, rollout_option, unchanged
from otactl.manifest.edit import Clear


@click.command(cls=Verb, name="resume", short_help="resume a suspended rollout, in its manifest")
@click.argument("path", metavar="PATH")
@rollout_option
@form_option
@guarded
def command(path: str, name: str | None, style: str) -> None:
    """Remove spec.suspend from the manifest PATH. Says so, and exits 0, if its rollout is not suspended."""
    found = find(path, name)
    held = found.rollout.suspend
    if held is None:
        unchanged(found, style=style, text=f"rollout {found.rollout.name} is not suspended")
        return
    text = f"rollout {found.rollout.name} is resumed; it was suspended by {held.owner}: {held.reason}"
    change(found, Clear(("spec", "suspend")), style=style, text=text)
