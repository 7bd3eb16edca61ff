"""Runs the Pulumi program: reads the stack's settings, creates its resources, exports its outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # Pulumi runs this folder: `infra` is its parent's

from infra.config_reader import SettingsError
from infra.guardrails import Guardrails
from infra.program import stack
from infra.stack_config import read

guardrails = Guardrails()
pulumi.runtime.register_stack_transformation(guardrails.transform)
try:
    outputs = stack(read())
    guardrails.finish()
except SettingsError as error:
    raise SystemExit(f"otactl: {error}") from None
for name, value in outputs.items():
    pulumi.export(name, value)
