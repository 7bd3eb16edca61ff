"""The comment on a pull request of 1,000 rollouts, 20 of them touched, beside the same plan as JSON.

Both plans are offline: reading the services would be the same work in both, and hide what the comment adds.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from bench.measure import Figure, median, run, spread
from bench.stage import ACCOUNT, OTACTL, REGION, manifest_text

ROLLOUTS, TOUCHED, RUNS = 1000, 20, 5
MOST_CHARACTERS = 60_000
MOST = 2.0
AS_JSON = ("plan", "rollouts", "--offline", "--exit-code", "0", "-o", "json")
AS_COMMENT = ("plan", "rollouts", "--offline", "--exit-code", "0", "-o", "markdown", "--changed-since", "HEAD")


def figures(tiny: bool = False) -> list[Figure]:
    """Measure the CPU of both in turn, and the length of the comment."""
    rollouts, touched, runs = (6, 2, 1) if tiny else (ROLLOUTS, TOUCHED, RUNS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, rollouts, touched)
        comments, plans, text = [], [], ""
        for _ in range(runs):
            plans.append(run([OTACTL, *AS_JSON], cwd=folder).cpu)
            made = run([OTACTL, *AS_COMMENT], cwd=folder)
            comments.append(made.cpu)
            text = made.output
    ratio = median(comments) / median(plans)
    sizes = f"{rollouts:,} rollouts, {touched} touched"
    return [
        Figure(
            f"CPU of a plan's comment of {sizes}, beside the plan as JSON",
            f"{ratio:.2f} times: {spread(comments)} against {spread(plans)}",
            f"at most {MOST:.0f} times",
            ratio <= MOST,
        ),
        Figure(
            f"characters of that comment, which names each of the {touched}",
            f"{len(text):,}, {_named(text, touched)} named, {text.count('#### ')} of them with details",
            f"at most {MOST_CHARACTERS:,}, {touched} named",
            len(text) <= MOST_CHARACTERS and _named(text, touched) == touched,
            timed=False,
        ),
    ]


def _named(text: str, touched: int) -> int:
    """Count the touched rollouts that a comment names, with details or in a line."""
    return sum(f"`bench/probe-{n}`" in text for n in range(touched))


def _write(folder: Path, rollouts: int, touched: int) -> None:
    """Write a repository with one commit, and change some of its manifests."""
    manifests = folder / "rollouts"
    (manifests / "environments").mkdir(parents=True)
    spec = {"owner": "acme", "account": ACCOUNT, "region": REGION}
    document = {"apiVersion": "otactl.dev/v1", "kind": "Environment", "metadata": {"name": "bench"}, "spec": spec}
    (manifests / "environments/bench.json").write_text(json.dumps(document))
    for n in range(rollouts):
        text = manifest_text(f"probe-{n}", group=f"3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a{n:04x}")
        (manifests / f"probe-{n}.yaml").write_text(text)
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "all")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    for n in range(touched):
        with (manifests / f"probe-{n}.yaml").open("a") as opened:
            opened.write("# touched\n")
