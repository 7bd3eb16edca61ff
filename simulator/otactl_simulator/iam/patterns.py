"""Matches the text patterns of IAM policies: wildcards, policy variables, ARNs.

1. `*` matches any run of characters, `?` exactly one (IAM user guide, "IAM JSON policy elements: Resource").
2. `${key}` stands for the request's value of that key, `${key, 'default'}` falls back; `${*}`, `${?}` and `${$}` are
   the characters themselves. A substituted value is literal. Variables exist from policy version 2012-10-17 on.
3. A variable without a value makes its statement match nothing (user guide, "IAM policy elements: Variables").
4. ARN condition operators compare the six colon-separated parts one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

ContextValue = str | Sequence[str]

_TOKEN = re.compile(r"\$\{([^}]*)\}|\$\{|([^$]+|\$)", re.DOTALL)
_VARIABLE = re.compile(r"\s*([A-Za-z0-9-]+:[^\s,']+)\s*(?:,\s*'([^']*)'\s*)?")


class UnsupportedPolicyError(ValueError):
    """The policy uses something this evaluator does not know, or that IAM would refuse; the message names it."""


class UnresolvedVariableError(Exception):
    """A policy variable has no value in this request, so its statement applies to nothing."""


class Context:
    """The request's condition keys, looked up without regard to case, as IAM does."""

    def __init__(self, values: Mapping[str, ContextValue]) -> None:
        self._values = {
            key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in values.items()
        }

    def get(self, key: str) -> tuple[str, ...] | None:
        """Return a key's values, or None when the request does not carry the key."""
        return self._values.get(key.lower())

    def resolve(self, variable: str) -> str:
        """Return the text a policy variable stands for; raises UnresolvedVariableError or UnsupportedPolicyError."""
        found = _VARIABLE.fullmatch(variable)
        if found is None:
            raise UnsupportedPolicyError(f"policy variable ${{{variable}}} is not ${{service:key}}")
        values = self.get(found[1])
        if values is None or len(values) == 0:
            if found[2] is None:
                raise UnresolvedVariableError(variable)
            return str(found[2])
        if len(values) > 1:
            raise UnsupportedPolicyError(f"policy variable ${{{variable}}} names a key with several values")
        return values[0]


def expand(text: str, context: Context, *, variables: bool) -> list[tuple[bool, str]]:
    """Cut a policy value into (is a substituted or escaped literal, text) pieces."""
    if not variables or "${" not in text:
        return [(False, text)]
    pieces = []
    for token in _TOKEN.finditer(text):
        variable, plain = token[1], token[2]
        if plain is not None:
            pieces.append((False, plain))
        elif variable is None:
            raise UnsupportedPolicyError(f"policy value {text!r} opens a variable it does not close")
        else:
            pieces.append((True, variable if variable in ("*", "?", "$") else context.resolve(variable)))
    return pieces


def literal(text: str, context: Context, *, variables: bool) -> str:
    """Expand a value in which wildcards mean nothing, as StringEquals does."""
    return "".join(piece for _, piece in expand(text, context, variables=variables))


def matcher(pieces: Sequence[tuple[bool, str]], *, ignore_case: bool = False) -> Callable[[str], bool]:
    """Make the test of one pattern: wildcards act in the pieces that are not literal."""
    source = "".join(re.escape(text) if is_literal else _wildcards(text) for is_literal, text in pieces)
    pattern = _compiled(source, ignore_case)
    return lambda text: pattern.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(source: str, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(source, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _wildcards(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def arn_like(pattern: str, value: str, context: Context, *, variables: bool) -> bool:
    """Compare ARNs part by part; wildcards stay within a part, and a text with fewer than six parts matches nothing."""
    pieces = expand(pattern, context, variables=variables)
    wanted = _six_parts(pieces)
    found = value.split(":", 5)
    if len(wanted) != 6 or len(found) != 6:
        return False
    return all(matcher(part)(text) for part, text in zip(wanted, found, strict=True))


def _six_parts(pieces: Sequence[tuple[bool, str]]) -> list[list[tuple[bool, str]]]:
    parts: list[list[tuple[bool, str]]] = [[]]
    for is_literal, text in pieces:
        while len(parts) < 6 and ":" in text:
            head, text = text.split(":", 1)
            parts[-1].append((is_literal, head))
            parts.append([])
        parts[-1].append((is_literal, text))
    return parts
