"""`otactl validate`: checks manifests without the cloud."""

from __future__ import annotations

import sys

import click


@click.command("validate", short_help="Check manifests, offline.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "sarif", "junit", "github"]),
    default="text",
    show_default=True,
    help="Form of the report.",
)
@click.pass_context
def command(context: click.Context, paths: tuple[str, ...], output: str) -> None:
    """Check the manifests in files and folders, without the cloud.

    Reports every problem of every file in one run, with its line, its column and a hint. Exits 0 if there is no error
    (warnings do not count), 1 otherwise.
    """
    from otactl.cli.output import SafeStream
    from otactl.manifest import read_paths
    from otactl.report.validation import Findings, render

    reading = read_paths(paths)
    findings = Findings(reading.names, reading.errors, reading.warnings)
    if output == "github" and isinstance(sys.stdout, SafeStream):
        sys.stdout.commands = True
    click.echo(render(output, findings))
    context.exit(0 if findings.valid else 1)
