"""A quiet pass over 1,000 rollouts, 50 of them active, beside the same reads as a shell loop of `aws` calls."""

from __future__ import annotations

import json
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.measure import Figure, median, run, spread
from bench.stage import ACCOUNT, BIN, BUCKET, KEY, ROLE, BenchStage, stage

ROLLOUTS, ACTIVE, RUNS, ABREAST = 1000, 50, 5, 2
FAST = {"iotwireless:*": 1000.0, "s3:*": 1000.0, "iam:*": 1000.0, "sts:*": 1000.0}
# Section 9 of the design: a list page a 250 tasks, three reads an active task, one set of checks an image, bucket and
# role, and who we are.
CHECKS = 9


def figures(tiny: bool = False) -> list[Figure]:
    """Drive most rollouts to their end and some to their start, then look at them again and again."""
    rollouts, active, runs = (3, 1, 1) if tiny else (ROLLOUTS, ACTIVE, RUNS)
    budget = 1 + 1 + 3 * active + CHECKS
    with tempfile.TemporaryDirectory() as name, stage(Path(name)) as at:
        prepare(at, rollouts, active)
        before = len(at.requests())
        reports, ours = [], []
        for _ in range(runs):
            cost = run(at.otactl("reconcile", "-o", "json"), env=at.env)
            ours.append(cost.cpu)
            reports.append(json.loads(cost.output))
        asked = at.requests()[before:]
        reads = asked[: len(asked) // runs]
        commands = [_command(r) for r in (reads[:1] if tiny else reads)]
        theirs = [_loop(commands, at) for _ in range(runs)]
    calls, writes = max(r["calls"] for r in reports), sum(r["writes"] for r in reports)
    ratio = median(theirs) / median(ours)
    measured = f"{ratio:.0f} times less: {spread(ours)} against {spread(theirs)} for {len(commands)} calls"
    return [
        Figure(
            f"CPU of a quiet pass over {rollouts:,} rollouts, {active} active, beside a loop of `aws` calls",
            measured,
            "at least 30 times less",
            ratio >= 30,
        ),
        Figure("calls of that pass", str(calls), f"at most {budget}", calls <= budget, timed=False),
        Figure("writes of that pass", str(writes), "0", writes == 0, timed=False),
    ]


def with_groups(at: BenchStage, rollouts: int) -> None:
    """Give the service a group of one device for each rollout, and take its limits away."""
    devices = [{"devEui": f"70b3d57ed{n:07x}", "rfRegion": "EU868"} for n in range(rollouts)]
    groups = [
        {"name": f"g{n}", "id": group_of(n), "rfRegion": "EU868", "devices": [devices[n]["devEui"]]}
        for n in range(rollouts)
    ]
    at.post("fleet", {"devices": devices, "groups": groups})
    at.post("settings", {"callsPerSecond": 0})
    at.environment(FAST)


def prepare(at: BenchStage, rollouts: int, active: int) -> None:
    """Bring all rollouts but the active ones to their end, and those to their start."""
    with_groups(at, rollouts)
    for n in range(rollouts - active):
        at.rollout(f"probe-{n}", group=group_of(n))
    for _ in range(4):
        report = json.loads(run(at.otactl("reconcile", "-o", "json"), env=at.env).output)
        at.post("clock", {"advanceSeconds": 3 * 3600})
    assert {r["phase"] for r in report["rollouts"]} == {"Succeeded"}, "the finished rollouts are not finished"
    for n in range(rollouts - active, rollouts):
        at.rollout(f"probe-{n}", group=group_of(n))
    run(at.otactl("reconcile"), env=at.env)
    at.environment({})
    at.post("settings", {"callsPerSecond": 10})


def group_of(number: int) -> str:
    """Return the id of the group of one rollout."""
    return f"3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1{number:05x}"


def _command(read: dict[str, object]) -> list[str]:
    """A logged read as the command line of the same call; bucket and role are all that S3's and IAM's can be about."""
    service, operation = str(read["service"]), str(read["operation"])
    verb = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", operation).lower()
    given: object = read["parameters"]
    if service == "s3":
        given = {"Bucket": BUCKET, **({"Key": KEY} if operation == "HeadObject" else {})}
        service = "s3api"
    elif operation == "SimulatePrincipalPolicy":
        role, image = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}", f"arn:aws:s3:::{BUCKET}/{KEY}"
        given = {"PolicySourceArn": role, "ActionNames": ["s3:GetObject"], "ResourceArns": [image]}
    elif service == "iam":
        given = {"RoleName": ROLE, **({"PolicyName": "read"} if operation == "GetRolePolicy" else {})}
    return [str(BIN / "aws"), service, verb, "--cli-input-json", json.dumps(given), "--output", "json"]


def _loop(commands: list[list[str]], at: BenchStage) -> float:
    """The CPU of the whole loop; two abreast, because this machine has the cores and CPU is all that counts."""
    with ThreadPoolExecutor(ABREAST) as pool:
        costs = pool.map(lambda c: run(c, env=at.env, expect=_expected(c)).cpu, commands)
        return sum(costs)


def _expected(command: list[str]) -> tuple[int, ...]:
    """The bucket has no policy, which `aws` tells as an error."""
    return (255,) if "get-bucket-policy" in command else (0,)
