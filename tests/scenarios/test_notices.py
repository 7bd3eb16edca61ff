"""Notices of whole rollouts, on the real command line, to a real receiver."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otactl.cli import cli
from tests.support.demo_stage import set_stage
from tests.support.http_receiver import Behaviour, Received, receiving

pytestmark = pytest.mark.server
NOTICES = """\
  notices:
    - {name: ops, webhook: {url: URL, secret: OTACTL_NOTICE_SECRET}}
    - {name: pager, on: [failed], webhook: {url: URL/pager, secret: OTACTL_NOTICE_SECRET}}
"""


def otactl(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def events_of(requests: list[Received]) -> Counter[tuple[str, str, str]]:
    events = [json.loads(came.body) for came in requests]
    return Counter((e["id"], e["subject"], e["type"].removeprefix("dev.otactl.")) for e in events)


def test_each_event_of_whole_rollouts_comes_once_though_the_receiver_fails_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour: list[Behaviour] = [500]
    with set_stage(tmp_path, monkeypatch) as (_, demo), receiving(lambda _: behaviour[0]) as server:
        monkeypatch.setenv("OTACTL_NOTICE_SECRET", "s3cret-of-the-test")
        place = tmp_path / "rollouts/environments/prod-eu.yaml"
        quiet = [otactl("reconcile", "rollouts").exit_code]
        place.write_text(place.read_text() + NOTICES.replace("URL", server.url))
        assert otactl("validate", "rollouts").exit_code == 0

        codes = []
        for turn in range(6):
            if turn == 3:
                monkeypatch.setenv("OTACTL_ALLOWED_HOSTS", server.url.removeprefix("http://"))
            if turn == 5:
                behaviour[0] = 204
            demo.fleet({})
            demo.pass_time(3600)
            ran = otactl("reconcile", "rollouts")
            codes.append(ran.exit_code)
            assert "s3cret" not in ran.output
            if turn == 2:
                refused = otactl("status").output
                assert server.requests == []
            if turn == 4:
                failing, seen = otactl("status").output, otactl("status", "-o", "json").stdout
        accepted = list(server.requests)
        last = otactl("reconcile", "rollouts")
        assert otactl("status", "-o", "json").stdout.count('"receivers": []') == 1

    assert (quiet, codes, last.exit_code) == ([0], [0] * 6, 0)
    assert "receiver ops accepts nothing since " in refused
    assert "HostNotAllowed" in refused
    assert "it answered 500" in failing
    (receivers,) = [e["receivers"] for e in json.loads(seen)["environments"]]
    assert [(r["name"], r["error"], r["waiting"] > 0) for r in receivers] == [("ops", "it answered 500", True)]
    events = events_of(accepted)
    kinds = Counter(kind for _, _, kind in events)
    assert kinds["rollout.succeeded"] == 4
    assert len({identity for identity, _, _ in events}) == len(events)
    ended = accepted[-len(events) :]
    assert set(events_of(ended).values()) == {1}
    assert {came.path for came in accepted} == {"/"}


@pytest.mark.thorough
def test_a_rehearsal_and_a_plan_send_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with set_stage(tmp_path, monkeypatch) as (_, _demo), receiving() as server:
        monkeypatch.setenv("OTACTL_NOTICE_SECRET", "s3cret-of-the-test")
        monkeypatch.setenv("OTACTL_ALLOWED_HOSTS", server.url.removeprefix("http://"))
        place = tmp_path / "rollouts/environments/prod-eu.yaml"
        place.write_text(place.read_text() + NOTICES.replace("URL", server.url))

        assert otactl("plan", "rollouts", "--exit-code", "0").exit_code == 0
        ran = otactl("rehearse", "rollouts/smart-plug-2-4-1.yaml", "--seeds", "1")

    assert ran.exit_code in (0, 2), ran.output
    assert server.requests == []
