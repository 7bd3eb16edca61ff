"""`otactl image`: uploads an image under a key that contains its sha256, signs it, and verifies such signatures."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from pathlib import Path

import click

from otactl.cli.errors import Verb, VerbGroup, guarded
from otactl.cli.manifest_edit import replace
from otactl.cli.nearby_environments import environment_named, manifests_option
from otactl.cli.progress import Show, WatchedBytes, progress
from otactl.cli.signing_keys import public_key_of, signer_of
from otactl.errors import ConflictError, Problem, UsageError
from otactl.manifest.edit import Put, edited
from otactl.manifest.repository import ground_of
from otactl.manifest.source import read_source
from otactl.manifest.stack_outputs import read_outputs
from otactl.model import Environment
from otactl.report.sanitize import plain

NOT_VERIFIED = 2
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_NAME = re.compile(r"[A-Za-z0-9!_.*'()-]+")


@click.group(cls=VerbGroup, short_help="upload, sign and verify content-addressed images")
def command() -> None:
    """Upload firmware images."""


@command.command(cls=Verb, name="push", short_help="upload an image and print its firmware block")
@click.argument("file", type=click.Path())
@click.option("--environment", metavar="NAME", required=True, help="The environment by its name, or its manifest file.")
@click.option("--product", required=True, help="First part of the key, such as soil-probe.")
@click.option("--version", "firmware_version", required=True, help="The version that devices report with this image.")
@click.option("--bucket", help="The bucket; otherwise `imageBucket` of the environment's stack outputs.")
@click.option(
    "--sign",
    "signing_key",
    metavar="KEY",
    help="Sign the image's SHA-256: a private key in PEM (passphrase in OTACTL_KEY_PASSPHRASE), or awskms:///KEY.",
)
@click.option("--into", metavar="MANIFEST", help="Write the block into this rollout's file; comments stay.")
@manifests_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@guarded
def push(
    file: str,
    environment: str,
    product: str,
    firmware_version: str,
    bucket: str | None,
    signing_key: str | None,
    into: str | None,
    manifests: tuple[str, ...],
    output: str,
) -> None:
    """Upload FILE with its SHA-256 stored by S3, and print the `firmware` block for a manifest.

    An object that is already there with the same bytes is left as it is; one with other bytes is refused.
    """
    if into is not None:
        with_firmware(into, {})  # what cannot be written is refused before the upload
    signer = signer_of(signing_key) if signing_key is not None else None
    declared = environment_named(environment, manifests)
    image = _read(Path(file))
    if _PREFIX.fullmatch(product) is None:
        raise UsageError(f"--product {product!r} cannot be part of a key; use letters, digits, . _ - and /")
    if _NAME.fullmatch(Path(file).name) is None:
        raise UsageError(
            f"{Path(file).name!r} cannot be part of a key; rename the file with letters, digits and ! _ . * ' ( ) -"
        )
    digest = hashlib.sha256(image).hexdigest()
    target = bucket or _bucket(declared)
    key = f"{product.strip('/')}/sha256/{digest}/{Path(file).name}"
    signature = base64.b64encode(signer.sign_digest(bytes.fromhex(digest))).decode() if signer is not None else None
    with progress() as show:
        fresh = _upload(declared, target, key, image, digest, show)
    block: dict[str, object] = {
        "version": firmware_version,
        "image": f"s3://{target}/{key}",
        "sha256": digest,
        "sizeBytes": len(image),
        **({"signature": signature} if signature is not None else {}),
    }
    if into is not None:
        before, after = with_firmware(into, block)
        replace(Path(os.path.realpath(into)), after, expected=before)
    if output == "json":
        click.echo(json.dumps({"uploaded": fresh, "firmware": block}))
        return
    click.echo("uploaded" if fresh else "already there, same bytes", err=True)
    if into is not None:
        click.echo(plain(f"wrote spec.firmware of {into}"), err=True)
    click.echo("  firmware:")  # two in, as it is below `spec`
    for name, value in block.items():
        click.echo(f"    {name}: {json.dumps(value)}")


@command.command(cls=Verb, name="verify", short_help="verify the detached signature of an image")
@click.argument("file", type=click.Path())
@click.option("--signature", required=True, metavar="SIGNATURE", help="In base64, as firmware.signature has it.")
@click.option(
    "--key", "names", required=True, multiple=True, metavar="PUB", help="A public key in PEM, or awskms:///KEY."
)
@guarded
def verify(file: str, signature: str, names: tuple[str, ...]) -> None:
    """Say whether one of the keys PUB signed the image FILE. Exits 0 for yes, 2 for no."""
    known = [public_key_of(name) for name in names]
    try:
        given = base64.b64decode(signature, validate=True)
    except binascii.Error as error:
        raise UsageError("the signature is no base64; copy firmware.signature whole") from error
    digest = hashlib.sha256(_read(Path(file))).digest()
    good = next((key for key in known if key.verifies_digest(given, digest)), None)
    if good is None:
        tried = ", ".join(key.id[:16] for key in known)
        click.echo(
            plain(f"{file} is NOT verified: no given key ({tried}) made this signature of sha256 {digest.hex()}")
        )
        raise click.exceptions.Exit(NOT_VERIFIED)
    click.echo(plain(f"{file} is verified: sha256 {digest.hex()}, signed by the {good.algorithm} key {good.id[:16]}"))


def with_firmware(file: str, block: dict[str, object]) -> tuple[bytes, bytes]:
    """Return the bytes of a manifest, and those with the fields of its block `firmware` set; placeholders may be left.

    Raises: UsageError where the file does not hold one rollout.
    """
    data = _read(Path(file))
    documents = [each.value for each in read_source(file, data).documents]
    rollouts = [n for n, each in enumerate(documents) if isinstance(each, dict) and each.get("kind") == "Rollout"]
    if len(rollouts) != 1:
        raise UsageError(f"{file} holds {len(rollouts)} rollouts; name a file with one")
    edits = [Put(("spec", "firmware", name), value) for name, value in block.items()]
    return data, edited(file, data, rollouts[0], *edits)


def _read(path: Path) -> bytes:
    try:
        image = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if not image:
        raise UsageError(f"{path} is empty; there is no firmware in it")
    return image


def _bucket(environment: Environment) -> str:
    outputs = environment.stack_outputs
    if outputs is None:
        raise UsageError("the environment names no stack outputs; name the bucket with --bucket")
    place = Path(os.path.normpath(Path.cwd() / environment.source.file))
    read = read_outputs(outputs, place.parent / outputs, ground_of(place, Path.cwd()))
    if isinstance(read, Problem):
        raise UsageError(f"{read.file}: {read.message}; name the bucket with --bucket")
    found = read.values.get("imageBucket")
    if not isinstance(found, str):
        raise UsageError("the stack outputs have no imageBucket; name the bucket with --bucket")
    return found


def _upload(environment: Environment, bucket: str, key: str, image: bytes, digest: str, show: Show) -> bool:
    """Write once. True when it was written, False when the same bytes were there."""
    from otactl.backends.aws.image_and_role import ImageAndRoleReader
    from otactl.backends.errors import NotFoundError
    from otactl.backends.registry import transport_for

    transport = transport_for(environment)
    account = transport.identity()
    if account != environment.account:
        text = f"these credentials are of account {account}, environment {environment.name} is {environment.account}"
        raise UsageError(f"{text}; use the right role")
    try:
        transport.call(
            "s3",
            "PutObject",
            {
                "Bucket": bucket,
                "Key": key,
                "Body": WatchedBytes(
                    image, lambda sent, size: show(f"{sent / 1e6:.1f} of {size / 1e6:.1f} MB uploaded")
                ),
                "ChecksumAlgorithm": "SHA256",
                "ChecksumSHA256": base64.b64encode(bytes.fromhex(digest)).decode(),
                "IfNoneMatch": "*",
            },
            repeatable=True,
        )
    except NotFoundError as error:
        text = f"there is no bucket {bucket} that these credentials may write to"
        raise UsageError(f"{text}; create it, or name another with --bucket") from error
    except ConflictError:
        there = ImageAndRoleReader(transport).image(f"s3://{bucket}/{key}")
        if there.sha256 != digest:
            shown = there.sha256 or there.unreadable or "no sha256"
            raise UsageError(f"s3://{bucket}/{key} exists with other bytes ({shown}); remove it by hand") from None
        return False
    return True
