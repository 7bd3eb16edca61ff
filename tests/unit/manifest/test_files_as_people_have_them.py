"""Lists, outputs and manifests as spreadsheets, shells and merges leave them: read, or refused with the cause."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otactl.manifest import Reading, read_paths
from otactl.manifest.csv_targets import DeviceList, read_devices
from tests.support.manifest_texts import GOOD

EUI = "70b3d57ed0001a2b"
MERGE = "<<<<<<< HEAD\n{0}\n=======\n{1}\n>>>>>>> feature\n"


def devices(tmp_path: Path, data: bytes | str, kind: str = "wirelessDevices") -> DeviceList:
    file = tmp_path / "d.csv"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_devices("d.csv", file, kind, tmp_path)


def read(tmp_path: Path, text: str | bytes, name: str = "r.yaml") -> Reading:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_paths(["."], cwd=tmp_path)


@pytest.mark.parametrize(
    "written",
    [
        "70B3D57ED0001A2B",
        "70-B3-D5-7E-D0-00-1A-2B",
        "70:b3:d5:7e:d0:00:1a:2b",
        "70 b3 d5 7e d0 00 1a 2b",
        '"=""70B3D57ED0001A2B"""',
        ' "70b3d57ed0001a2b"'.strip(),
    ],
)
def test_a_dev_eui_is_read_in_every_usual_form(tmp_path: Path, written: str) -> None:
    found = devices(tmp_path, f"devEui,site\r\n{written},north\r\n")

    assert found.problems == []
    assert [(str(d["devEui"]).lower(), d["labels"]) for d in found.devices] == [(EUI, {"site": "north"})]


def test_one_dev_eui_in_two_forms_is_one_device(tmp_path: Path) -> None:
    (found,) = devices(tmp_path, "devEui\n70-B3-D5-7E-D0-00-1A-2B\n70b3d57ed0001a2b\n").problems

    assert (found.line, found.code) == (3, "duplicate_target")


def test_a_dev_eui_with_separators_in_a_manifest_is_the_same_device(tmp_path: Path) -> None:
    block = '  fuota: {rfRegion: EU868, role: "arn:aws:iam::123456789012:role/update", redundancyPercent: 20}\n'
    targets = "{wirelessDevices: [{devEui: 70-B3-D5-7E-D0-00-1A-2B}]}"
    waves = f"  strategy:\n    waves:\n      - {{name: all, targets: {targets}}}\n"

    (rollout,) = read(tmp_path, GOOD[: GOOD.index("  fuota:")] + block + waves).rollouts

    assert rollout.strategy.waves[0].targets is not None
    assert rollout.strategy.waves[0].targets.keys == (f"devEui:{EUI}",)


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("devEui\n7.0123E+15\n", "bad_format", "a spreadsheet turned it into a number"),
        ("devEui\n7E+10\n", "bad_format", "a spreadsheet turned it into a number"),
        ("devEui\n7,0123E+15\n", "csv_row_uneven", "a number with a decimal comma"),
        ("devEui\n\u200b70b3d57ed0000001\n", "bad_format", "it holds U+200B"),
        ("devEui\n0x70b3d57ed0000001\n", "bad_format", "what is before its 16 digits"),
        ("devEui\n4A30B001E2F3C\n", "bad_format", "3 digits are missing"),
        ("devEui;site\n70B3D57ED0001A2B;a\n", "csv_column_missing", "separated by semicolons"),
        ("devEui\tsite\n70B3D57ED0001A2B\ta\n", "csv_column_missing", "separated by tabs"),
        ("sep=;\ndevEui;site\n70B3D57ED0001A2B;a\n", "csv_column_missing", "separator line"),
        ("# exported today\ndevEui\n70B3D57ED0001A2B\n", "csv_column_missing", "the first line is a comment"),
        ("DevEUI,site\n70B3D57ED0001A2B,a\n", "csv_column_missing", "did you mean devEui? rename column 1"),
        ("site,dev_eui\na,70B3D57ED0001A2B\n", "csv_column_missing", "did you mean devEui? rename column 2"),
        ("70B3D57ED0001A2B,a\n70B3D57ED0001A2C,b\n", "csv_column_missing", "put the line devEui above it"),
        ("devEui,id\n70B3D57ED0001A2B,d1a5f0c0\n", "device_named_twice", "fill in one of the two"),
        ("devEui,serial number\n70B3D57ED0001A2B,1\n", "csv_column_unusable", "letters, digits"),
        (f"devEui,note\n70B3D57ED0001A2B,{'x' * 256}\n", "too_long", "shorten it"),
        ("devEui\n0X70B3D57ED0001A2B\n", "bad_format", "what is before its 16 digits"),
        ("devEui\n70B3-D57E-D000-1A2B\n", "bad_format", "write its 16 digits alone"),
        ("devEui\n70.B3.D5.7E.D0.00.1A.2B\n", "bad_format", "write its 16 digits alone"),
        ("devEui\n7012345678901230.0\n", "bad_format", "turned it into a number"),
        ("devEui\n01/02/2026\n", "bad_format", "turned it into a date"),
        ("devEui\n#NAME?\n", "bad_format", "an error of a spreadsheet's formula"),
        ("70B3D57ED0001A2B;a\n70B3D57ED0001A2C;b\n", "csv_column_missing", "separated by semicolons"),
        ("\ufeff\ufeffdevEui\n70B3D57ED0001A2B\n", "csv_column_missing", "column 1 is not devEui: it holds U+FEFF"),
        ("devEui,,\n70B3D57ED0001A2B,,x\n", "csv_row_uneven", "put a value with a comma in double quotes"),
    ],
)
def test_a_list_that_cannot_be_read_says_what_happened_to_it(tmp_path: Path, text: str, code: str, hint: str) -> None:
    found = devices(tmp_path, text)

    assert [p.code for p in found.problems] == [code]
    assert hint in found.problems[0].hint
    assert "70B3D57ED0001A2B" not in f"{found.problems[0].message} {found.problems[0].hint}"


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("thingName\ngw-1\n", "csv_column_missing", "did you mean id? rename column 1 to id"),
        ("site,Device Name\na,gw-1\n", "csv_column_missing", "did you mean id? rename column 2 to id"),
        ("70B3D57ED0001A2B\n70B3D57ED0001A2C\n", "csv_column_missing", "put the line id above it"),
        ("id\n1.23E+11\n", "bad_format", "a spreadsheet turned it into a number"),
    ],
)
def test_a_list_of_things_that_cannot_be_read_says_what_happened_to_it(
    tmp_path: Path, text: str, code: str, hint: str
) -> None:
    (found,) = devices(tmp_path, text, "things").problems

    assert found.code == code
    assert hint in found.hint


def test_empty_columns_at_the_end_are_ignored(tmp_path: Path) -> None:
    found = devices(tmp_path, "id,site,,\na,north,,\n", "things")

    assert (found.problems, found.devices) == ([], [{"id": "a", "labels": {"site": "north"}}])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("name", ["r.yaml", "r.json", "d.csv"])
def test_wide_encodings_are_named_without_a_mark_too(tmp_path: Path, encoding: str, name: str) -> None:
    data = "id\ngw-1\n".encode(encoding)

    (found,) = devices(tmp_path, data, "things").problems if name == "d.csv" else read(tmp_path, data, name).errors

    assert found.code == "not_utf8"
    assert f"the file is {encoding[:6].upper()}" in found.message


def test_a_workbook_under_the_name_of_a_list_is_reported_as_one(tmp_path: Path) -> None:
    (found,) = devices(tmp_path, "PK\x03\x04\x14\x00", "things").problems

    assert (found.code, "a workbook" in found.message, "as CSV" in found.hint) == ("not_utf8", True, True)


def test_more_labels_than_a_device_may_have_are_refused(tmp_path: Path) -> None:
    names = ",".join(f"l{n}" for n in range(65))

    (found,) = devices(tmp_path, f"id,{names}\nx,{',' * 64}\n", "things").problems

    assert (found.code, "64 labels" in found.message) == ("csv_column_unusable", True)


def test_rows_end_where_the_csv_standard_ends_them(tmp_path: Path) -> None:
    text = 'id,note\r\na,"two\r\nlines"\r\nb,one\u2028line\x0bstill\r\n c ,\r\n'

    found = devices(tmp_path, text, "things")

    assert found.problems == []
    assert found.devices == [
        {"id": "a", "labels": {"note": "two\r\nlines"}},
        {"id": "b", "labels": {"note": "one\u2028line\x0bstill"}},
        {"id": "c"},
    ]


def test_an_error_behind_a_cell_of_two_lines_names_the_line_its_row_starts_at(tmp_path: Path) -> None:
    (found,) = devices(tmp_path, 'id,note\na,"two\nlines"\nb c,\n', "things").problems

    assert (found.line, found.column, found.code) == (4, 1, "bad_format")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_a_utf_8_mark_is_skipped_in_lists_and_outputs(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "o.json").write_bytes(mark + json.dumps({"region": "eu-west-1"}).encode())
    spec = 'owner: acme, account: "123456789012", region: "${stack:region}", stackOutputs: o.json'
    text = f"apiVersion: otactl.dev/v1\nkind: Environment\nmetadata: {{name: prod}}\nspec: {{{spec}}}\n"

    assert devices(tmp_path, mark + b"id\na\n", "things").problems == []
    codes = {e.code for e in read(tmp_path, text, "e.yaml").errors}
    assert "stack_outputs_unusable" not in codes


def test_utf_16_is_named_in_lists_and_outputs(tmp_path: Path) -> None:
    (tmp_path / "o.json").write_bytes(json.dumps({"region": "eu-west-1"}).encode("utf-16"))
    spec = 'owner: acme, account: "123456789012", region: eu-west-1, assumedRole: "${stack:role}", stackOutputs: o.json'
    text = f"apiVersion: otactl.dev/v1\nkind: Environment\nmetadata: {{name: prod}}\nspec: {{{spec}}}\n"

    (listed,) = devices(tmp_path, "id\na\n".encode("utf-16"), "things").problems
    (outputs,) = (e for e in read(tmp_path, text, "e.yaml").errors if e.code == "stack_outputs_unusable")

    assert (listed.code, "UTF-16" in listed.message) == ("not_utf8", True)
    assert ("UTF-16" in outputs.message, "Out-File -Encoding utf8" in outputs.hint) == (True, True)


@pytest.mark.parametrize("name", ["r.yaml", "r.json", "d.csv"])
def test_conflict_markers_are_named_with_their_lines(tmp_path: Path, name: str) -> None:
    text = "id\n" + MERGE.format("a", "b")

    problems = devices(tmp_path, text, "things").problems if name == "d.csv" else read(tmp_path, text, name).errors

    assert [(p.code, p.line) for p in problems] == [("merge_conflict", 2)]
    assert "lines 2, 4 and 6" in problems[0].message


@pytest.mark.parametrize("left", [">>>>>>> feature", "=======", "||||||| 2e5b9bc", "<<<<<<<"])
def test_one_marker_that_was_left_behind_is_enough(tmp_path: Path, left: str) -> None:
    (error,) = read(tmp_path, f"{GOOD}{left}\n").errors

    assert (error.code, error.line) == ("merge_conflict", GOOD.count("\n") + 1)


def test_a_heading_underlined_with_equals_signs_is_no_conflict(tmp_path: Path) -> None:
    text = GOOD.replace("name: soil-probe", "name: soil-probe # a\n# =======\n# >>>>>>> see")

    assert "merge_conflict" not in {e.code for e in read(tmp_path, text).errors}


@pytest.mark.parametrize("name", ["R.YAML", "R.Yml"])
def test_the_ending_of_a_manifest_counts_in_either_case(tmp_path: Path, name: str) -> None:
    assert [r.name for r in read(tmp_path, GOOD, name).rollouts] == ["soil-probe"]


def test_a_rule_across_fields_names_its_field_in_the_text(tmp_path: Path) -> None:
    text = GOOD + '  windows:\n    - {kind: allow, schedule: "0 22 30 2 *", duration: 7h, timeZone: UTC}\n'

    messages = [e.message for e in read(tmp_path, text).errors if e.code == "window_never_opens"]

    assert [m.partition(":")[0] for m in messages] == ["spec.windows[0].schedule"]
