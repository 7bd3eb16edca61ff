"""Lists the files of a repository beside its manifests: schemas for editors, CI, runners, the Pulumi program.

1. They ship with otactl as data, with the words ROLLOUTS, ENVIRONMENT, VERSION and the like where a value goes.
2. The GitHub action is the one of otactl itself; beside it are the locked packages and the version that it installs.
3. The copied schemas have no `$id`: an editor would look for what they refer to at that address, not beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from otactl import __version__, package_data
from otactl.cli.init_templates import SCHEMAS, Choices
from otactl.ports import ManifestTemplate

RUNNERS = ("github", "cron", "systemd", "kubernetes", "compose", "systemd-workers", "kubernetes-workers")
_MANIFEST_KINDS = ("rollout", "environment")
_ACTION = ".github/actions/otactl"


def repository_files(
    chosen: Choices, templates: Sequence[ManifestTemplate], runners: Sequence[str], *, monitoring: bool = False
) -> dict[str, str]:
    """Return every file but the manifests, by its path below the repository's root."""
    named = {
        ".gitignore": "gitignore",
        ".github/CODEOWNERS": "CODEOWNERS",
        ".github/workflows/otactl-plan.yml": "workflows/otactl-plan.yml",
        ".vscode/settings.json": "vscode-settings.json",
        "ci/otactl.sh": "otactl.sh",
    }
    if "github" in runners:
        named[".github/workflows/otactl-reconcile.yml"] = "workflows/otactl-reconcile.yml"
    if "cron" in runners:
        named["deploy/crontab"] = "runners/crontab"
    if "systemd" in runners:
        named |= {f"deploy/otactl.{kind}": f"runners/otactl.{kind}" for kind in ("service", "timer")}
    if "kubernetes" in runners:
        named["deploy/otactl-cronjob.yaml"] = "runners/cronjob.yaml"
    if "compose" in runners:
        named["deploy/compose.yaml"] = "runners/compose.yaml"
    if "systemd-workers" in runners:
        named["deploy/otactl-workers.service"] = "runners/otactl-workers.service"
    if "kubernetes-workers" in runners:
        named["deploy/otactl-workers.yaml"] = "runners/workers.yaml"
    if chosen.infra:
        named[f"Pulumi.{chosen.environment}.yaml"] = "Pulumi.stack.yaml"
    folder = package_data.repository_files()
    words = _words(chosen, templates)
    files = {path: _filled((folder / name).read_text("utf-8"), words) for path, name in named.items()}
    return files | _action() | _schemas() | (_pulumi() if chosen.infra else {}) | (_monitoring() if monitoring else {})


def _monitoring() -> dict[str, str]:
    """Return alert rules and dashboard as they are: their words in capitals are not placeholders."""
    folder = package_data.repository_files() / "monitoring"
    return {f"monitoring/{path.name}": path.read_text("utf-8") for path in sorted(folder.iterdir())}


def _words(chosen: Choices, templates: Sequence[ManifestTemplate]) -> dict[str, str]:
    return {
        "ROLLOUTS": chosen.folder,
        "ENVIRONMENT": chosen.environment,
        "VERSION": __version__,
        "REGION": chosen.region,
        "ACCOUNT": chosen.shown_account,
        "OWNER": chosen.shown_owner,
        "OPTIONS": "".join(f"\n    {template.stack_option}" for template in templates if template.stack_option),
    }


def _filled(text: str, words: dict[str, str]) -> str:
    """Replace whole words by values: AWS_REGION stays."""
    for word, value in words.items():
        text = value.join(re.split(rf"(?<![A-Z_]){word}(?![A-Z_])", text))
    return text


def _action() -> dict[str, str]:
    folder = package_data.action()
    names = ("action.yml", "requirements-core.lock", "requirements-plan.lock", "requirements-simulator.lock")
    found = {f"{_ACTION}/{name}": (folder / name).read_text("utf-8") for name in names}
    return found | {f"{_ACTION}/version.txt": f"otactl=={__version__}\n"}


def _schemas() -> dict[str, str]:
    """Copy the schemas of manifests and of what they refer to, not those of outputs."""
    folder, found = package_data.schemas() / "v1", {}
    coming = [f"{kind}.schema.json" for kind in _MANIFEST_KINDS]
    while coming:
        name = coming.pop()
        text = (folder / name).read_text("utf-8")
        document = {key: value for key, value in json.loads(text).items() if key != "$id"}
        found[f"{SCHEMAS}/{name}"] = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        others = (each.name for each in folder.glob("*.schema.json") if f'"{each.name}' in text)
        coming += [other for other in others if f"{SCHEMAS}/{other}" not in found]
    return found


def _pulumi() -> dict[str, str]:
    folder = package_data.pulumi_program()
    program = {f"infra/{each.name}": each.read_text("utf-8") for each in sorted((folder / "infra").glob("*.py"))}
    return {"Pulumi.yaml": (folder / "Pulumi.yaml").read_text("utf-8"), **program}
