"""Lists the examples that each `--help` ends with; a test parses every one of them.

1. An example stands on one line, so that it can be copied.
2. A verb of several commands has an entry for each: `journal init`.
"""

from __future__ import annotations

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": ("otactl init --backend fuota", "otactl init --backend tuya --environment prod-eu --runner cron"),
    "validate": ("otactl validate rollouts/", "otactl validate rollouts/ -o sarif"),
    "plan": (
        "otactl plan rollouts/",
        "otactl plan rollouts/ -o markdown",
        "otactl plan rollouts/ --offline",
        "otactl plan rollouts/ --junit plan.xml",
    ),
    "reconcile": (
        "otactl reconcile rollouts/",
        "otactl reconcile rollouts/ --environment prod-eu -q",
        "otactl reconcile --enqueue --environment prod-eu --wait 10m",
    ),
    "airtime": (
        "otactl airtime rollouts/soil-probe-2-4-1.yaml --loss 0.02",
        "otactl airtime --rf-region EU868 --image-bytes 8960 --loss 0.05 --devices 100 --plot radio.svg",
    ),
    "gate": (
        "otactl gate rollouts/",
        "otactl gate rollouts/soil-probe-2-4-1.yaml --devices canary=30 --bad-percent 5 --risk-percent 1",
    ),
    "rehearse": ("otactl rehearse rollouts/", "otactl rehearse rollouts/ --seeds 10 --fail 2 --plot rehearsal.svg"),
    "status": (
        "otactl status",
        "otactl status soil-probe-2-4-1 -o json",
        "otactl status --watch",
        "otactl status soil-probe-2-4-1 --wait-for Succeeded --timeout 12h",
        "otactl status --device 70b3d57ed0000001",
    ),
    "history": ("otactl history soil-probe-2-4-1",),
    "drift": ("otactl drift", "otactl drift soil-probe-2-4-1 --who", "otactl drift --environment prod-eu -o markdown"),
    "report": (
        "otactl report --html fleet.html",
        "otactl report --html fleet.html --manifests rollouts --airtime",
        "otactl report --serve --port 8080",
    ),
    "suspend": ('otactl suspend rollouts/soil-probe-2-4-1.yaml --owner ada --reason "crash reports from canary"',),
    "resume": ("otactl resume rollouts/soil-probe-2-4-1.yaml",),
    "approve": (
        "otactl approve rollouts/soil-probe-2-4-1.yaml --wave fleet --by ada",
        "otactl approve rollouts/soil-probe-2-4-1.yaml --wave fleet --by ada --read-groups",
    ),
    "abort": ('otactl abort rollouts/soil-probe-2-4-1.yaml --reason "wrong build"',),
    "rollback": ("otactl rollback rollouts/soil-probe-2-4-1.yaml --to rollouts/soil-probe-2-3-0.yaml",),
    "adopt": (
        "otactl adopt prod-eu --dry-run",
        "otactl adopt prod-eu --unit 1b9c3c1e-0a0f-4d0e-9d57-0d2f1f1f7c11",
        "otactl adopt prod-eu --service tuya --within a1b2c3d4e5 -o json",
    ),
    "image push": (
        "otactl image push soil-probe-2.4.1.bin --environment prod-eu --product soil-probe --version 2.4.1",
        "otactl image push probe.bin --environment prod-eu --product soil-probe --version 2.4.1 --sign release.pem",
    ),
    "evidence write": (
        "otactl evidence write soil-probe-2-4-1 --key evidence.pem --file soil-probe-2-4-1.evidence.json",
        "otactl evidence write soil-probe-2-4-1 --key awskms:///alias/evidence",
    ),
    "evidence verify": (
        "otactl evidence verify soil-probe-2-4-1.evidence.json --key evidence.pub",
        "otactl evidence verify soil-probe-2-4-1.evidence.json --key evidence.pub --image soil-probe-2.4.1.bin",
    ),
    "image verify": (
        "otactl image verify soil-probe-2.4.1.bin --key keys/release-2026.pub --signature MEUCIQDx0oBqz1xD0l7WZ0m8",
    ),
    "journal init": ("otactl journal init", "otactl journal init s3://acme-otactl-journal/prod-eu"),
    "journal check": ("otactl journal check",),
    "journal backup": ("otactl journal backup /backup/journal.db",),
    "journal copy": ("otactl journal copy .otactl/journal.db s3://acme-otactl-journal/prod-eu",),
    "journal export": ("otactl journal export",),
    "journal roles": ("otactl journal roles",),
    "journal release": ("otactl journal release prod-eu",),
    "workers init": ("otactl workers init",),
    "workers run": (
        "otactl workers run rollouts/",
        "otactl workers run rollouts/ --source git+https://git.example/acme/fleet.git@main --cache /var/lib/otactl",
    ),
    "workers status": ("otactl workers status", "otactl workers status --environment prod-eu -o json"),
    "explain": ("otactl explain spec.strategy.gate", "otactl explain window_is_closed"),
    "simulator": ("otactl simulator --port 4566", "otactl simulator --example --port 8765"),
    "demo": ("otactl demo", "otactl demo --keep demo"),
}


def add_examples(command: click.Command, name: str) -> click.Command:
    """Add examples to the end of the help of a command and of its subcommands."""
    if isinstance(command, click.Group):
        for each, inner in command.commands.items():
            add_examples(inner, f"{name} {each}")
    elif name in EXAMPLES:
        command.epilog = "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[name])])
    return command
