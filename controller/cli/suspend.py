"""`otactl suspend`: write into a manifest that its rollout is held, why, and who to ask."""

from __future__ import annotations

import click

from controller.cli._editing import change, find, form_option, rollout_option
from controller.cli._errors import Verb, guarded
from controller.errors import UsageError
from controller.manifest.editing import Put


@click.command(cls=Verb, name="suspend", short_help="hold a rollout, in its manifest")
@click.argument("path", metavar="PATH")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who read it later.")
@click.option("--owner", required=True, metavar="WHO", help="Who to ask.")
@click.option("--replace", is_flag=True, help="Put these words in place of another hold's.")
@rollout_option
@form_option
@guarded
def command(path: str, reason: str, owner: str, replace: bool, name: str | None, style: str) -> None:
    """Write spec.suspend into the manifest PATH: nothing is sent for its rollout until that is removed.

    What devices have begun, they end. `otactl resume` takes it out again.
    """
    found = find(path, name)
    held = found.rollout.suspend
    if held is not None and not replace:
        told = f"rollout {found.rollout.name} is suspended already, by {held.owner}: {held.reason}"
        raise UsageError(f"{told}; --replace puts your words there")
    put = Put(("spec", "suspend"), {"reason": reason, "owner": owner})
    change(found, put, style=style, told=f"rollout {found.rollout.name} is suspended by {owner}")
