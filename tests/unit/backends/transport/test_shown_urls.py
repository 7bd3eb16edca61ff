"""Of a URL in the words of a service nothing is left that lets someone in."""

from __future__ import annotations

import pytest

from otactl.backends.transport.shown_urls import without_credentials


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "GET https://b.s3.amazonaws.com/a.bin?X-Amz-Signature=abc&x=1 failed",
            "GET https://b.s3.amazonaws.com/a.bin?… failed",
        ),
        ("HTTPS://B.example/a?sig=abc", "HTTPS://B.example/a?…"),
        ("mqtts://device:pass@w0rd@broker:8883 refused", "mqtts://broker:8883 refused"),
        ("see <https://a/b#access_token=abc>", "see <https://a/b?…>"),
        ('{"url":"https://a/b?c=d","code":1}', '{"url":"https://a/b?…","code":1}'),
        ("two https://a/?b https://c/?d", "two https://a/?… https://c/?…"),
        ("aborted: 0x0000000e", "aborted: 0x0000000e"),
        ("why? who@home", "why? who@home"),
        ("", ""),
    ],
)
def test_a_url_keeps_its_host_and_path_alone(said: str, shown: str) -> None:
    assert without_credentials(said) == shown
