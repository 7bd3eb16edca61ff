"""How far the sending of a step is: each call is counted, of all that the step has."""

from __future__ import annotations

from tests.support.builders import NOW, rollout
from tests.support.in_memory_cloud import Cloud, Memory, run


def test_every_call_is_counted_of_the_calls_of_its_step() -> None:
    cloud, seen = Cloud(NOW), list[tuple[int, int]]()

    report = run(cloud, Memory(), rollout(), counted=lambda sent, total: seen.append((sent, total)))

    assert len(seen) == len(cloud.sent) > 1
    assert all(sent <= total for sent, total in seen)
    assert seen[0][0] == 1
    assert [r.error for r in report.rollouts] == [""]
