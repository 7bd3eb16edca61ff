"""Evaluates the Condition element of IAM policies: every operator but BinaryEquals, with AWS's rules for missing keys.

1. All operators and keys of a Condition must hold (AND). Several policy values are alternatives (OR), or, for a
   negated operator, none of them may match (NOR).
2. A missing key fails an ordinary operator and satisfies a negated one; `...IfExists` is satisfied by it.
3. `ForAllValues:` asks every value of the request and holds when there is none; `ForAnyValue:` asks for one value and
   fails when there is none, whatever the operator.
4. `Null` asks whether the key is missing.
5. A request value that cannot be read as number, date or address matches nothing; a policy value that cannot is an
   error in the policy.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "Conditions with multiple context keys".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt

from otactl_simulator.iam.patterns import (
    Context,
    UnresolvedVariableError,
    UnsupportedPolicyError,
    arn_like,
    expand,
    literal,
    matcher,
)

Compare = Callable[[str, str, Context, bool], bool]
"""(policy value, request value, context, variables allowed) -> whether the positive form of the operator holds."""


@dataclass(frozen=True)
class _Operator:
    holds: Compare
    negated: bool = False


def _string_equals(wanted: str, found: str, context: Context, variables: bool) -> bool:
    return literal(wanted, context, variables=variables) == found


def _string_equals_ignore_case(wanted: str, found: str, context: Context, variables: bool) -> bool:
    return literal(wanted, context, variables=variables).casefold() == found.casefold()


def _string_like(wanted: str, found: str, context: Context, variables: bool) -> bool:
    return matcher(expand(wanted, context, variables=variables))(found)


def _arn_like(wanted: str, found: str, context: Context, variables: bool) -> bool:
    return arn_like(wanted, found, context, variables=variables)


def _plain(wanted: str, kind: str) -> str:
    if "${" in wanted:
        raise UnsupportedPolicyError(f"{kind} condition value {wanted!r}: policy variables belong to strings and ARNs")
    return wanted


def _bool(wanted: str, found: str, _context: Context, _variables: bool) -> bool:
    if _plain(wanted, "Bool").lower() not in ("true", "false"):
        raise UnsupportedPolicyError(f"Bool condition value {wanted!r} is neither true nor false")
    return wanted.lower() == found.lower()


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _numeric(compare: Callable[[Decimal, Decimal], bool]) -> Compare:
    def holds(wanted: str, found: str, _context: Context, _variables: bool) -> bool:
        limit, value = _number(_plain(wanted, "Numeric")), _number(found)
        if limit is None:
            raise UnsupportedPolicyError(f"Numeric condition value {wanted!r} is not a number")
        return value is not None and compare(value, limit)

    return holds


def _moment(text: str) -> datetime | None:
    """Read W3C ISO 8601 or epoch seconds; a time without a zone is UTC."""
    try:
        if (number := _number(text)) is not None:  # up to 9999 it is a year, as ISO 8601 allows
            return (
                datetime.fromtimestamp(float(number), UTC) if number > 9999 else datetime(int(number), 1, 1, tzinfo=UTC)
            )
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _date(compare: Callable[[datetime, datetime], bool]) -> Compare:
    def holds(wanted: str, found: str, _context: Context, _variables: bool) -> bool:
        limit, value = _moment(_plain(wanted, "Date")), _moment(found)
        if limit is None:
            raise UnsupportedPolicyError(f"Date condition value {wanted!r} is neither ISO 8601 nor epoch seconds")
        return value is not None and compare(value, limit)

    return holds


def _ip_address(wanted: str, found: str, _context: Context, _variables: bool) -> bool:
    block = _plain(wanted, "IpAddress")
    try:
        network = ipaddress.ip_network(block, strict=False)
    except ValueError as error:
        raise UnsupportedPolicyError(f"IpAddress condition value {wanted!r} is not an address or CIDR block") from error
    try:
        return ipaddress.ip_address(found) in network
    except ValueError:
        return False


_OPERATORS: dict[str, _Operator] = {
    "StringEquals": _Operator(_string_equals),
    "StringNotEquals": _Operator(_string_equals, negated=True),
    "StringEqualsIgnoreCase": _Operator(_string_equals_ignore_case),
    "StringNotEqualsIgnoreCase": _Operator(_string_equals_ignore_case, negated=True),
    "StringLike": _Operator(_string_like),
    "StringNotLike": _Operator(_string_like, negated=True),
    "ArnEquals": _Operator(_arn_like),
    "ArnLike": _Operator(_arn_like),
    "ArnNotEquals": _Operator(_arn_like, negated=True),
    "ArnNotLike": _Operator(_arn_like, negated=True),
    "Bool": _Operator(_bool),
    "NumericEquals": _Operator(_numeric(eq)),
    "NumericNotEquals": _Operator(_numeric(eq), negated=True),
    "NumericLessThan": _Operator(_numeric(lt)),
    "NumericLessThanEquals": _Operator(_numeric(le)),
    "NumericGreaterThan": _Operator(_numeric(gt)),
    "NumericGreaterThanEquals": _Operator(_numeric(ge)),
    "DateEquals": _Operator(_date(eq)),
    "DateNotEquals": _Operator(_date(eq), negated=True),
    "DateLessThan": _Operator(_date(lt)),
    "DateLessThanEquals": _Operator(_date(le)),
    "DateGreaterThan": _Operator(_date(gt)),
    "DateGreaterThanEquals": _Operator(_date(ge)),
    "IpAddress": _Operator(_ip_address),
    "NotIpAddress": _Operator(_ip_address, negated=True),
}
_QUANTIFIERS = ("ForAllValues", "ForAnyValue")


def holds(condition: Mapping[str, object], context: Context, *, variables: bool) -> bool:
    """Return whether a Condition element is met by the request; raises UnsupportedPolicyError on what it does not know.

    Every block is read before the answer, so an unknown operator is found even behind one that fails. A variable
    without a value fails its block.
    """
    results = []
    for name, block in condition.items():
        if not isinstance(block, Mapping):
            raise UnsupportedPolicyError(f"condition operator {name} does not hold an object of keys")
        for key, wanted in block.items():
            values = values_of(wanted, f"condition {name} {key}")
            try:
                results.append(_test(name, str(key), values, context, variables))
            except UnresolvedVariableError:
                results.append(False)
    return all(results)


def values_of(wanted: object, where: str) -> tuple[str, ...]:
    """Read one value or a list of them as IAM does: JSON booleans and numbers count as their text."""
    items: Sequence[object] = wanted if isinstance(wanted, (list, tuple)) else (wanted,)
    texts = []
    for item in items:
        if isinstance(item, bool):
            texts.append("true" if item else "false")
        elif isinstance(item, (str, int, float)):
            texts.append(str(item))
        else:
            raise UnsupportedPolicyError(f"{where}: a value is neither text, number nor boolean")
    return tuple(texts)


def _test(name: str, key: str, wanted: tuple[str, ...], context: Context, variables: bool) -> bool:
    found = context.get(key)
    if name == "Null":
        # every wanted value is an alternative, so ["true", "false"] always holds
        return any(_bool(value, str(not found).lower(), context, False) for value in wanted)
    quantifier, _, bare = name.rpartition(":")
    if quantifier and quantifier not in _QUANTIFIERS:
        raise UnsupportedPolicyError(f"condition operator {name}: unknown prefix {quantifier}")
    base = bare.removesuffix("IfExists")
    operator = _OPERATORS.get(base)
    if operator is None:
        raise UnsupportedPolicyError(f"condition operator {name} is not known")
    if not found:
        return _missing(operator, quantifier, if_exists=base != bare)
    if not quantifier and len(found) > 1:
        raise UnsupportedPolicyError(
            f"condition {name} {key}: a key with several values needs ForAllValues or ForAnyValue"
        )

    def passes(value: str) -> bool:
        matched = [operator.holds(limit, value, context, variables) for limit in wanted]
        return any(matched) is not operator.negated

    outcomes = [passes(value) for value in found]
    return any(outcomes) if quantifier == "ForAnyValue" else all(outcomes)


def _missing(operator: _Operator, quantifier: str, *, if_exists: bool) -> bool:
    if if_exists or quantifier == "ForAllValues":
        return True
    return operator.negated and quantifier != "ForAnyValue"
