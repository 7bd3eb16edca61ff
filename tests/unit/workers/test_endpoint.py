"""Health, readiness and metrics are answered on loopback, and nothing else is."""

from __future__ import annotations

import http.client
import json

import pytest

from otactl.errors import UsageError
from otactl.workers.endpoint import Answers, address_of, serving


def ask(address: str, path: str, host: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address)
    connection.request("GET", path, headers={"Host": host} if host is not None else {})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def answers(*, ok: bool) -> Answers:
    return Answers(lambda: {"ok": ok, "worker": "w"}, lambda: {"ok": ok}, lambda: b"otactl_up 1\n")


@pytest.mark.parametrize(("ok", "status"), [(True, 200), (False, 503)])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_state_is_reported_by_the_status_of_the_answer(path: str, ok: bool, status: int) -> None:
    with serving(("127.0.0.1", 0), answers(ok=ok)) as address:
        found, body = ask(address, path)
    assert (found, json.loads(body)["ok"]) == (status, ok)


def test_metrics_are_on_the_same_port() -> None:
    with serving(("127.0.0.1", 0), answers(ok=True)) as address:
        assert ask(address, "/metrics") == (200, b"otactl_up 1\n")
        assert ask(address, "/")[0] == 404


def test_a_request_that_names_another_host_is_refused_on_loopback() -> None:
    with serving(("127.0.0.1", 0), answers(ok=True)) as address:
        port = address.rpartition(":")[2]
        assert ask(address, "/metrics", f"evil.example:{port}")[0] == 421
        assert ask(address, "/metrics", f"localhost:{port}")[0] == 200


def test_a_port_that_is_taken_is_one_clear_error() -> None:
    with serving(("127.0.0.1", 0), answers(ok=True)) as address:
        host, _, port = address.rpartition(":")
        with pytest.raises(UsageError, match="choose another --listen"), serving((host, int(port)), answers(ok=True)):
            pass


@pytest.mark.parametrize(("text", "found"), [("127.0.0.1:9464", ("127.0.0.1", 9464)), ("[::1]:0", ("::1", 0))])
def test_an_address_is_an_ip_address_and_a_port(text: str, found: tuple[str, int]) -> None:
    assert address_of(text) == found


@pytest.mark.parametrize("text", ["9464", "localhost:9464", "127.0.0.1:", "127.0.0.1:99999", ":9464"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="write ADDRESS:PORT, such as"):
        address_of(text)
