"""Whatever a record holds, the JSON the journal keeps gives it back equal."""

from __future__ import annotations

import types
import typing
from datetime import UTC, datetime
from enum import Enum

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otactl.model import Event, Json, Record, Value

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=3,
)
_PLAIN: dict[object, st.SearchStrategy[typing.Any]] = {
    str: st.text(max_size=12),
    int: st.integers(),
    bool: st.booleans(),
    float: _NUMBERS,
    object: _JSON,
    Json: _JSON,
    types.NoneType: st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


def _values(declared: object) -> st.SearchStrategy[typing.Any]:
    """Every value of a declared type, struct by struct and field by field, so that a new field is covered too."""
    if declared in _PLAIN:
        return _PLAIN[declared]
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([_values(a) for a in arguments])
    if origin is tuple:
        many = 2 if arguments[0] in _PLAIN else 1  # values within values grow fast, and a second one tells nothing new
        return st.lists(_values(arguments[0]), max_size=many).map(tuple)
    if origin is dict:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=2)
    assert isinstance(declared, type), declared
    if issubclass(declared, Enum):
        return st.sampled_from(declared)
    assert issubclass(declared, Value), declared
    fields = {f.name: _values(f.type) for f in msgspec.structs.fields(declared)}
    return st.builds(declared, **fields)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a record has many fields, and machines are busy
@given(_values(Record))
def test_any_record_survives_the_journal(record: Record) -> None:
    assert msgspec.json.decode(msgspec.json.encode(record), type=Record) == record


@given(_values(Event))
def test_any_event_survives_the_journal(event: Event) -> None:
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event


def test_a_field_of_a_newer_version_is_refused_and_not_dropped() -> None:
    with pytest.raises(msgspec.ValidationError, match="newer"):
        msgspec.json.decode(b'{"environment":"e","name":"n","newer":1}', type=Record)
