"""Each backend is known by its definition alone: no other source names a vendor, and none loads an SDK to know one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import otactl
from otactl.backends.registry import BACKENDS, read_config
from otactl.manifest import schema

ROOT = Path(otactl.__file__).parent
VENDOR = re.compile("fuota|ota_?update|iot_?ota|tuya", re.IGNORECASE)
EXAMPLES = re.compile(r"examples=\[.*?\]", re.DOTALL)
"""Examples of an output's schema show values of the backends that ship."""
HOMES = ("backends/", "rehearsal/fleets/", "lorawan/")
"""Where vendors are named: their own folders, their simulated devices, and the radio planner of LoRaWAN."""
REASONED = {
    "cli/commands/demo.py": "the demo drives one rollout of each backend that ships",
    "cli/demo_stage.py": "the same: it sets their devices up",
    "cli/examples.py": "an example of `init` has a --backend that can be typed",
    "rehearsal/loopback.py": "no key of a person's environment may reach the simulator, whosever it is",
}


def naming() -> dict[str, list[str]]:
    """Every line outside the homes that names a vendor, by file."""
    found: dict[str, list[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        text = EXAMPLES.sub("", path.read_text())
        lines = [line.strip() for line in text.splitlines() if VENDOR.search(line)]
        if lines and not name.startswith(HOMES):
            found[name] = lines
    return found


def test_no_source_outside_its_homes_names_a_vendor() -> None:
    assert {name: lines for name, lines in naming().items() if name not in REASONED} == {}


def test_every_reasoned_exception_is_still_one() -> None:
    assert set(naming()) >= set(REASONED)


def test_every_backend_is_found_by_the_names_of_all() -> None:
    named = "".join(path.read_text() for path in (ROOT / "backends").rglob("definition.py"))
    assert [kind for kind in BACKENDS if not VENDOR.search(kind)] == []
    assert VENDOR.search(named)


def test_the_schema_takes_one_block_of_each_backend() -> None:
    spec, _ = schema.resolve("#/$defs/spec", "rollout")
    assert [choice["required"] for choice in spec["oneOf"]] == [[kind] for kind in BACKENDS]
    assert {kind: spec["properties"][kind] for kind in BACKENDS} == {k: {"$ref": f"{k}.schema.json"} for k in BACKENDS}


@pytest.mark.parametrize("kind", BACKENDS)
def test_an_environment_declares_the_access_that_a_backend_needs_and_no_other(kind: str) -> None:
    found = schema.schema("environment")["properties"]["spec"]["properties"]
    assert (kind in found) is (BACKENDS[kind].access is not None)


@pytest.mark.parametrize("kind", BACKENDS)
def test_a_backend_is_one_by_its_kind_everywhere(kind: str) -> None:
    definition = BACKENDS[kind]
    assert definition.kind == definition.capabilities.name == definition.config.kind == kind
    assert definition.device_kind in definition.target_kinds


def test_a_block_is_read_as_a_record_keeps_it() -> None:
    written = {"backend": "tuya", "document": {"productKey": "p", "moduleName": "ble"}}
    config = read_config(written)
    assert (config.kind, msgspec.to_builtins(config)) == ("tuya", written)


def test_a_block_of_a_backend_that_is_not_there_is_not_guessed_at() -> None:
    with pytest.raises(msgspec.ValidationError, match="there is no backend pigeon"):
        read_config({"backend": "pigeon"})


def test_a_block_is_asked_for_as_one_of_its_own_kind_only() -> None:
    config = read_config({"backend": "tuya", "document": {"productKey": "p"}})

    class Unit:
        backend = config

    with pytest.raises(TypeError, match="otaUpdate was asked for, and the block is tuya"):
        BACKENDS["otaUpdate"].config.of(Unit())


def test_the_definitions_load_no_sdk_and_no_client() -> None:
    heavy = "{'boto3', 'botocore', 'urllib3', 'otactl.backends.aws.client', 'otactl.backends.tuya.client'}"
    probe = f"import sys, otactl.backends.registry; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
