"""Schema failures that are about choice, as a person would tell them: one of several fields, shapes or names.

1. "Exactly one of" names the fields that are there, or those that could be.
2. Of several possible shapes the one that was meant is judged, by its type; the others are not mentioned.
3. An unknown field comes with the one that was probably meant, or the place where a field of that name belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from otactl.backends.registry import BACKENDS
from otactl.manifest import schema
from otactl.manifest.faults import Fault
from otactl.manifest.phrases import did_you_mean, example, kind_of, listed, nearest, printable, quoted, type_names
from otactl.manifest.positions import Place, dotted
from otactl.manifest.schema import Failure

Teller = Callable[[Failure, Place], Iterator[Fault]]

_BLOCKS = (
    ("spec", "rollout", "#/$defs/spec"),
    ("spec.firmware", "rollout", "#/$defs/firmware"),
    ("spec.strategy", "strategy", ""),
    ("spec.strategy.gate", "strategy", "#/$defs/gate"),
    ("spec.strategy.waves[]", "strategy", "#/$defs/wave"),
)


def unknown_field(failure: Failure, _root: Place) -> Iterator[Fault]:
    """Yield the fields that the schema does not know."""
    known = list(failure.schema.get("properties", {}))
    where = dotted(failure.path)
    for name in failure.instance:
        if name in known:
            continue
        hint = did_you_mean(name, known)
        if name == "<<":
            hint = "merge keys (<<) are YAML 1.1: write the fields out"
        elif nearest(name, known) is None and name in _homes():
            hint = f"{name} belongs in {_homes()[name]}"
        if (instead := failure.schema.get("x-lacks", {}).get(name)) is not None:
            yield Fault((*failure.path, name), "service_lacks", f"{where}: {instead[0]}", instead[1], key=True)
            continue
        yield Fault((*failure.path, name), "unknown_field", f"{where} has no field {printable(name)}", hint, key=True)


@cache
def _homes() -> dict[str, str]:
    """Return where each field of a rollout belongs, by its name alone; the first of several."""
    found: dict[str, str] = {}
    backends = ((f"spec.{kind}", kind, "") for kind in BACKENDS)
    for home, name, reference in (*_BLOCKS[:2], *backends, *_BLOCKS[2:]):
        block, _ = schema.resolve(reference, name)
        properties = block.get("properties")
        if isinstance(properties, dict):
            for field in properties:
                found.setdefault(field, home)
    return found


def one_of(failure: Failure, _root: Place) -> Iterator[Fault]:
    """Yield a fault where not exactly one of several fields is given."""
    if not isinstance(failure.instance, dict):
        return  # its type is reported already
    path, where = failure.path, dotted(failure.path)
    choices: list[list[str]] = [list(branch["required"]) for branch in failure.limit]
    there = [choice for choice in choices if all(name in failure.instance for name in choice)]
    if not there:
        phrases = [" with ".join(choice) for choice in choices]
        yield Fault(
            path, "missing_field", f"{where} has none of {', '.join(phrases)}", f"add {listed(phrases, 'or')}", key=True
        )
        return
    names = [choice[0] for choice in there]
    both = f"both {listed(names)}" if len(names) == 2 else listed(names)
    last = next(name for name in reversed(failure.instance) if name in names)
    yield Fault((*path, last), "too_many_choices", f"{where} has {both}; keep one", "", key=True)


def any_of(failure: Failure, root: Place, tell: Teller) -> Iterator[Fault]:
    """Yield what is wrong with the shape that was meant."""
    branches: dict[int, list[Failure]] = {}
    for child in failure.context:
        branches.setdefault(child.branch, []).append(child)
    wrong_types = [each for found in branches.values() for each in found if each.keyword == "type" and each.whole]
    meant = [found for found in branches.values() if not any(each in wrong_types for each in found)]
    if meant:
        for child in min(meant, key=len):
            yield from tell(child, root)
        return
    place, where = root.at(failure.path), dotted(failure.path)
    types = [str(each.limit) for each in wrong_types]
    if "string" in types and place is not None and place.text and isinstance(failure.instance, bool | int | float):
        text = f"{where} {printable(place.text)} is read as {quoted(failure.instance)}, not as text"
        yield Fault(failure.path, "text_is_not_quoted", text, f'put it in quotes: "{printable(place.text)}"')
        return
    message = f"{where} is {kind_of(failure.instance)}; it must be {type_names(types)}"
    yield Fault(failure.path, "wrong_type", message, example(failure.examples))


def unknown_value(failure: Failure, _root: Place) -> Iterator[Fault]:
    """Yield a fault that lists the allowed values."""
    allowed = failure.limit if isinstance(failure.limit, list) else [failure.limit]
    choices = [str(value) for value in allowed]
    near = nearest(failure.instance, choices) if isinstance(failure.instance, str) else None
    expected = f"one of {', '.join(choices)}" if len(choices) > 1 else "".join(choices)
    message = f"{dotted(failure.path)} is {kind_of(failure.instance)}; it must be {expected}"
    yield Fault(failure.path, "unknown_value", message, f"did you mean {near}?" if near else "")
