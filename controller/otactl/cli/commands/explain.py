"""`otactl explain`: prints the purpose and the values of a manifest field from the schema, offline."""

from __future__ import annotations

import click

from otactl.errors import UsageError


@click.command("explain", short_help="Help on a field of a manifest.")
@click.argument("field")
def command(field: str) -> None:
    """Explain a FIELD of a manifest by its path, such as spec.strategy.gate.

    A path may start with its kind (Environment.spec.region). Exits 1 if there is no such field.
    """
    from otactl.manifest.field_help import find_field, similar_fields

    found = find_field(field)
    if found is None:
        near = similar_fields(field)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; try otactl explain spec"
        raise UsageError(f"there is no field {field!a}{hint}")
    click.echo(f"{found.kind} {found.path or '(the whole manifest)'}: {found.type}")
    click.echo(f"\n{found.title}. {found.description}")
    for rule in found.rules:
        click.echo(f"  - {rule}")
    for example in found.examples:
        click.echo(f"  for example {example}")
    if found.fields:
        click.echo("\nfields:")
        width = max(len(name) for name, _, _ in found.fields)
        for name, title, needed in found.fields:
            click.echo(f"  {name:<{width}}  {title}{' (required)' if needed else ''}")
