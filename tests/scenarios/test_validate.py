"""`otactl validate` over real files: folders, environments, outputs, device lists, and the example fleet."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otactl.cli.commands.validate import command
from otactl.manifest import Reading, read_paths
from tests.support.manifest_texts import GOOD, SHA, changed
from tests.support.paths import ROOT

ENVIRONMENT = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec:
  owner: acme
  account: "123456789012"
  region: eu-west-1
  stackOutputs: prod-eu.outputs.json
"""
OUTPUTS = {"roleArn": "arn:aws:iam::123456789012:role/update", "bucket": "acme"}
REFERRING = changed("arn:aws:iam::123456789012:role/update", "${stack:roleArn}").replace(
    "s3://acme/", "s3://${stack:bucket}/"
)
SINGLES = """\
  fuota: {rfRegion: EU868, role: "arn:aws:iam::123456789012:role/update", redundancyPercent: 20}
  strategy:
    waves:
      - name: all
        targets: {wirelessDevices: {file: devices.csv}}
"""
LISTED = GOOD[: GOOD.index("  fuota:")] + SINGLES


class Fleet:
    """A repository in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".git").mkdir()

    def write(self, name: str, text: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def read(self, *paths: str, strict: bool = False) -> Reading:
        return read_paths(paths or (".",), cwd=self.root, require_environments=strict)

    def reported(self, *paths: str, strict: bool = False) -> list[str]:
        reading = self.read(*paths, strict=strict)
        marked = [*((each, "") for each in reading.errors), *((each, "?") for each in reading.warnings)]
        return [f"{mark}{each.file}:{each.line}:{each.column} {each.code} {each.pointer}" for each, mark in marked]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    found = Fleet(tmp_path)
    found.write("rollouts/a.yaml", REFERRING)
    found.write("environments/prod-eu.yaml", ENVIRONMENT)
    found.write("environments/prod-eu.outputs.json", json.dumps(OUTPUTS))
    return found


def test_a_sound_repository_has_no_problem_and_every_reference_filled_in(fleet: Fleet) -> None:
    reading = fleet.read(strict=True)
    assert (reading.errors, reading.warnings) == ((), ())
    (rollout,) = reading.rollouts
    assert rollout.firmware.image == f"s3://acme/soil/{SHA}/soil.bin"
    assert rollout.backend.role == OUTPUTS["roleArn"]


def test_the_environment_is_found_above_the_rollout(fleet: Fleet) -> None:
    reading = fleet.read("rollouts/a.yaml", strict=True)
    assert reading.errors == ()
    assert reading.files == 1
    assert [each.source.file for each in reading.environments] == ["environments/prod-eu.yaml"]


def test_nothing_above_the_repository_is_looked_at(fleet: Fleet) -> None:
    fleet.write("inner/.git/HEAD", "")
    fleet.write("inner/b.yaml", GOOD)
    assert fleet.reported("inner/b.yaml") == ["?inner/b.yaml:7:16 environment_not_found /spec/environment"]


def test_a_missing_environment_is_a_warning_to_validate_and_an_error_to_deploy(fleet: Fleet) -> None:
    fleet.write("rollouts/a.yaml", changed("environment: prod-eu", "environment: prod-us"))
    expected = "rollouts/a.yaml:7:16 environment_not_found /spec/environment"
    assert fleet.reported() == [f"?{expected}"]
    assert fleet.reported(strict=True) == [expected]
    assert fleet.read(strict=True).rollouts == ()


def test_a_missing_outputs_file_is_reported_once_at_the_environment(fleet: Fleet) -> None:
    (fleet.root / "environments/prod-eu.outputs.json").unlink()
    expected = "environments/prod-eu.yaml:8:17 stack_outputs_missing /spec/stackOutputs"
    assert fleet.reported() == [f"?{expected}"]
    assert fleet.reported(strict=True) == [expected]
    assert fleet.read().rollouts[0].backend.role == "${stack:roleArn}"
    assert fleet.read(strict=True).rollouts == ()


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({"bucket": "acme"}, "?rollouts/a.yaml:15:11 stack_output_missing /spec/fuota/role"),
        ({**OUTPUTS, "roleArn": "[secret]"}, "rollouts/a.yaml:15:11 stack_output_is_secret /spec/fuota/role"),
        ({**OUTPUTS, "roleArn": ["x"]}, "rollouts/a.yaml:15:11 stack_output_not_text /spec/fuota/role"),
        ({**OUTPUTS, "roleArn": "${stack:roleArn}"}, "rollouts/a.yaml:15:11 stack_output_not_text /spec/fuota/role"),
        ({**OUTPUTS, "roleArn": "arn:x"}, "rollouts/a.yaml:15:11 bad_format /spec/fuota/role"),
        ({**OUTPUTS, "bucket": "UPPER"}, "rollouts/a.yaml:10:12 bad_format /spec/firmware/image"),
    ],
)
def test_an_output_that_does_not_serve_is_reported_where_it_is_used(
    fleet: Fleet, outputs: object, expected: str
) -> None:
    fleet.write("environments/prod-eu.outputs.json", json.dumps(outputs))
    assert fleet.reported() == [expected]


def test_an_outputs_file_that_is_no_json_is_reported_at_itself(fleet: Fleet) -> None:
    fleet.write("environments/prod-eu.outputs.json", "not json")
    assert fleet.reported() == ["environments/prod-eu.outputs.json:1:1 stack_outputs_unusable "]


def test_an_outputs_file_is_no_manifest_whatever_its_name(fleet: Fleet) -> None:
    fleet.write("environments/prod-eu.yaml", ENVIRONMENT.replace("prod-eu.outputs.json", "stack.json"))
    fleet.write("environments/stack.json", json.dumps(OUTPUTS))
    assert fleet.reported(strict=True) == []


def test_problems_of_all_files_come_out_of_one_run(fleet: Fleet) -> None:
    fleet.write("rollouts/a.yaml", changed("EU868", "EU-868"))
    fleet.write("rollouts/b.json", '{"a": 1,}')
    fleet.write("rollouts/c.yml", GOOD.replace("name: soil-probe", "name: c").replace(": 20", ": 101"))
    fleet.write("rollouts/note.yaml", "hello: there\n")
    fleet.write(".hidden/d.yaml", "not: looked at\n")
    fleet.write("rollouts/readme.md", "not looked at\n")
    assert fleet.reported("rollouts") == [
        "rollouts/a.yaml:14:15 unknown_value /spec/fuota/rfRegion",
        "rollouts/b.json:1:9 json_syntax ",
        "rollouts/c.yml:19:24 out_of_range /spec/fuota/redundancyPercent",
        "rollouts/note.yaml:1:1 not_a_manifest ",
    ]


def test_a_sound_rollout_is_read_beside_a_broken_one(fleet: Fleet) -> None:
    fleet.write("rollouts/b.yaml", "apiVersion: [")
    reading = fleet.read()
    assert [each.name for each in reading.rollouts] == ["soil-probe"]
    assert [each.code for each in reading.errors] == ["yaml_syntax"]


def test_a_name_taken_by_another_file_is_reported_at_the_second(fleet: Fleet) -> None:
    groups = {"3f0c1d52": "x", "77ab2e10": "y", "91cd3f21": "z"}
    text = REFERRING
    for old, new in groups.items():
        text = text.replace(old, new)
    fleet.write("rollouts/b.yaml", text)
    assert fleet.reported() == ["rollouts/b.yaml:4:9 duplicate_rollout /metadata/name"]


def test_a_file_named_twice_is_read_once(fleet: Fleet) -> None:
    reading = fleet.read("rollouts", "rollouts/a.yaml", "./rollouts/../rollouts")
    assert (reading.files, len(reading.rollouts), reading.errors) == (1, 1, ())


def test_a_path_that_is_not_there_and_an_empty_folder_are_errors(fleet: Fleet) -> None:
    (fleet.root / "empty").mkdir()
    assert fleet.reported("nowhere", "empty") == ["nowhere:1:1 path_not_found ", "empty:1:1 nothing_to_read "]


def test_devices_of_a_csv_file_come_with_their_labels(fleet: Fleet) -> None:
    fleet.write("rollouts/a.yaml", LISTED)
    fleet.write(
        "rollouts/devices.csv", '\ufeffdevEui,site,note\n70B3D57ED0001A2B,north,"a, b"\n\n70b3d57ed0001a2c,south,\n'
    )
    reading = fleet.read(strict=True)
    assert reading.errors == ()
    targets = reading.rollouts[0].strategy.waves[0].targets
    assert targets is not None
    assert [(each.dev_eui, each.labels) for each in targets.wireless_devices] == [
        ("70b3d57ed0001a2b", {"site": "north", "note": "a, b"}),
        ("70b3d57ed0001a2c", {"site": "south"}),
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("site\nnorth\n", "devices.csv:1:1 csv_column_missing "),
        ("id,id\na,b\n", "devices.csv:1:4 csv_column_unusable "),
        ("id,\na,b\n", "devices.csv:2:1 csv_row_uneven /0"),
        ("id\n", "devices.csv:1:1 csv_empty "),
        ("", "devices.csv:1:1 csv_empty "),
        ("id,site\na\n", "devices.csv:2:1 csv_row_uneven /0"),
        ("site,id\nnorth,a b\n", "devices.csv:2:7 bad_format /0/id"),
        ('site,devEui\n"n, 1",zz\n', "devices.csv:2:8 bad_format /0/devEui"),
        ("id\na\nb\na\n", "devices.csv:4:1 duplicate_target /2/id"),
        ("id,site\na,n\n,s\n", "devices.csv:3:1 missing_field /1"),
        ('id\n"a\n', "devices.csv:2:1 csv_syntax "),
        ("devEui,id\n70B3D57ED0000001,\n70B3D57ED0000002,d2\n", "devices.csv:3:1 device_named_twice /1"),
        (b"id\n\xe4\n", "devices.csv:2:1 not_utf8 "),
    ],
)
def test_a_csv_error_has_its_row_and_column(fleet: Fleet, table: str | bytes, expected: str) -> None:
    fleet.write("rollouts/a.yaml", LISTED)
    fleet.write("rollouts/devices.csv", table)
    assert fleet.reported() == [f"rollouts/{expected}"]
    assert fleet.read().rollouts == ()


def test_a_missing_csv_file_is_reported_at_the_manifest(fleet: Fleet) -> None:
    fleet.write("rollouts/a.yaml", LISTED)
    place = "/spec/strategy/waves/0/targets/wirelessDevices/file"
    assert fleet.reported() == [f"rollouts/a.yaml:17:43 csv_unreadable {place}"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_the_example_fleet_is_valid_without_a_warning() -> None:
    result = run("-o", "json", str(ROOT / "rollouts"))
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"valid": True, "files": 5, "errors": [], "warnings": []}


def test_the_example_images_are_those_the_manifests_name() -> None:
    for rollout in read_paths(["rollouts"], cwd=ROOT).rollouts:
        data = (ROOT / "rollouts" / "images" / rollout.firmware.image.rsplit("/", 1)[1]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (rollout.firmware.sha256, rollout.firmware.size_bytes)


def test_an_error_makes_exit_code_one_in_every_form(fleet: Fleet) -> None:
    fleet.write("rollouts/a.yaml", changed('"2.4.1"', "2.10"))
    path = str(fleet.root / "rollouts/a.yaml")
    for form in ("text", "json", "sarif", "junit", "github"):
        result = run("-o", form, path)
        assert result.exit_code == 1
        assert "text_is_not_quoted" in result.stdout


def test_a_warning_alone_leaves_exit_code_zero(fleet: Fleet) -> None:
    fleet.write("rollouts/a.yaml", changed(": 20", ": 0"))
    result = run(str(fleet.root / "rollouts/a.yaml"))
    assert result.exit_code == 0
    assert "redundancy_is_zero" in result.stdout


def test_a_device_list_whose_name_is_too_long_for_the_disk_is_not_there(fleet: Fleet) -> None:
    fleet.write("rollouts/a.yaml", LISTED.replace("devices.csv", "d" * 1000))
    assert [each.code for each in fleet.read().errors] == ["csv_unreadable"]


def test_a_link_to_itself_is_reported_not_followed(fleet: Fleet) -> None:
    (fleet.root / "rollouts/loop.yaml").symlink_to("loop.yaml")
    (fleet.root / "rollouts/up").symlink_to("..")
    assert fleet.reported("rollouts") == ["rollouts/loop.yaml:1:1 unreadable "]


def test_a_file_whose_name_is_not_text_is_reported(fleet: Fleet) -> None:
    (fleet.root / "rollouts" / "b\udcff.yaml").write_text(GOOD)
    assert fleet.reported("rollouts") == ["rollouts/b\\udcff.yaml:1:1 name_not_utf8 "]


def test_a_file_without_end_is_refused(fleet: Fleet) -> None:
    assert fleet.reported("/dev/zero") == ["/dev/zero:1:1 file_too_large "]
