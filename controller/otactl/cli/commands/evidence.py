"""`otactl evidence`: writes signed evidence of a rollout from the journal, and verifies such evidence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import click

from otactl import __version__
from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.errors import Verb, VerbGroup, guarded
from otactl.cli.journal_option import journal_option
from otactl.cli.load_manifests import environment_option
from otactl.cli.nearby_environments import manifests_option
from otactl.cli.select_records import Memory, open_to_read, select_one
from otactl.cli.signing_keys import public_key_of, signer_of
from otactl.errors import StalledError, UsageError
from otactl.journal import open_journal
from otactl.manifest import read_paths
from otactl.model import Record, Rollout
from otactl.report.evidence_values import PAYLOAD_TYPE, ChainLine, Evidence, Producer
from otactl.report.sanitize import as_json, plain

NOT_VERIFIED = 2


class _WriteByDefault(VerbGroup):
    """A group whose first word is a rollout unless it is one of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the first word as a rollout, unless it is a command."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["write", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name; any other word is a rollout to write the evidence of."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, "write")


@click.group(cls=_WriteByDefault, short_help="write or verify signed evidence of a rollout")
def command() -> None:
    """Write signed evidence of a rollout (`otactl evidence ROLLOUT --key KEY`), or verify it."""


@command.command(cls=Verb, name="write", short_help="write the signed evidence of a rollout")
@click.argument("name", metavar="ROLLOUT")
@click.option(
    "--key",
    required=True,
    metavar="KEY",
    help="The private key: a file in PEM (Ed25519 or ECDSA P-256; passphrase in OTACTL_KEY_PASSPHRASE), or awskms:///KEY.",
)
@click.option("--file", "target", metavar="FILE", help="Where to write; by default to the standard output.")
@journal_option
@manifests_option
@environment_option
@guarded
def write(
    name: str, key: str, target: str | None, journal: str | None, manifests: tuple[str, ...], environment: str | None
) -> None:
    """Write what the journal records of ROLLOUT as an in-toto statement in a DSSE envelope, signed with KEY.

    Gates, approvals and how success is proved come from the manifest, if --manifests or the default folder `rollouts`
    has the one that was last driven. A broken history is refused.
    """
    from otactl.report.evidence import collect, statement
    from otactl.signatures.dsse import signed

    signer = signer_of(key)
    with open_to_read(journal, environment, manifests) as opened:
        record = select_one(opened, environment, name).record
        events = opened.history(record.environment, record.name)
        chain = _chain(opened, record)
        producer = Producer(name="otactl", version=__version__, journal=opened.identity_of(record.environment).id)
    declared = _declared(record, manifests)
    evidence = collect(record, events, declared, chain, producer, utc_now())
    _must_be_about_an_image(evidence)
    envelope = signed(PAYLOAD_TYPE, statement(evidence), [signer])
    if target is None:
        click.echo(envelope, nl=False)
        return
    try:
        Path(target).write_bytes(envelope)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}; name another file with --file") from error
    found = sum(len(group.devices) for group in evidence.devices)
    text = (
        f"{target}: evidence of {record.environment}/{record.name}, {found} devices, signed by {signer.public.id[:16]}"
    )
    click.echo(plain(text + ("" if evidence.manifest.at_hand else f"; {_NO_MANIFEST}")))


_NO_MANIFEST = (
    "the manifest that was last driven was not found, so gates and approvals are not in it; add --manifests PATH"
)


def _chain(opened: Memory, record: Record) -> ChainLine | None:
    reading = opened.chained(record.environment, record.name)
    check = reading.checked()
    if check.head is None:
        return None
    return ChainLine(number=check.head.number, sha256=check.head.hash, unchained=check.unchained)


def _declared(record: Record, manifests: tuple[str, ...]) -> Rollout | None:
    """Return the rollout's manifest, if it can be read."""
    paths = list(manifests) or [each for each in ("rollouts",) if Path(each).is_dir()]
    if not paths:
        return None
    found = read_paths(paths).rollouts
    return next((r for r in found if (r.environment, r.name) == (record.environment, record.name)), None)


def _must_be_about_an_image(evidence: Evidence) -> None:
    if not evidence.firmware.sha256:
        text = f"no image of {evidence.environment}/{evidence.rollout} is recorded: nothing was sent yet"
        raise StalledError("NothingToProve", f"{text}; run `otactl reconcile` first, or add --manifests PATH")


@command.command(cls=Verb, name="verify", short_help="verify evidence with a public key")
@click.argument("file", metavar="FILE")
@click.option(
    "--key",
    "names",
    required=True,
    multiple=True,
    metavar="PUB",
    help="A public key in PEM, or awskms:///KEY. Repeatable: one that verifies is enough.",
)
@click.option("--image", metavar="IMAGE", help="An image file: the evidence must be about its bytes.")
@click.option("--against", "url", metavar="JOURNAL", help="A journal: it must still have the history that is signed.")
@click.option("-o", "--output", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@guarded
def verify(
    file: str, names: tuple[str, ...], image: str | None, url: str | None, style: Literal["text", "json"]
) -> None:
    """Say whether FILE is evidence that one of the keys PUB signed, and why not. Exits 0 for yes, 2 for no.

    A yes means that who held the key wrote it, and that not one byte was changed since. What it states is the word of
    otactl and of the services it read.
    """
    from otactl.manifest.schema import failures
    from otactl.report.evidence_check import predicate_of, with_history
    from otactl.report.evidence_check import verify as checked
    from otactl.signatures.dsse import MOST_BYTES, parsed

    known = [public_key_of(name) for name in names]
    envelope = parsed(_read(file, MOST_BYTES + 1), file)
    digest = hashlib.sha256(_read(image)).hexdigest() if image is not None else None
    result = checked(
        envelope,
        known,
        lambda value: [f"/{'/'.join(map(str, f.path))}: {f.message}" for f in failures("evidence", value)],
        digest,
    )
    if url is not None and result.rollout is not None and result.environment is not None:
        with open_journal(url, must_exist=True) as journal:
            history = journal.chained(result.environment, result.rollout)
        result = with_history(result, predicate_of(envelope), history)
    if style == "json":
        click.echo(as_json(result))
    else:
        for each in result.findings:
            click.echo(plain(f"{'yes' if each.holds else 'no '}  {each.check}: {each.message}"))
        about = f"{result.environment}/{result.rollout}, image {result.image}"
        click.echo(plain(f"{file} is verified: {about}" if result.verified else f"{file} is NOT verified"))
    if not result.verified:
        raise click.exceptions.Exit(NOT_VERIFIED)


def _read(name: str, most: int = -1) -> bytes:
    try:
        with Path(name).open("rb") as opened:
            return opened.read(most)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}; name a file that can be read") from error
