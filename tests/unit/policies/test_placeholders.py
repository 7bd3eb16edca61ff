"""What stands for a value of the user's is found wherever it is, and nothing else is."""

from __future__ import annotations

import pytest

from otactl.policies import placeholders


@pytest.mark.parametrize(
    "text",
    [
        "your-canary-group-id",
        "s3://your-bucket/probe.bin",
        f"s3://acme-firmware/{'0' * 64}/image.bin",
        "0" * 64,
        "000000000000",
        "arn:aws:iam::000000000000:role/firmware-update",
        "https://your-instance.example/",
        "REPLACEME",
        "eW91ci1zaWduYXR1cmU=",  # your-signature
    ],
)
def test_a_placeholder_is_found_with_its_pointer(text: str) -> None:
    (found,) = placeholders({"spec": {"a/b": [{"c": "mine"}, {"c": text}]}})

    assert (found.pointer, found.code, found.severity) == ("/spec/a~1b/1/c", "placeholder_not_replaced", "error")


@pytest.mark.parametrize(
    "text",
    [
        "yours-1",
        "all-your-base",
        "123456789012",
        "0000000000001",
        "eW91cg==",  # your
        "eW91ci",  # no base64
        "3f0c1d52-0d1f-4e6e-9f6a-000000000000",
        f"0{'0' * 63}1",
    ],
)
def test_a_value_of_the_users_own_is_none(text: str) -> None:
    assert list(placeholders({"metadata": {"name": "your-rollout"}, "spec": {"a": text, "b": 0, "c": None}})) == []
