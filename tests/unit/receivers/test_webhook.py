"""A webhook gets a CloudEvent that the SDK reads, with a signature that a foreign library verifies."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from otactl.backends.transport.allowed_hosts import must_be_named
from otactl.errors import StalledError
from otactl.model import Environment
from otactl.model.notices import Notice, NoticeKind, Receiver, Webhook
from otactl.receivers import sender_for
from otactl.receivers.webhook import TYPES, body_of
from otactl.reconcile.deliver import Sent
from tests.support.builders import ENVIRONMENT, NOW
from tests.support.http_receiver import Behaviour, receiving
from tests.support.http_receiver import Receiver as Server
from tests.support.report_values import validated

KEY = base64.b64encode(b"a key of at least 24 bytes, say").decode()
NOTICE = Notice(
    id="0123456789abcdef0123456789abcdef",
    kind=NoticeKind.HELD,
    at=NOW,
    rollout="soil",
    reason="role_is_missing",
    message="the rôle is \ud800 missing",
    version="2.4.1",
    phase="Progressing",
    to=("ops",),
)
pytestmark = pytest.mark.server


def sent(
    url: str,
    server: Server | None = None,
    notice: Notice = NOTICE,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    **environ: str,
) -> Sent:
    receiver = Receiver(name="ops", webhook=Webhook(url=url, secret="OTACTL_NOTICE_SECRET"))
    home = Environment(
        **{f: getattr(ENVIRONMENT, f) for f in ENVIRONMENT.__struct_fields__ if f != "notices"}, notices=(receiver,)
    )
    allowed = server.url.removeprefix("http://") if server is not None else ""
    known = {"OTACTL_NOTICE_SECRET": f"whsec_{KEY}", "OTACTL_ALLOWED_HOSTS": allowed, **environ}
    send = sender_for(home, known, now)
    return send(receiver, notice, 5.0)


def test_the_event_is_a_cloudevent_whose_signature_a_foreign_library_verifies() -> None:
    with receiving(lambda _: 204) as server:
        assert sent(f"{server.url}/hook", server) == Sent()

    (came,) = server.requests
    event = from_structured_event(HTTPMessage(dict(came.headers), came.body))
    assert (event.get_id(), event.get_type(), event.get_source()) == (
        NOTICE.id,
        TYPES[NoticeKind.HELD],
        "/otactl/prod-eu",
    )
    assert (event.get_subject(), event.get_time()) == ("soil", NOW)
    data = event.get_data()
    assert (data["rollout"], data["reason"], data["environment"]) == ("soil", "role_is_missing", "prod-eu")
    assert data["wayOut"]
    headers = {name.lower(): value for name, value in came.headers.items()}
    verifier = Verifier(KEY)
    assert verifier.verify(came.body, headers)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(came.body.replace(b"soil", b"sail"), headers)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(came.body, {**headers, "webhook-timestamp": "1"})


def test_a_signature_is_dated_by_the_clock_that_is_given() -> None:
    with receiving(lambda _: 204) as server:
        assert sent(f"{server.url}/hook", server, now=lambda: NOW) == Sent()

    (came,) = server.requests
    headers = {name.lower(): value for name, value in came.headers.items()}
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_each_kind_has_a_type_of_its_own(kind: NoticeKind) -> None:
    assert [k for k, v in TYPES.items() if v == TYPES[kind]] == [kind]


@pytest.mark.parametrize("kind", list(NoticeKind))
@pytest.mark.parametrize("rollout", ["soil", ""])
def test_an_event_is_as_its_schema_says(kind: NoticeKind, rollout: str) -> None:
    notice = msgspec.structs.replace(NOTICE, kind=kind, rollout=rollout, version=rollout and "2.4.1", phase="")

    validated(body_of(notice, "prod-eu").decode(), "notice")


def test_the_same_notice_is_the_same_bytes() -> None:
    assert body_of(NOTICE, "prod-eu") == body_of(NOTICE, "prod-eu")


@pytest.mark.parametrize(
    ("behaviour", "problem", "silent"),
    [
        (500, "it answered 500", False),
        (410, "it answered 410", False),
        (307, "it answered 307", False),
        ("lose", "no", True),
    ],
)
def test_anything_but_2xx_is_not_accepted(behaviour: Behaviour, problem: str, silent: bool) -> None:
    with receiving(lambda _: behaviour) as server:
        came = sent(server.url, server)

    assert problem in came.problem
    assert came.silent is silent
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("environ", "reported"),
    [
        ({"OTACTL_ALLOWED_HOSTS": ""}, "HostNotAllowed: spec.notices.webhook.url: 127.0.0.1:"),
        ({"OTACTL_ALLOWED_HOSTS": "127.0.0.1"}, "HostNotAllowed"),
        ({"OTACTL_NOTICE_SECRET": ""}, "NoticeSecretMissing: OTACTL_NOTICE_SECRET is not set"),
        ({"OTACTL_NOTICE_SECRET": "whsec_x"}, "NoticeSecretMissing: what follows whsec_"),
    ],
)
def test_nothing_is_sent_to_a_host_that_is_not_named_or_without_a_secret(
    environ: dict[str, str], reported: str
) -> None:
    with receiving() as server:
        came = sent(server.url, server, **environ)

    assert reported in came.problem
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "allowed", "passes"),
    [
        ("https://hooks.example.com/x", "hooks.example.com", True),
        ("https://hooks.example.com:443/x", "other, HOOKS.example.com.", True),
        ("https://hooks.example.com:8443/x", "hooks.example.com", False),
        ("https://hooks.example.com:8443/x", "hooks.example.com:8443", True),
        ("https://hooks.example.com.evil.net/", "hooks.example.com", False),
        ("https://evil.net/hooks.example.com", "hooks.example.com", False),
        ("http://hooks.example.com/", "hooks.example.com", False),
        ("http://hooks.example.com/", "hooks.example.com:80", False),
        ("https://169.254.169.254/latest", "", False),
        ("http://127.0.0.1:8080/", "", False),
        ("http://127.0.0.1:8080/", "127.0.0.1", False),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080", True),
        ("http://[::1]:8080/", "[::1]:8080", True),
        ("https://host:port/", "host", False),
        ("ftp://hooks.example.com/", "hooks.example.com", False),
    ],
)
def test_the_operator_names_host_and_port(url: str, allowed: str, passes: bool) -> None:
    def check() -> None:
        must_be_named("spec.notices.webhook.url", url, {"OTACTL_ALLOWED_HOSTS": allowed})

    if passes:
        check()
        return
    with pytest.raises(StalledError) as refused:
        check()
    assert refused.value.reason == "HostNotAllowed"
