"""Reads manifests from text alone, for tests: no file, no folder, no environment."""

from __future__ import annotations

from pathlib import Path

from otactl.errors import Problem
from otactl.manifest.document import Manifest, classify
from otactl.manifest.repository import Places
from otactl.manifest.resolver import Resolver
from otactl.manifest.source import read_source
from otactl.model import Rollout

SHA = "9f2c4e5a7b1d8c3f6e0a9b2d4c7f1e8a5b3d6c9f0e2a4b7d1c8f5e3a6b9d0c2e"
GOOD = f"""\
apiVersion: otactl.dev/v1
kind: Rollout
metadata:
  name: soil-probe
  labels: {{product: soil}}
spec:
  environment: prod-eu
  firmware:
    version: "2.4.1"
    image: s3://acme/soil/{SHA}/soil.bin
    sha256: {SHA}
    sizeBytes: 8000
  fuota:
    rfRegion: EU868
    role: arn:aws:iam::123456789012:role/update
    dataRate: 3
    fragmentSizeBytes: 112
    fragmentIntervalMs: 9000
    redundancyPercent: 20
  strategy:
    waves:
      - name: canary
        targets:
          multicastGroups: [3f0c1d52]
      - name: fleet
        targets:
          multicastGroups:
            - 77ab2e10
            - 91cd3f21
    gate: {{minSuccessPercent: 90}}
"""


class Read:
    """What came of a text: manifests, errors and warnings (but for the missing environment)."""

    def __init__(self, text: str | bytes, file: str = "m.yaml") -> None:
        source = read_source(file, text.encode() if isinstance(text, str) else text)
        self.errors: list[Problem] = list(source.problems)
        self.warnings: list[Problem] = []
        self.manifests: list[Manifest] = [classify(source, document) for document in source.documents]
        resolver = Resolver(Places(Path("/nowhere")), self.errors, self.warnings, strict=False)
        for manifest in self.manifests:
            manifest.check(self.errors)
            if manifest.kind == "Environment":
                resolver.environment(manifest)
            elif manifest.kind == "Rollout":
                resolver.rollout(manifest)
        self.warnings = [each for each in self.warnings if each.code != "environment_not_found"]

    @property
    def rollout(self) -> Rollout:
        (manifest,) = self.manifests
        assert manifest.rollout is not None, self.errors
        return manifest.rollout


def problem_lines(problems: list[Problem]) -> list[str]:
    """Problems as `line:column code pointer`, in the order of the file."""
    ordered = sorted(problems, key=lambda each: (each.line, each.column))
    return [f"{each.line}:{each.column} {each.code} {each.pointer}" for each in ordered]


def changed(old: str, new: str, text: str = GOOD) -> str:
    """The good manifest with one thing changed; fails where the text to change is not there exactly once."""
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)
