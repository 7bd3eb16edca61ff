"""Editing a manifest: the field that is meant changes, and no other byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from otactl.manifest.edit import Append, Edit, EditRefusedError, Put, Remove, edited
from otactl.manifest.source import read_source
from tests.support.manifest_texts import GOOD

HOLD = {"reason": "waiting for the lab", "owner": "ada"}
SUSPEND = Put(("spec", "suspend"), HOLD)


def change(text: str, *edits: Edit, file: str = "m.yaml", document: int = 0) -> str:
    return edited(file, text.encode(), document, *edits).decode()


TABLE: dict[str, tuple[str, Edit, str]] = {
    "a field set again stands on the last line of its block": (
        "spec:\n  a: 1\nz: 2\n",
        SUSPEND,
        "spec:\n  a: 1\n  suspend: {reason: waiting for the lab, owner: ada}\nz: 2\n",
    ),
    "comments between a block and the next stay below": (
        "spec:\n  a: 1 # one\n# next\nz: 2\n",
        Put(("spec", "b"), 2),
        "spec:\n  a: 1 # one\n  b: 2\n# next\nz: 2\n",
    ),
    "comments set deeper stay with the member before": (
        "spec:\n  a:\n    x: 1\n    # of a\n# next\n",
        Put(("spec", "b"), 2),
        "spec:\n  a:\n    x: 1\n    # of a\n  b: 2\n# next\n",
    ),
    "a null is replaced and the comment behind it stays": (
        "spec:\n  b: null # hold\n  c: 1\n",
        Put(("spec", "b"), {"x": 1}),
        "spec:\n  b: {x: 1} # hold\n  c: 1\n",
    ),
    "a value that is not there is written behind its key": (
        "spec:\n  b: # hold\n  c: 1\n",
        Put(("spec", "b"), 5),
        "spec:\n  b: 5 # hold\n  c: 1\n",
    ),
    "a block is replaced by one line": (
        "spec:\n  b:\n    x: 1\n    y: 2 # two\n  c: 1\n",
        Put(("spec", "b"), {"z": 3}),
        "spec:\n  b: {z: 3} # two\n  c: 1\n",
    ),
    "a member of a block is set where it stands": (
        "spec:\n  b:\n    x: '1' # one\n    y: 2\n",
        Put(("spec", "b", "x"), "1.0"),
        'spec:\n  b:\n    x: "1.0" # one\n    y: 2\n',
    ),
    "text in a block with lines is replaced": (
        "spec:\n  b: |\n    one\n\n    two\n\n  c: 1\n",
        Put(("spec", "b"), "x"),
        "spec:\n  b: x\n\n  c: 1\n",
    ),
    "braces take a further field": ("spec: {a: 1}\n", Put(("spec", "b"), 2), "spec: {a: 1, b: 2}\n"),
    "empty braces take their first field": ("spec: { }\n", Put(("spec", "b"), 2), "spec: {b: 2 }\n"),
    "braces with a comma at their end take a further field": (
        "spec: {a: 1, }\n",
        Put(("spec", "b"), 2),
        "spec: {a: 1, b: 2, }\n",
    ),
    "braces over several lines take a line": (
        "spec: {\n  a: 1, # one\n  c: 3 # three\n}\n",
        Put(("spec", "b"), 2),
        "spec: {\n  a: 1, # one\n  c: 3, # three\n  b: 2\n}\n",
    ),
    "a brace with one line takes another": (
        "spec: {\n  a: 1\n}\n",
        Put(("spec", "b"), 2),
        "spec: {\n  a: 1,\n  b: 2\n}\n",
    ),
    "braces behind an anchor take a further field": (
        "spec: &s {a: 1}\n",
        Put(("spec", "b"), 2),
        "spec: &s {a: 1, b: 2}\n",
    ),
    "an alias is replaced, not what it stands for": (
        "a: &x 1\nspec: {b: *x }\n",
        Put(("spec", "b"), 2),
        "a: &x 1\nspec: {b: 2 }\n",
    ),
    "Windows line ends are kept": ("spec:\r\n  a: 1\r\n", Put(("spec", "b"), 2), "spec:\r\n  a: 1\r\n  b: 2\r\n"),
    "a file without a last line end has none after": (
        "spec:\n  a: 1 # one",
        Put(("spec", "b"), 2),
        "spec:\n  a: 1 # one\n  b: 2",
    ),
    "a list that is not there is made": (
        "spec:\n  a: 1\n",
        Append(("spec", "l"), {"x": 1}),
        "spec:\n  a: 1\n  l:\n    - {x: 1}\n",
    ),
    "a list in brackets takes an item": (
        "spec:\n  l: [] # none\n",
        Append(("spec", "l"), "x"),
        "spec:\n  l: [x] # none\n",
    ),
    "a list of dashes takes an item": (
        "spec:\n  l:\n    - a # one\n    # more to come\n",
        Append(("spec", "l"), "x"),
        "spec:\n  l:\n    - a # one\n    - x\n    # more to come\n",
    ),
    "a list of dashes at the margin takes an item": (
        "spec:\n  l:\n  - a:\n      b: 1\n  z: 1\n",
        Append(("spec", "l"), "x"),
        "spec:\n  l:\n  - a:\n      b: 1\n  - x\n  z: 1\n",
    ),
    "an item of dashes is replaced where it stands": (
        "l:\n  - a: 1\n    b: 2 # two\n  - c\n",
        Put(("l", 0), {"z": 1}),
        "l:\n  - {z: 1} # two\n  - c\n",
    ),
    "an item of dashes is taken away": (
        "l:\n  - a: 1 # - one\n    # - two\n  - c\n  - d\n",
        Remove(("l", 1)),
        "l:\n  - a: 1 # - one\n    # - two\n  - d\n",
    ),
    "an item whose dash has a line of its own is taken away": (
        "l:\n  - a\n  -\n    # x - y\n    b: 1\n  - c\n",
        Remove(("l", 1)),
        "l:\n  - a\n  - c\n",
    ),
    "the only item of dashes leaves an empty list": (
        "l:\n  - a # one\nz: 1\n",
        Remove(("l", 0)),
        "l:\n   [] # one\nz: 1\n",
    ),
    "the only item at the margin leaves an empty list": ("l:\n- a\nz: 1\n", Remove(("l", 0)), "l:\n []\nz: 1\n"),
    "a block of lines is taken away whole": (
        "spec:\n  b:\n    x: 1\n    # two\n    y: 2 # 2\n  # of c\n  c: 1\n",
        Remove(("spec", "b")),
        "spec:\n  # of c\n  c: 1\n",
    ),
    "the first in braces is taken away": ("spec: {a: 1, b: 2}\n", Remove(("spec", "a")), "spec: {b: 2}\n"),
    "the only one in braces is taken away": ("spec: {a: 1}\n", Remove(("spec", "a")), "spec: {}\n"),
    "the last line of a file without a line end is taken away": (
        "spec:\n  a: 1\n  b: 2",
        Remove(("spec", "b")),
        "spec:\n  a: 1",
    ),
    "JSON in a YAML file stays JSON": (
        '{"spec": {"a": 1}}\n',
        SUSPEND,
        '{"spec": {"a": 1, "suspend": {"reason": "waiting for the lab", "owner": "ada"}}}\n',
    ),
    "a key with a colon in quotes is found": (
        'spec:\n  "b: c":\n    x: 1\n',
        Put(("spec", "b: c"), 2),
        'spec:\n  "b: c": 2\n',
    ),
    "columns count characters": (
        "é: {ä: '€𝄞', b: [1]} # ß\n",
        Append(("é", "b"), "ü"),
        "é: {ä: '€𝄞', b: [1, \"ü\"]} # ß\n",
    ),
}
JSONS: dict[str, tuple[str, Edit, str]] = {
    "on one line": ('{"spec": {"a": 1}}', Put(("spec", "b"), None), '{"spec": {"a": 1, "b": null}}'),
    "without spaces": ('{"spec":{"a":1,"c":2}}', Put(("spec", "b"), True), '{"spec":{"a":1,"c":2,"b": true}}'),
    "with tabs": (
        '{\n\t"spec": {\n\t\t"a": [\n\t\t]\n\t}\n}\n',
        Put(("spec", "b"), {"x": 1}),
        '{\n\t"spec": {\n\t\t"a": [\n\t\t],\n\t\t"b": {\n\t\t\t"x": 1\n\t\t}\n\t}\n}\n',
    ),
    "with Windows line ends": (
        '{\r\n  "spec": {\r\n    "a": 1\r\n  }\r\n}',
        Append(("spec", "l"), "x"),
        '{\r\n  "spec": {\r\n    "a": 1,\r\n    "l": [\r\n      "x"\r\n    ]\r\n  }\r\n}',
    ),
    "with escapes": (
        '{"\\u0073pec": {"a": "\\ud83d\\ude00\\/", "b": 1}}',
        Remove(("spec", "b")),
        '{"\\u0073pec": {"a": "\\ud83d\\ude00\\/"}}',
    ),
    "whose value is replaced": ('{"a": [1, {"x": null}, 2]}', Put(("a", 1, "x"), "é"), '{"a": [1, {"x": "é"}, 2]}'),
    "that loses its only line": ('{"a": {\n  "x": 1\n}}', Remove(("a", "x")), '{"a": {}}'),
}
REFUSED: dict[str, tuple[str, Edit, str]] = {
    "a field behind an alias": ("a: &x {b: 1}\nspec: *x\n", Put(("spec", "b"), 2), "spec.b is behind an alias"),
    "a field with an anchor that is used": ("spec:\n  a: &x 1\n  b: *x\n", Remove(("spec", "a")), "unknown_alias"),
    "a list behind an alias": ("a: &x [1]\nspec: {l: *x }\n", Append(("spec", "l"), 2), "is no list of its own"),
    "a field that is not there": ("spec:\n  a: 1\n", Remove(("spec", "b")), "spec.b is not there"),
    "a field of a list": ("spec: [1]\n", Put(("spec", "b"), 2), "a list takes no fields"),
    "a field that shares its line": ("l:\n  - a: 1\n    b: 2\n", Remove(("l", 0, "a")), "shares its line"),
    "a field with a comment around its comma": (
        "spec: {\n  a: 1 # one\n  , b: 2\n}\n",
        Remove(("spec", "b")),
        "has a comment between",
    ),
    "a key with a question mark": ("spec:\n  ? a\n  : 1\n  ? b\n  : 2\n", Remove(("spec", "b")), "shares its line"),
    "text whose end would move": ("spec:\n  a: |\n    x", Put(("spec", "b"), 2), "without changing more than that"),
    "a file that cannot be read": ("spec: [\n", Put(("spec",), 2), "yaml_syntax"),
}


@pytest.mark.parametrize(("before", "edit", "after"), TABLE.values(), ids=TABLE.keys())
def test_the_text_changes_so(before: str, edit: Edit, after: str) -> None:
    assert change(before, edit) == after


@pytest.mark.parametrize(("before", "edit", "after"), JSONS.values(), ids=JSONS.keys())
def test_json_changes_so(before: str, edit: Edit, after: str) -> None:
    assert change(before, edit, file="m.json") == after


@pytest.mark.parametrize(("before", "edit", "reported"), REFUSED.values(), ids=REFUSED.keys())
def test_what_text_alone_cannot_change_is_refused_in_words(before: str, edit: Edit, reported: str) -> None:
    with pytest.raises(EditRefusedError, match=r"m\.yaml.*" + reported.replace(".", r"\.")):
        change(before, edit)


def test_the_document_that_is_meant_is_changed_and_empty_ones_are_not_counted() -> None:
    text = "---\n# nothing\n---\nspec: {a: 1}\n...\n---\nspec:\n  a: 1\n--- # third\nspec: {a: 1}\n"

    assert change(text, Put(("spec", "b"), 2), document=1) == text.replace("  a: 1\n", "  a: 1\n  b: 2\n")


def test_a_byte_order_mark_stays() -> None:
    assert edited("m.yaml", b"\xef\xbb\xbfa: 1\n", 0, Put(("b",), 2)) == b"\xef\xbb\xbfa: 1\nb: 2\n"


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | NAMES
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3), max_leaves=8
)
ROOTS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


def paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every mapping in a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    here = [path] if isinstance(value, dict) else []
    return here + [each for key, below in inside for each in paths(below, (*path, key))]


@settings(max_examples=50)
@given(st.data(), ROOTS, NAMES, VALUES)
def test_any_yaml_takes_a_field_and_is_itself_again_without_it(
    data: st.DataObject, root: dict[str, object], name: str, value: object
) -> None:
    shape = {
        "default_flow_style": data.draw(st.sampled_from([None, True, False])),
        "width": data.draw(st.sampled_from([20, 1000])),
        "default_style": data.draw(st.sampled_from([None, '"'])),
        "line_break": data.draw(st.sampled_from(["\n", "\r\n"])),
        "indent": data.draw(st.sampled_from([2, 4])),
    }
    text = yaml.safe_dump(root, allow_unicode=True, sort_keys=False, **shape).encode()
    source = read_source("m.yaml", text)
    if source.problems or source.documents[0].value != root:
        return  # YAML 1.1 writes it otherwise than 1.2 reads it
    path = (*data.draw(st.sampled_from(paths(root))), name)
    here: Any = root
    for part in path[:-1]:
        here = here[part]
    if name in here:
        return
    changed = edited("m.yaml", text, 0, Put(path, value))
    if here:
        assert edited("m.yaml", changed, 0, Remove(path)) == text
    kept = iter(changed)
    assert all(byte in kept for byte in text), "something of the text went missing"


@settings(max_examples=50)
@given(st.data(), ROOTS, NAMES, VALUES)
def test_any_json_takes_a_field_and_is_itself_again_without_it(
    data: st.DataObject, root: dict[str, object], name: str, value: object
) -> None:
    indent = data.draw(st.sampled_from([None, 1, 2, "\t"]))
    plain = data.draw(st.booleans())
    text = json.dumps(root, indent=indent, ensure_ascii=plain)
    text = text.replace("\n", data.draw(st.sampled_from(["\n", "\r\n"]))).encode()
    path = (*data.draw(st.sampled_from(paths(root))), name)
    here: Any = root
    for part in path[:-1]:
        here = here[part]
    if name in here or read_source("m.json", text).problems:
        return
    changed = edited("m.json", text, 0, Put(path, value))
    here[name] = value
    assert json.loads(changed) == root
    assert edited("m.json", changed, 0, Remove(path)) == text


def littered(data: st.DataObject) -> bytes:
    """The good manifest with comments, blank lines and line ends as they come."""
    lines = []
    for line in GOOD.splitlines():
        for _ in range(data.draw(st.integers(0, 1))):
            note = "# " + data.draw(st.sampled_from(["suspend: {x: 1}", "- a", "é: {", ""]))
            lines.append(" " * data.draw(st.integers(0, 8)) + data.draw(st.sampled_from([note, ""])))
        lines.append(line + data.draw(st.sampled_from(["", "", " ", "  # {note}: 'x", " # suspend: null"])))
    lines += data.draw(st.lists(st.sampled_from(["", "# the end", "      # deep"]), max_size=3))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    before, after = data.draw(st.sampled_from(["", "--- # first\n"])), data.draw(st.sampled_from(["", "\n", "\n...\n"]))
    mark = data.draw(st.sampled_from(["", "\ufeff"]))
    return (mark + before + end.join(lines) + after).encode()


EDITS = (
    SUSPEND,
    Put(("metadata", "labels", "x"), "y"),
    Put(("spec", "strategy", "onFailure"), "abort"),
    Append(("spec", "approvals"), {"wave": "fleet", "by": "ada"}),
    Put(("spec", "fuota", "tags"), {"a": "1"}),
    Put(("spec", "strategy", "waves", 0, "percent"), 10),
)


@settings(max_examples=50)
@given(st.data())
def test_a_manifest_full_of_comments_keeps_each_of_them(data: st.DataObject) -> None:
    text = littered(data)
    edits = data.draw(st.lists(st.sampled_from(EDITS), min_size=1, unique_by=lambda each: each.path))

    changed = edited("m.yaml", text, 0, *edits)

    rows, kept = changed.decode().splitlines(), iter(changed.decode().splitlines())
    assert all(row in kept for row in text.decode().splitlines() if "labels" not in row)
    assert len(rows) - len(text.decode().splitlines()) <= len(edits) + 1
    for edit in reversed(edits):
        changed = edited("m.yaml", changed, 0, Remove(edit.path))
    assert changed == text
