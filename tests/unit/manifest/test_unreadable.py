"""What a manifest with an error may be about: a rollout, an environment, or no one can tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otactl.manifest import Reading, read_paths
from tests.support.manifest_texts import GOOD, changed

HOME = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec: {owner: acme, account: "123456789012", region: eu-west-1}
"""
OTHER = changed("name: soil-probe", "name: other", changed("3f0c1d52", "aaaa1d52"))
OUTPUTS = HOME.replace("region: eu-west-1", "region: eu-west-1, stackOutputs: outputs.json")
LISTED = changed(
    "        targets:\n          multicastGroups: [3f0c1d52]\n",
    "        targets: {wirelessDevices: {file: list.csv}}\n",
)
LISTED = LISTED.replace("    dataRate: 3\n    fragmentSizeBytes: 112\n", "")


def read(folder: Path, **files: str) -> Reading:
    for name, text in {"home.yaml": HOME, **files}.items():
        (folder / name).write_text(text)
    paths = [name for name in ("home.yaml", *files) if name.endswith(".yaml")]
    return read_paths(sorted(set(paths)), cwd=folder, require_environments=True)


def meant(reading: Reading) -> list[tuple[str, str, str, str]]:
    return [(b.file, b.kind, b.name, b.environment) for b in reading.broken]


@pytest.mark.parametrize(
    ("text", "kind", "name", "home"),
    [
        (changed("sizeBytes: 8000", "sizeBytes: many"), "Rollout", "soil-probe", "prod-eu"),
        (changed("rfRegion: EU868", "rfRegion: EU868\n    odd: 1"), "Rollout", "soil-probe", "prod-eu"),
        (changed("name: soil-probe", "name: Soil Probe"), "Rollout", "", "prod-eu"),
        (changed("metadata:\n  name: soil-probe\n  labels: {product: soil}\n", ""), "Rollout", "", "prod-eu"),
        (changed("environment: prod-eu", "environment: 7"), "Rollout", "soil-probe", ""),
        (changed("environment: prod-eu", "environment: prod-us"), "Rollout", "soil-probe", "prod-us"),
        (changed("apiVersion: otactl.dev/v1\n", ""), "", "soil-probe", "prod-eu"),
    ],
)
def test_a_manifest_is_about_the_rollout_it_names(tmp_path: Path, text: str, kind: str, name: str, home: str) -> None:
    reading = read(tmp_path, **{"a.yaml": text, "b.yaml": OTHER})

    assert meant(reading) == [("a.yaml", kind, name, home)]
    assert [r.name for r in reading.rollouts] == ["other"]
    assert reading.broken[0].text.startswith("a.yaml:")


def test_a_wrong_manifest_says_which_rollout_it_renames(tmp_path: Path) -> None:
    text = changed("name: soil-probe\n", "name: soil-probe\n  renamedFrom: probe\n", changed("8000", "many"))
    assert [(b.name, b.renamed_from) for b in read(tmp_path, **{"a.yaml": text}).broken] == [("soil-probe", "probe")]


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ("renamedFrom: 12", False),
        ("renamedFrom: [probe]", False),
        ("renamedFrom: Old Probe", False),
        ("renamedfrom: probe", False),
        ("renamedFrom: probe\n  owner: me", True),
        ("labels: 7", True),
    ],
)
def test_a_manifest_that_renames_a_rollout_in_a_wrong_way_may_be_about_any(
    tmp_path: Path, field: str, named: bool
) -> None:
    text = changed("  labels: {product: soil}\n", f"  {field}\n")
    (broken,) = read(tmp_path, **{"a.yaml": text, "b.yaml": OTHER}).broken
    assert (broken.name, broken.is_named, broken.may_rename) == ("soil-probe", named, not named)


@pytest.mark.parametrize("text", ["kind: [Rollout\n", "", GOOD.replace("spec:", "spec:\n<<<<<<< HEAD", 1)])
def test_a_file_that_cannot_be_read_to_its_end_may_declare_anything(tmp_path: Path, text: str) -> None:
    reading = read(tmp_path, **{"a.yaml": text, "b.yaml": OTHER})

    assert ("a.yaml", "", "", "") in meant(reading)
    assert [r.name for r in reading.rollouts] == ["other"]


def test_a_sound_document_beside_a_wrong_one_goes_on(tmp_path: Path) -> None:
    reading = read(tmp_path, **{"a.yaml": changed("sizeBytes: 8000", "sizeBytes: many") + "---\n" + OTHER})

    assert meant(reading) == [("a.yaml", "Rollout", "soil-probe", "prod-eu")]
    assert [r.name for r in reading.rollouts] == ["other"]


def test_of_two_manifests_with_one_name_neither_goes_on(tmp_path: Path) -> None:
    reading = read(tmp_path, **{"a.yaml": GOOD, "b.yaml": GOOD, "c.yaml": OTHER})

    assert [b.file for b in reading.broken] == ["a.yaml", "b.yaml"]
    assert [r.name for r in reading.rollouts] == ["other"]


def test_a_broken_list_of_devices_stops_the_rollouts_that_name_it(tmp_path: Path) -> None:
    reading = read(tmp_path, **{"a.yaml": LISTED, "b.yaml": OTHER, "list.csv": 'id\n"unclosed\n'})

    assert meant(reading) == [("a.yaml", "Rollout", "soil-probe", "prod-eu")]
    assert "list.csv" in reading.broken[0].text
    assert [r.name for r in reading.rollouts] == ["other"]


def test_broken_stack_outputs_stop_the_rollouts_that_refer_to_them(tmp_path: Path) -> None:
    refers = changed("role: arn:aws:iam::123456789012:role/update", "role: ${stack:role}")

    reading = read(tmp_path, **{"home.yaml": OUTPUTS, "a.yaml": refers, "b.yaml": OTHER, "outputs.json": "{"})

    assert meant(reading) == [("a.yaml", "Rollout", "soil-probe", "prod-eu")]
    assert "outputs.json" in reading.broken[0].text
    assert [r.name for r in reading.rollouts] == ["other"]
    assert [e.name for e in reading.environments] == ["prod-eu"]


def test_a_broken_environment_is_about_its_own_rollouts(tmp_path: Path) -> None:
    wrong = HOME.replace("prod-eu", "prod-us").replace("eu-west-1", "Ireland")
    there = OTHER.replace("prod-eu", "prod-us")

    reading = read(tmp_path, **{"a.yaml": GOOD, "b.yaml": there, "us.yaml": wrong})

    assert meant(reading) == [("us.yaml", "Environment", "prod-us", "")]
    assert [e.name for e in reading.environments] == ["prod-eu"]
    assert json.dumps([r.name for r in reading.rollouts]) == '["soil-probe", "other"]'
