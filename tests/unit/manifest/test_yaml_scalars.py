"""Bare scalars mean what the core schema of YAML 1.2 says, not what YAML 1.1 said."""

from __future__ import annotations

import pytest

from otactl.manifest.yaml_scalars import NumberError, resolve

MEANINGS: list[tuple[str, object]] = [
    ("", None),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("nULL", "nULL"),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("tRUE", "tRUE"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("NO", "NO"),
    ("0", 0),
    ("-12", -12),
    ("+12", 12),
    ("017", 17),
    ("0o17", 15),
    ("0x1F", 31),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("190:20:30", "190:20:30"),
    ("12:30", "12:30"),
    ("2027-01-01", "2027-01-01"),
    ("2.4.1", "2.4.1"),
    ("2.10", 2.1),
    (".5", 0.5),
    ("5.", 5),
    ("1e3", 1000),
    ("112.0", 112),
    ("-0.0", 0),
    ("-1.5E-2", -0.015),
    ("1e", "1e"),
    (".", "."),
    ("<<", "<<"),
    ("=", "="),
    ("EU868", "EU868"),
    ("٣", "٣"),
    ("-", "-"),
    ("0o8", "0o8"),
    ("0x", "0x"),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS, ids=[text or "empty" for text, _ in MEANINGS])
def test_a_bare_scalar_means(text: str, meaning: object) -> None:
    value = resolve(text)
    assert value == meaning
    assert type(value) is type(meaning)


@pytest.mark.parametrize(
    "text", [".inf", "-.Inf", ".nan", ".NaN", "1e999", "1e300", "9223372036854775808", "0x" + "f" * 99, "1" * 9999]
)
def test_a_number_no_field_can_hold_is_refused(text: str) -> None:
    with pytest.raises(NumberError):
        resolve(text)
