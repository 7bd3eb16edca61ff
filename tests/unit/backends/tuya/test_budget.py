"""What the transport spends and reads whole: listed calls, budget, rate, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from otactl.backends.tuya.client import Stats, TuyaClient
from otactl.errors import StalledError, TransientError
from otactl.model.values import JsonObject
from tests.support.scripted_tuya import NOW, Gateway, environment, good, running, transport

READ, WRITE = "QueryOTAJob", "CreateOTAStaticUpgradeJob"


@pytest.fixture(scope="module")
def gateway_server() -> Iterator[Gateway]:
    """One gateway for this file."""
    with running() as gateway:
        yield gateway


@pytest.fixture
def gateway(gateway_server: Gateway) -> Gateway:
    """The gateway, asked nothing yet."""
    gateway_server.asked.clear()
    gateway_server.lines.clear()
    gateway_server.connections.clear()
    gateway_server.will(good())
    return gateway_server


def spent(sender: TuyaClient, action: str) -> TransientError:
    """The error of a call that the budget does not allow."""
    with pytest.raises(TransientError, match="budget of 50 calls is spent") as caught:
        sender.call(action, {"JobId": "1"}, repeatable=False)
    return caught.value


def test_a_call_that_is_not_listed_is_not_sent(gateway: Gateway) -> None:
    with pytest.raises(StalledError, match="not among the calls") as caught:
        transport(gateway).call("DeleteOTAFirmware", {}, repeatable=False)
    assert caught.value.reason == "CallNotListed"
    assert gateway.asked == []


def test_a_parameter_the_wire_has_no_word_for_is_our_defect(gateway: Gateway) -> None:
    with pytest.raises(StalledError) as caught:
        transport(gateway).call(READ, {"JobId": 1.5}, repeatable=True)
    assert caught.value.reason == "RequestInvalid"


def test_a_fifth_of_the_budget_is_kept_for_writes(gateway: Gateway) -> None:
    sender = transport(gateway, call_budget=50)
    for _ in range(40):
        sender.call(READ, {"JobId": "1"}, repeatable=True)
    assert spent(sender, READ).committed is False
    for _ in range(10):
        sender.call(WRITE, {}, repeatable=False)
    assert spent(sender, WRITE).committed is False
    assert (sender.stats.calls, sender.stats.writes) == (50, 10)
    assert sender.stats.by_operation == {f"tuya:{READ}": 40, f"tuya:{WRITE}": 10}


@pytest.mark.parametrize(
    ("rates", "spacing"),
    [({}, 0.2), ({"tuya:*": 2.0}, 0.5), ({"tuya:*": 2.0, f"tuya:{READ}": 4.0}, 0.25), ({"iot:*": 9.0}, 0.2)],
)
def test_calls_are_spaced_by_the_rate_of_the_environment(
    gateway: Gateway, rates: dict[str, float], spacing: float
) -> None:
    slept: list[float] = []
    sender = TuyaClient(
        environment(gateway.url, call_rates=rates),
        sleep=slept.append,
        monotonic=lambda: 0.0,
        now=lambda: NOW,
        environ={"TUYA_ID": "a", "TUYA_SECRET": "b"},
    )
    for _ in range(3):
        sender.call(READ, {"JobId": "1"}, repeatable=True)
    assert slept == pytest.approx([spacing, 2 * spacing])


def test_pages_are_read_to_the_last(gateway: Gateway) -> None:
    gateway.will(*(good(currentPage=n, pageCount=3, data={"n": n}) for n in (1, 2, 3)))
    pages = list(transport(gateway).pages("ListOTATaskByJob", {"JobId": "1"}, 100))
    assert [page["data"] for page in pages] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [(a["CurrentPage"], a["PageSize"]) for a in gateway.asked] == [("1", "100"), ("2", "100"), ("3", "100")]


@pytest.mark.parametrize("reported", [{"pageCount": "1"}, {"data": {"pageCount": 1}}, {"pageCount": 0}])
def test_the_page_count_is_read_wherever_it_stands(gateway: Gateway, reported: dict[str, object]) -> None:
    gateway.will(good(**reported))
    assert len(list(transport(gateway).pages("ListOTATaskByJob", {}, 10))) == 1


@pytest.mark.parametrize("reported", ["9" * 5000, "\u00b2", "-1", ""])
def test_a_page_count_that_is_no_number_is_refused(gateway: Gateway, reported: str) -> None:
    gateway.will(good(pageCount=reported))

    with pytest.raises(StalledError, match="pageCount"):
        list(transport(gateway).pages("ListOTATaskByJob", {}, 10))


def test_a_list_without_a_page_count_is_not_taken_for_whole(gateway: Gateway) -> None:
    with pytest.raises(StalledError, match="pageCount"):
        list(transport(gateway).pages("ListOTATaskByJob", {}, 10))


def test_a_list_longer_than_the_gateway_shows_is_not_taken_for_whole(gateway: Gateway) -> None:
    gateway.will(good(pageCount=10**6))
    with pytest.raises(StalledError, match="no more than 1000 rows") as caught:
        list(transport(gateway).pages("ListOTATaskByJob", {}, 100, most_rows=1000))
    assert caught.value.reason == "ListTooLong"
    assert len(gateway.asked) == 10


def test_whoever_stands_around_a_call_sees_what_it_is_and_may_stop_it(gateway: Gateway) -> None:
    seen: list[tuple[str, str]] = []

    def around(service: str, action: str, send: Callable[[], JsonObject]) -> JsonObject:
        seen.append((service, action))
        return send()

    environ = {"TUYA_ID": "a", "TUYA_SECRET": "b"}
    with TuyaClient(environment(gateway.url), now=lambda: NOW, environ=environ, around=around) as sender:
        sender.call(READ, {"JobId": "1"}, repeatable=True)
        sender.send(sender.prepare(WRITE, {}))
    assert seen == [("tuya", READ), ("tuya", WRITE)]
    assert len(gateway.asked) == 2


def test_two_transports_may_share_their_count(gateway: Gateway) -> None:
    stats = Stats()
    environ = {"TUYA_ID": "a", "TUYA_SECRET": "b"}
    for _ in range(2):
        with TuyaClient(environment(gateway.url), now=lambda: NOW, environ=environ, stats=stats) as sender:
            sender.call(READ, {"JobId": "1"}, repeatable=True)
    assert stats.calls == 2
