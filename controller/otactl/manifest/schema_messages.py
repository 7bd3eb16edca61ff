"""Words schema failures for people: a code, a sentence and a hint each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from otactl.manifest.faults import Fault
from otactl.manifest.phrases import did_you_mean, example, kind_of, printable, quoted, type_names
from otactl.manifest.positions import Place, dotted, shown_key
from otactl.manifest.schema import Failure
from otactl.manifest.schema_choices import Teller, any_of, one_of, unknown_field, unknown_value
from otactl.wording import count

_NAIVE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def tell(failures: Sequence[Failure], root: Place) -> list[Fault]:
    """Yield every error of a document, each once; for a text that is too long, not its letters as well."""
    found = dict.fromkeys(fault for failure in failures for fault in _tell(failure, root))
    long = {fault.path for fault in found if fault.code == "too_long"}
    return [fault for fault in found if not (fault.code == "bad_format" and fault.path in long)]


def _tell(failure: Failure, root: Place) -> Iterator[Fault]:
    if failure.in_names:
        yield _bad_name(failure)
    elif failure.keyword == "anyOf":
        yield from any_of(failure, root, _tell)
    elif failure.keyword in _TELLERS:
        yield from _TELLERS[failure.keyword](failure, root)
    else:
        yield Fault(failure.path, "not_valid", f"{dotted(failure.path)} is not valid: {printable(failure.message)}")


def _bad_name(failure: Failure) -> Fault:
    name, where = str(failure.instance), dotted(failure.path)
    path = (*failure.path, name)
    if failure.keyword == "enum":
        hint = did_you_mean(name, [str(each) for each in failure.limit])
        return Fault(path, "unknown_field", f"{where} has no field {printable(name)}", hint, key=True)
    rules = {"maxLength": f"is longer than {failure.limit} characters", "minLength": "is empty"}
    rule = rules.get(failure.keyword) or failure.schema.get("patternErrorMessage") or "is not allowed"
    return Fault(path, "bad_name", f"in {where} the name {quoted(name)} {rule}", key=True)


def _type(failure: Failure, root: Place) -> Iterator[Fault]:
    wanted = [failure.limit] if isinstance(failure.limit, str) else list(failure.limit)
    path, value, name = failure.path, failure.instance, dotted(failure.path)
    place = root.at(path)
    bare = place.text if place is not None else None
    if "string" in wanted and bare and isinstance(value, bool | int | float):
        read = quoted(value) if isinstance(value, bool) else f"the number {value}"
        field = f"{shown_key(path[-1])}: " if path and isinstance(path[-1], str) else ""
        message = f"{name} {printable(bare)} is read as {read}, not as text"
        yield Fault(path, "text_is_not_quoted", message, f'put it in quotes: {field}"{printable(bare)}"')
        return
    expected, hint = type_names(wanted), example(failure.examples)
    if value is None:
        hint = hint or "give a value, or remove the field"
        yield Fault(path, "wrong_type", f"{name} is empty; it must be {expected}", hint)
        return
    if isinstance(value, str) and "boolean" in wanted:
        hint = "write true or false"
    elif isinstance(value, str) and {"integer", "number"} & set(wanted) and _NUMBER.fullmatch(value):
        hint = "remove the quotes"
    yield Fault(path, "wrong_type", f"{name} is {kind_of(value)}; it must be {expected}", hint)


def _required(failure: Failure, _root: Place) -> Iterator[Fault]:
    properties = failure.schema.get("properties", {})
    for name in failure.limit:
        if name not in failure.instance:
            described = properties.get(name, {})
            shown = described.get("examples") or described.get("enum")
            hint = f"add {name}" + (f", for example {name}: {quoted(shown[0])}" if shown else "")
            message = f"{dotted(failure.path)} has no {name}"
            yield Fault(failure.path, "missing_field", message, hint, key=True, missing=name)


def _depends(failure: Failure, _root: Place) -> Iterator[Fault]:
    for name, needed in failure.limit.items():
        path = (*failure.path, name)
        for other in needed:
            if name in failure.instance and other not in failure.instance:
                yield Fault(path, "missing_field", f"{dotted(path)} needs {other} beside it", f"add {other}", key=True)


def _pattern(failure: Failure, _root: Place) -> Iterator[Fault]:
    path, value, name = failure.path, str(failure.instance), dotted(failure.path)
    if failure.schema.get("format") == "date-time" and _NAIVE.fullmatch(value):
        hint = "write an explicit zone: 2027-01-01T00:00:00Z or 2027-01-01T00:00:00+01:00"
        yield Fault(path, "time_without_zone", f"{name} {quoted(value)} has no time zone", hint)
        return
    rule = failure.schema.get("patternErrorMessage") or f"must match {failure.limit}"
    yield Fault(path, "bad_format", f"{name} {rule}; it is {quoted(value)}", example(failure.examples))


def _length(failure: Failure, _root: Place) -> Iterator[Fault]:
    name = dotted(failure.path)
    if failure.keyword == "minLength":
        yield Fault(failure.path, "is_empty", f"{name} is empty", example(failure.examples))
    else:
        message = f"{name} has {len(failure.instance)} characters, the limit is {failure.limit}"
        yield Fault(failure.path, "too_long", message)


def _range(failure: Failure, _root: Place) -> Iterator[Fault]:
    bounds = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
    bound = bounds.get(failure.keyword, "less than")
    message = f"{dotted(failure.path)} is {failure.instance}; it must be {bound} {failure.limit}"
    yield Fault(failure.path, "out_of_range", message)


def _multiple(failure: Failure, _root: Place) -> Iterator[Fault]:
    step = int(failure.limit)
    near = max(step, round(failure.instance / step) * step)
    message = f"{dotted(failure.path)} is {failure.instance}; it must be a multiple of {step}"
    yield Fault(failure.path, "not_a_multiple", message, f"for example {near}")


def _count(failure: Failure, _root: Place) -> Iterator[Fault]:
    name = dotted(failure.path)
    if failure.keyword in ("minItems", "minProperties"):
        hint = example(failure.examples) or "give a value, or remove the field"
        yield Fault(failure.path, "is_empty", f"{name} is empty", hint)
    else:
        message = f"{name} has {count(len(failure.instance), 'entry', 'entries')}, the limit is {failure.limit}"
        yield Fault(failure.path, "too_many", message)


def _unique(failure: Failure, _root: Place) -> Iterator[Fault]:
    seen: list[object] = []
    for index, value in enumerate(failure.instance):
        if value in seen:
            message = f"{dotted(failure.path)} names {quoted(value)} twice"
            yield Fault((*failure.path, index), "duplicate_entry", message, "keep one of them")
        seen.append(value)


_TELLERS: dict[str, Teller] = {
    "type": _type,
    "required": _required,
    "dependentRequired": _depends,
    "additionalProperties": unknown_field,
    "enum": unknown_value,
    "const": unknown_value,
    "oneOf": one_of,
    "pattern": _pattern,
    "minLength": _length,
    "maxLength": _length,
    "minimum": _range,
    "maximum": _range,
    "exclusiveMinimum": _range,
    "exclusiveMaximum": _range,
    "multipleOf": _multiple,
    "minItems": _count,
    "maxItems": _count,
    "minProperties": _count,
    "maxProperties": _count,
    "uniqueItems": _unique,
}
