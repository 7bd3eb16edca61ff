"""What was read of a source is divided by environment; a wrong manifest holds back its own environment alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from otactl.cli.unreadable_manifests import unread_of
from otactl.workers.readings import Loaded, ReadRequest, read, slices
from otactl.workers.sources import Snapshot
from tests.support.manifest_texts import GOOD

HOMES = ("env-a", "env-b")


def environment(name: str, **spec: object) -> str:
    said = {"owner": "acme", "account": "123456789012", "region": "eu-west-1", **spec}
    document = {"apiVersion": "otactl.dev/v1", "kind": "Environment", "metadata": {"name": name}, "spec": said}
    return json.dumps(document)


def rollout(name: str, home: str, group: int, **spec: object) -> str:
    document = yaml.safe_load(GOOD)
    document["metadata"]["name"] = name
    document["spec"] |= {"environment": home, **spec}
    document["spec"]["strategy"]["waves"] = [
        {"name": "all", "targets": {"multicastGroups": [f"3f0c1d52-0d1f-4e6e-9f6a-{group:012x}"]}}
    ]
    return json.dumps(document)


@pytest.fixture
def files() -> dict[str, str]:
    """Two environments with two rollouts each."""
    found = {f"rollouts/environments/{name}.json": environment(name) for name in HOMES}
    for number in range(4):
        found[f"rollouts/probe-{number}.json"] = rollout(f"probe-{number}", HOMES[number % 2], number)
    return found


def loaded(place: Path, files: dict[str, str]) -> Loaded:
    root = place / f"at-{len(list(place.iterdir()))}"
    (root / ".git").mkdir(parents=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Loaded(Snapshot(root.name, root), read(ReadRequest(str(root), ("rollouts",))))


def test_each_environment_gets_its_own_rollouts_alone(tmp_path: Path, files: dict[str, str]) -> None:
    found = slices(loaded(tmp_path, files), None)

    assert {name: [r.name for r in part.reading.rollouts] for name, part in found.items()} == {
        "env-a": ["probe-0", "probe-2"],
        "env-b": ["probe-1", "probe-3"],
    }
    assert {part.sharers for part in found.values()} == {2}
    assert {part.kept_back for part in found.values()} == {""}


def test_a_digest_changes_with_the_manifests_of_its_environment_alone(tmp_path: Path, files: dict[str, str]) -> None:
    before = slices(loaded(tmp_path, files), None)
    files["rollouts/probe-1.json"] = rollout("probe-1", "env-b", 1, suspend={"reason": "crashes", "owner": "ada"})
    after = slices(loaded(tmp_path, files), None)

    assert before["env-a"].digest == after["env-a"].digest
    assert before["env-b"].digest != after["env-b"].digest


def test_a_rollout_to_be_aborted_makes_its_environment_urgent(tmp_path: Path, files: dict[str, str]) -> None:
    files["rollouts/probe-1.json"] = rollout("probe-1", "env-b", 1, abort={"reason": "wrong build"})
    found = slices(loaded(tmp_path, files), None)

    assert {name: part.aborts for name, part in found.items()} == {"env-a": frozenset(), "env-b": {"probe-1"}}


def test_a_wrong_manifest_keeps_its_environment_on_the_good_revision_and_lets_the_others_go_on(
    tmp_path: Path, files: dict[str, str]
) -> None:
    good = loaded(tmp_path, files)
    files["rollouts/probe-0.json"] = rollout("probe-0", "env-a", 0, suspend={"reason": "crashes", "owner": "ada"})
    files["rollouts/probe-2.json"] = rollout("probe-2", "env-a", 2, wrong=True)
    files["rollouts/probe-3.json"] = rollout("probe-3", "env-b", 3, suspend={"reason": "crashes", "owner": "ada"})
    newest = loaded(tmp_path, files)
    found = slices(newest, good)

    assert newest.problem
    assert found["env-a"].snapshot == good.snapshot
    assert "probe-2.json" in found["env-a"].kept_back
    assert found["env-b"].snapshot == newest.snapshot
    assert [bool(r.suspend) for r in found["env-b"].reading.rollouts] == [False, True]


def test_the_rollout_of_a_wrong_manifest_is_left_alone_even_on_the_good_revision(
    tmp_path: Path, files: dict[str, str]
) -> None:
    good = loaded(tmp_path, files)
    files["rollouts/probe-2.json"] = rollout("probe-2", "env-a", 2, wrong=True)
    part = slices(loaded(tmp_path, files), good)["env-a"]

    assert [r.name for r in part.reading.rollouts] == ["probe-0"]
    assert [each.name for each in part.reading.broken] == ["probe-2"]


@pytest.mark.parametrize(
    "stop", [{"abort": {"reason": "wrong build"}}, {"suspend": {"reason": "crashes", "owner": "ada"}}]
)
def test_what_stops_a_sound_rollout_is_obeyed_while_another_manifest_is_wrong(
    tmp_path: Path, files: dict[str, str], stop: dict[str, object]
) -> None:
    good = loaded(tmp_path, files)
    before = slices(good, None)["env-a"]
    files["rollouts/probe-0.json"] = rollout("probe-0", "env-a", 0, **stop)
    files["rollouts/probe-2.json"] = rollout("probe-2", "env-a", 2, wrong=True)
    newest = loaded(tmp_path, files)
    newest = newest._replace(snapshot=newest.snapshot._replace(commit="c" * 40))
    part = slices(newest, good)["env-a"]

    (probe,) = part.reading.rollouts
    assert (probe.abort or probe.suspend) is not None
    assert part.aborts == ({"probe-0"} if "abort" in stop else set())
    assert part.snapshot == good.snapshot
    assert part.commit == "c" * 40
    assert part.digest != before.digest


def test_an_environment_keeps_what_it_ran_by_and_not_what_was_good_for_all_before(
    tmp_path: Path, files: dict[str, str]
) -> None:
    """A manifest of another environment was wrong in between, so that no later commit was good for all."""
    good = loaded(tmp_path, files)
    files["rollouts/probe-2.json"] = rollout("probe-2", "env-a", 2, wrong=True)
    files["rollouts/probe-5.json"] = rollout("probe-5", "env-b", 5)
    ran = loaded(tmp_path, files)
    files["rollouts/probe-3.json"] = rollout("probe-3", "env-b", 3, wrong=True)
    newest = loaded(tmp_path, files)
    found = slices(newest, good, {"env-b": ran})

    assert {name: part.snapshot for name, part in found.items()} == {"env-a": good.snapshot, "env-b": ran.snapshot}
    assert [r.name for r in found["env-b"].reading.rollouts] == ["probe-1", "probe-5"]
    assert slices(ran, good, {"env-b": good})["env-b"].snapshot == ran.snapshot


def test_a_freeze_is_obeyed_while_another_manifest_is_wrong(tmp_path: Path, files: dict[str, str]) -> None:
    good = loaded(tmp_path, files)
    freeze = {"kind": "deny", "schedule": "0 0 24 12 *", "duration": "72h", "timeZone": "UTC"}
    files["rollouts/environments/env-a.json"] = environment("env-a", freezes=[freeze])
    files["rollouts/probe-2.json"] = rollout("probe-2", "env-a", 2, wrong=True)
    part = slices(loaded(tmp_path, files), good)["env-a"]

    assert [each.schedule for each in part.reading.environments[0].freezes] == ["0 0 24 12 *"]
    assert part.environment == part.reading.environments[0]


def test_a_rollout_beside_a_wrong_one_in_its_file_is_not_left_alone(tmp_path: Path, files: dict[str, str]) -> None:
    del files["rollouts/probe-2.json"]
    both = [rollout("probe-0", "env-a", 0), rollout("probe-2", "env-a", 2)]
    del files["rollouts/probe-0.json"]
    files["rollouts/both.yaml"] = "---\n".join(f"{each}\n" for each in both)
    good = loaded(tmp_path, files)
    both = [rollout("probe-0", "env-a", 0, abort={"reason": "wrong build"}), rollout("probe-2", "env-a", 2, wrong=True)]
    files["rollouts/both.yaml"] = "---\n".join(f"{each}\n" for each in both)
    part = slices(loaded(tmp_path, files), good)["env-a"]

    assert part.aborts == {"probe-0"}


def test_an_abort_in_a_file_that_was_moved_and_cannot_be_read_leaves_its_rollout_alone(
    tmp_path: Path, files: dict[str, str]
) -> None:
    """Which rollout the file is about no one can tell, so that every one that is not sound elsewhere waits."""
    good = loaded(tmp_path, files)
    del files["rollouts/probe-0.json"]
    files["rollouts/probe-zero.json"] = rollout("probe-0", "env-a", 0, abort={"reason": "wrong build"})[:-1]
    part = slices(loaded(tmp_path, files), good)["env-a"]

    assert [r.name for r in part.reading.rollouts] == ["probe-2"]
    assert [(each.file, each.name) for each in part.reading.broken] == [("rollouts/probe-zero.json", "")]


def test_an_abort_of_a_renamed_rollout_is_obeyed_beside_a_file_that_cannot_be_read(
    tmp_path: Path, files: dict[str, str]
) -> None:
    good = loaded(tmp_path, files)
    del files["rollouts/probe-0.json"]
    renamed = json.loads(rollout("probe-zero", "env-a", 0, abort={"reason": "wrong build"}))
    renamed["metadata"]["renamedFrom"] = "probe-0"
    files |= {"rollouts/probe-zero.json": json.dumps(renamed), "rollouts/probe-3.json": "{"}
    assert slices(loaded(tmp_path, files), good)["env-a"].aborts == {"probe-0"}


@pytest.mark.parametrize("before", ["probe-0", ["probe-0"], "Probe 0"])
def test_a_wrong_manifest_that_renames_a_rollout_leaves_that_alone_and_does_not_remove_it(
    tmp_path: Path, files: dict[str, str], before: object
) -> None:
    good = loaded(tmp_path, files)
    del files["rollouts/probe-0.json"]
    renamed = json.loads(rollout("probe-zero", "env-a", 0, abort={"reason": "wrong build"}, wrong=True))
    renamed["metadata"]["renamedFrom"] = before
    files["rollouts/probe-zero.json"] = json.dumps(renamed)
    part = slices(loaded(tmp_path, files), good)["env-a"]

    assert [r.name for r in part.reading.rollouts] == ["probe-2"]
    assert unread_of(part.reading, "env-a").may_keep("probe-0", "rollouts/probe-0.json")


def test_a_sound_rollout_that_the_good_revision_lacks_is_not_taken_for_removed(
    tmp_path: Path, files: dict[str, str]
) -> None:
    good = loaded(tmp_path, files)
    files["rollouts/probe-4.json"] = rollout("probe-4", "env-a", 4)
    files["rollouts/probe-2.json"] = rollout("probe-2", "env-a", 2, wrong=True)
    part = slices(loaded(tmp_path, files), good)["env-a"]

    assert [r.name for r in part.reading.rollouts] == ["probe-0"]
    assert {each.name for each in part.reading.broken} == {"probe-2", "probe-4"}


def test_an_environment_with_an_error_keeps_its_good_manifest(tmp_path: Path, files: dict[str, str]) -> None:
    good = loaded(tmp_path, files)
    files["rollouts/environments/env-b.json"] = environment("env-b", every="1s")
    found = slices(loaded(tmp_path, files), good)

    assert set(found) == set(HOMES)
    assert found["env-b"].snapshot == good.snapshot
    assert found["env-a"].kept_back == ""


def test_without_a_good_revision_what_can_be_read_runs(tmp_path: Path, files: dict[str, str]) -> None:
    files["rollouts/probe-2.json"] = rollout("probe-2", "env-a", 2, wrong=True)
    found = slices(loaded(tmp_path, files), None)

    assert [r.name for r in found["env-a"].reading.rollouts] == ["probe-0"]
    assert found["env-a"].kept_back == ""


def test_an_environment_that_was_removed_runs_no_more(tmp_path: Path, files: dict[str, str]) -> None:
    good = loaded(tmp_path, files)
    kept = {name: text for name, text in files.items() if "env-b" not in text}
    assert set(slices(loaded(tmp_path, kept), good)) == {"env-a"}


def test_a_snapshot_without_manifests_holds_everyone_on_the_good_revision(
    tmp_path: Path, files: dict[str, str]
) -> None:
    good = loaded(tmp_path, files)
    empty = loaded(tmp_path, {"rollouts/readme.txt": "none"})

    assert "nothing_to_read" in empty.problem
    assert {part.snapshot for part in slices(empty, good).values()} == {good.snapshot}
