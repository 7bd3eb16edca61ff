"""Makes text from a service safe to print: no cursor moves, colours or mentions from a device name.

1. Terminal: every control, format, surrogate and separator character becomes a visible escape.
2. Markdown: the same, and nothing in a cell is markup, a link or a mention.
3. JSON: the same characters become `\\u` escapes, so the document keeps its meaning.
4. Logs of CI: no line of a value is a command. GitHub's runner obeys `::` after blanks, and `##[` anywhere in a line.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

import msgspec

# Cc control, Cf format (bidirectional overrides among them), Cs lone surrogates, Zl and Zp line ends
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# All but line end and tab; line and paragraph separators, overrides of the reading direction, lone surrogates
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)|#(?=#\[|#vso\[)", re.MULTILINE)
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&]|:(?=//)|(?<=www)\.)")


def plain(text: str) -> str:
    r"""Escape what a terminal would act on: `\x1b`, `\u202e`; everything readable stays."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _UNSAFE else c for c in text)


def without_controls(text: str) -> str:
    """Escape what acts on a terminal in text of many lines: the last net, behind `plain` for each value.

    Line ends and tabs stay, and so do joiners and the space of no width that keeps a mention from being one.
    """
    if text.isascii() and not _CONTROLS.search(text):
        return text
    return _CONTROLS.sub(lambda found: _escape(found.group()), text)


def without_commands(text: str, *, at_line_start: bool = True) -> str:
    """Escape what the log of a CI run would obey (rule 4); `\\u` escapes, which a JSON document may hold."""
    if "::" not in text and "##" not in text:
        return text
    first, rest = ("", text) if at_line_start else _first_line(text)
    return first + _COMMAND.sub(lambda found: f"{found[1] or ''}\\u{ord(found[0][-1]):04x}", rest)


def _first_line(text: str) -> tuple[str, str]:
    head, end, rest = text.partition("\n")
    return head + end, rest


def cell(text: str) -> str:
    """Escape for a Markdown table cell on GitHub, mentions included."""
    return _MARKUP.sub(r"\\\1", plain(text)).replace("@", "@\u200b")


def as_json(value: object) -> str:
    """Write a value for machines that a person may also see on a terminal (rule 3)."""
    try:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except UnicodeEncodeError:  # a lone surrogate, which only Python's own writer takes; it is much slower
        text = json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False)
    return safe_json(text)


def safe_json(text: str) -> str:
    """Escape a JSON document's unsafe characters; line ends between its values stay."""
    if text.isascii() and "\x7f" not in text:
        return text  # JSON itself escapes the control characters below U+0020
    return "".join(_json_escape(c) if c != "\n" and unicodedata.category(c) in _UNSAFE else c for c in text)


def short_json(value: object) -> str:
    """Write a value on one line for a table: strings bare, the rest as JSON, nothing as a dash."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value or '""'
    return json.dumps(value, ensure_ascii=False)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a GitHub table; cells are made safe here."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return lines + [f"| {' | '.join(cell(c) for c in row)} |" for row in rows]


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"
