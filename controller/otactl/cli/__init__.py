"""Runs the command `otactl`; each verb is one file, loaded only when it is called.

1. 0 is success, 2 is a verb's own "there is something" (plan, drift), 1 is every error, usage included.
2. `otactl --version` and `--help` import neither boto3 nor jsonschema (a test watches).
3. An error is one line on stderr: what, where, what next. Never a traceback, unless OTACTL_TRACEBACK asks for it.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from otactl import __version__
from otactl.cli.output import SafeStream, safe_output
from otactl.errors import OtactlError, OutputError, defect
from otactl.report.sanitize import plain

VERBS: dict[str, str] = {
    "init": "write a first manifest and its environment",
    "validate": "check manifests, offline",
    "plan": "show the exact calls that are next, and what follows",
    "reconcile": "drive rollouts to their declared state",
    "airtime": "plan the radio: time on air, chance of success, what to declare",
    "gate": "say how often gates pass bad firmware, and hold good firmware",
    "rehearse": "run whole rollouts against a simulated fleet, in seconds",
    "status": "show the state of rollouts, and the open tasks of one device",
    "history": "show the events of a rollout, from the journal",
    "drift": "show the drift ledger, from the journal",
    "report": "show the fleet as one HTML page, from the journal",
    "suspend": "suspend a rollout, in its manifest",
    "resume": "resume a suspended rollout, in its manifest",
    "approve": "approve a wave, in its manifest",
    "abort": "abort a rollout, in its manifest",
    "rollback": "write the manifest that returns devices to an earlier firmware",
    "image": "upload, sign and verify content-addressed images",
    "adopt": "write manifests from what runs without otactl",
    "evidence": "write or verify signed evidence of a rollout",
    "workers": "run many environments from a queue in PostgreSQL",
    "journal": "create, check, back up, copy or export the journal",
    "explain": "show help on a manifest field or on a code, offline",
    "simulator": "run the stand-in clouds on loopback",
    "demo": "show every part of otactl in one command, on loopback",
}


class Verbs(click.Group):
    """The group of verbs; a verb's module is imported when the verb is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return every verb, in the order of its use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Load one verb; None when there is no such verb."""
        if cmd_name not in VERBS:
            return None
        from otactl.cli.examples import add_examples
        from otactl.cli.verbosity import add_verbosity

        command = importlib.import_module(f"otactl.cli.commands.{cmd_name}").command
        if not isinstance(command, click.Command):
            return None
        return add_verbosity(add_examples(command, cmd_name), cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an unknown one is an error that names the one that was meant."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from otactl.cli.suggestions import unknown_verb

            ctx.fail(unknown_verb(args[0], VERBS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="otactl", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """GitOps for firmware: rollouts declared as manifests, driven to their declared state."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(1)


def main() -> None:
    """Run `otactl` and exit by the rules above."""
    with safe_output():
        try:
            code = _run()
            if isinstance(sys.stdout, SafeStream):
                sys.stdout.release(show=code != 0)
        except OutputError:  # stderr does not take it either
            code = 1
    sys.exit(code)


def _run() -> int:
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except SystemExit as leaving:
        code = leaving.code
    except click.Abort:
        code = _say("interrupted; run the same command again to go on")
    except click.exceptions.NoArgsIsHelpError as alone:
        code = _say("name one of these commands", alone.format_message() + "\n\n")
    except click.ClickException as wrong:
        usage = wrong.ctx.get_usage() + "\n" if isinstance(wrong, click.UsageError) and wrong.ctx else ""
        code = _say(plain(wrong.format_message()), usage)
    except Exception as wrong:  # noqa: BLE001 - the last guard: one line, never a traceback
        code = _fail(wrong)
    return code if isinstance(code, int) else 0


def _fail(wrong: Exception) -> int:
    from otactl.cli.errors import lines_of

    if os.environ.get("OTACTL_TRACEBACK"):
        traceback.print_exception(wrong)
    for line in lines_of(wrong if isinstance(wrong, OtactlError) else defect(wrong)):
        click.echo(line, err=True)
    return 1


def _say(message: str, before: str = "") -> int:
    click.echo(f"{before}otactl: {message}", err=True)
    return 1
