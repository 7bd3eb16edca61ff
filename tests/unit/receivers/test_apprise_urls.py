"""Notices by Apprise's own plugin for JSON, to a receiver on loopback."""

from __future__ import annotations

import json

import pytest

from otactl.model.notices import Notice, NoticeKind
from otactl.receivers.apprise_urls import send
from otactl.receivers.secrets import NotUsableError
from tests.support.builders import NOW
from tests.support.http_receiver import receiving

NOTICE = Notice(
    id="ab" * 16, kind=NoticeKind.FAILED, at=NOW, rollout="soil", reason="Failed", message="wave canary: 25 % succeeded"
)
VARIABLE = "OTACTL_NOTICE_CHAT"
pytestmark = pytest.mark.server


def test_a_notice_reaches_what_the_variable_names() -> None:
    with receiving() as server:
        environ = {VARIABLE: server.url.replace("http://", "json://ada:s3cret@")}
        assert send(VARIABLE, NOTICE, "prod-eu", environ, 10.0).problem == ""

    (came,) = server.requests
    body = json.loads(came.body)
    assert (body["title"], body["type"]) == ("otactl prod-eu/soil: failed", "failure")
    assert body["message"].startswith("Failed: wave canary: 25 % succeeded")
    assert f"event {NOTICE.id}" in body["message"]


def test_a_receiver_that_refuses_is_a_problem_without_its_url(capsys: pytest.CaptureFixture[str]) -> None:
    with receiving(lambda _: 500) as server:
        environ = {VARIABLE: server.url.replace("http://", "json://ada:s3cret@")}
        came = send(VARIABLE, NOTICE, "prod-eu", environ, 10.0)

    assert came.problem == "one of its URLs did not accept the notice"
    printed = capsys.readouterr()
    assert "s3cret" not in printed.out + printed.err


@pytest.mark.parametrize(
    ("variable", "value", "reported"),
    [
        (VARIABLE, "", "NoticeSecretMissing: OTACTL_NOTICE_CHAT is not set"),
        (VARIABLE, "nonsense", "NoticeSecretMissing: OTACTL_NOTICE_CHAT must hold URLs"),
        ("AWS_SECRET_ACCESS_KEY", "json://h", "is no variable for notices"),
        ("OTACTL_JOURNAL", "json://h", "is no variable for notices"),
    ],
)
def test_a_variable_that_is_not_for_notices_or_holds_no_url_is_refused(
    variable: str, value: str, reported: str
) -> None:
    with pytest.raises(NotUsableError, match=reported):
        send(variable, NOTICE, "prod-eu", {variable: value}, 10.0)
