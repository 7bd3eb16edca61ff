"""`otactl explain`: prints the help of a manifest field, or what a code means and how to get out, offline."""

from __future__ import annotations

import re
import textwrap

import click

from otactl.errors import UsageError

_WIDTH = 100


@click.command("explain", short_help="Help on a field of a manifest, or on a code.")
@click.argument("topic", required=False)
def command(topic: str | None) -> None:
    """Explain TOPIC: a field of a manifest by its path, or a code that otactl printed.

    Codes are holds, errors, problems and warnings of manifests, defects of the journal, phases, conditions and
    device failures. Without TOPIC, all codes are listed. A path may start with its kind (Environment.spec.region).
    Exits 1 if there is no such field or code.

    \b
    Examples:
      otactl explain spec.strategy.gate
      otactl explain window_is_closed
      otactl explain PermissionDenied
    """
    from otactl import explanations
    from otactl.manifest.field_help import find_field

    if topic is None:
        _list()
        return
    texts = explanations.find(topic)
    field = None if texts else find_field(topic)
    if not texts and field is None:
        raise UsageError(_unknown(topic))
    for index, (page, code, text) in enumerate(texts):
        click.echo(("\n" if index else "") + f"{code} ({page.title.lower()})")
        for label, sentence in (("Means", text.means), ("Why", text.why), ("What to do", text.fix)):
            click.echo(_wrapped(label, sentence))
    if field is not None:
        _print_field(topic)


def _wrapped(label: str, sentence: str) -> str:
    """Wrap a sentence between words; a command in backquotes stays on one line."""
    whole = re.sub("`[^`]*`", lambda found: found[0].replace(" ", "\0"), sentence)
    wrapped = textwrap.fill(
        whole,
        _WIDTH,
        initial_indent=f"  {label + ':':<12}",
        subsequent_indent=" " * 14,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped.replace("\0", " ")


def _list() -> None:
    from otactl.explanations import PAGES, page

    for index, name in enumerate(PAGES):
        each = page(name)
        click.echo(("\n" if index else "") + f"{each.title}:")
        for section in each.sections:
            for code in section.codes:
                click.echo(f"  {code}")


def _unknown(topic: str) -> str:
    from otactl.explanations import every_code
    from otactl.manifest.field_help import similar_fields
    from otactl.manifest.phrases import nearest

    code = nearest(topic, every_code())
    near = list(dict.fromkeys([*([code] if code else []), *similar_fields(topic)]))
    listed = "`otactl explain` lists the codes, `otactl explain spec` the fields"
    hint = f"did you mean {' or '.join(near)}?" if near else listed
    return f"there is no field and no code {topic!a}; {hint}"


def _print_field(path: str) -> None:
    from otactl.manifest.field_help import find_field

    found = find_field(path)
    if found is None:
        return
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
