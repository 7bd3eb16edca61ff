"""A request to a receiver ends in time, follows nothing, and keeps its secrets."""

from __future__ import annotations

import socket
import time

import pytest

from otactl.backends.transport.bounded_request import NoAnswerError, status_of
from tests.support.http_receiver import Behaviour, receiving

pytestmark = pytest.mark.server


@pytest.mark.parametrize("status", [200, 204, 404, 500])
def test_the_status_of_the_answer_comes_back(status: int) -> None:
    with receiving(lambda _: status) as receiver:
        assert status_of("PUT", f"{receiver.url}/a", b"body", {"X-Name": "value"}, 5) == status

    (came,) = receiver.requests
    assert (came.method, came.path, came.body, came.headers["X-Name"]) == ("PUT", "/a", b"body", "value")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_the_answer_and_is_not_followed(status: int) -> None:
    with receiving(lambda _: status) as receiver:
        assert status_of("POST", receiver.url, b"", {}, 5) == status

    assert [came.path for came in receiver.requests] == ["/"]


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_a_receiver_that_hangs_or_drips_takes_no_longer_than_its_time(behaviour: Behaviour) -> None:
    with receiving(lambda _: behaviour) as receiver:
        started = time.monotonic()
        with pytest.raises(NoAnswerError, match=r"no answer within 0.2 s|TimeoutError"):
            status_of("POST", receiver.url, b"", {}, 0.2)

        assert time.monotonic() - started < 30  # it would be 60, or never


def test_a_lost_answer_and_a_closed_port_are_named_without_the_url() -> None:
    with receiving(lambda _: "lose") as receiver, pytest.raises(NoAnswerError) as lost:
        status_of("POST", f"{receiver.url}/secret-path", b"", {}, 5)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(NoAnswerError, match="ConnectionRefusedError") as refused:
        status_of("POST", f"http://127.0.0.1:{port}/secret-path", b"", {}, 5)

    assert "secret" not in f"{lost.value} {refused.value}"
