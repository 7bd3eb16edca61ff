"""`otactl demo`: shows every part of otactl in one command, on loopback, without an account.

1. It runs the real verbs, in this process, against the simulator on a free port. Nothing in them knows that.
2. AWS credentials, profiles and endpoints of the environment are taken out first: nothing can reach a cloud.
3. Time is the simulator's: its clock starts at START and stands still until the story moves it, so neither the time of
   day nor a busy machine changes what happens. The Date of its answers sets otactl's clock.
4. A demo that fails says at which step, with which command, and why.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from otactl.backends.aws.operations import WRITES
from otactl.backends.tuya import operations
from otactl.backends.tuya.calls import MAKE
from otactl.cli.airtime_request import radio_is_installed
from otactl.cli.demo_stage import DemoStage
from otactl.cli.errors import Verb, guarded
from otactl.cli.fleet_facts import PageRequest, gather
from otactl.errors import UsageError
from otactl.rehearsal.loopback import kept_environment, only_loopback
from otactl.report.page.render import page
from otactl.report.sanitize import plain

HOUR = 3600
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NEVER_IN_A_DEMO = 24
PAGE = "fleet.html"
OTHERS = ("foreign", "image bytes", "out-of-band edit")
"""The causes of drift that are another actor."""
PHASES = (r"(?<=prod-eu/)[\w-]+: [A-Z]\w+( wave \w+)?",)
PROBE = r"soil-probe[\w-]+: [A-Z]\w+"
BELOW = r"hold: \w+|sent: .*"
"""What of the output of `reconcile` is shown, and what of it behind the line of its rollout."""


@click.command(cls=Verb, short_help="show every part of otactl in one command, on loopback")
@click.option("-v", "--verbose", is_flag=True, help="Show every command with all its output.")
@click.option(
    "--keep",
    metavar="FOLDER",
    help="Leave manifests, journal, the page of the fleet and the simulator's state in a folder that is new or empty.",
)
@guarded
def command(verbose: bool, keep: str | None) -> None:
    """Drive the example fleet to its end on stand-in clouds, while others change things behind otactl's back.

    It takes half a minute, needs no account and reaches no cloud.
    """
    try:
        from otactl_simulator.clock import Clock
        from otactl_simulator.server import SimulatorServer
    except ModuleNotFoundError as missing:
        raise UsageError(f"{missing.name} is missing; install it: pip install 'otactl[simulator]'") from missing
    before = Path.cwd()
    folder = _new(Path(keep)) if keep is not None else Path(tempfile.mkdtemp(prefix="otactl-demo-"))
    try:
        with kept_environment(), SimulatorServer(seed=7, clock=Clock(freeze=True, at=START)) as server:
            only_loopback(server.url)
            os.chdir(folder)
            demo = Demo(server.url, folder, verbose=verbose)
            demo.run()
            if keep is not None:
                demo.leave(server.world.clock.now())
    finally:
        os.chdir(before)
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if keep is not None:
        click.echo(f"\nThe page of this fleet: {plain(keep)}/{PAGE}")
    own = "otactl demo --keep demo; a fleet of your own: docs/quickstart.md"
    click.echo(f"\nTry next: {f'cd {shlex.quote(keep)} && otactl history soil-probe-2-4-1' if keep else own}")


def _new(folder: Path) -> Path:
    """Create a folder for what is kept. Raises: UsageError where there is something in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filled = next(folder.iterdir(), None)
    except OSError as error:
        raise UsageError(f"cannot use {folder}: {error.strerror}; name a folder that is new or empty") from error
    if filled is not None:
        raise UsageError(f"{folder} is not empty; name a folder that is new or empty")
    return folder.resolve()


class Demo(DemoStage):
    """The story, in five acts."""

    def run(self) -> None:
        """Run every step; raises UsageError that names the failed step and its cause."""
        try:
            self._play()
        except Exception as error:
            raise UsageError(self.failure(error)) from error

    def leave(self, now: datetime) -> None:
        """Write the page of the fleet, and what the simulator holds, beside the manifests and the journal."""
        for name in ("state", "requests"):
            (self._folder / f"simulator-{name}.json").write_bytes(self.simulated(name))
        asked = PageRequest(title="The demo's fleet", manifests=("rollouts",), airtime=radio_is_installed())
        (self._folder / PAGE).write_text(page(gather(asked, now)).html, encoding="utf-8")

    def _play(self) -> None:
        self.script.act("1. Provide: what a rollout needs")
        self.provision()
        self.push()
        self.script.act("2. Review: what a merge would send")
        self._review()
        self.script.act("3. Roll out: cron runs reconcile, again and again")
        self._roll_out()
        self.script.act("4. Trouble: others change things, and devices fail")
        self._trouble()
        self.script.act("5. The end: every device has a verdict, every difference its record")
        self._to_the_end()
        self._ledger()
        self._summary()

    def _review(self) -> None:
        self.script.step("the manifests are checked, offline")
        self._otactl("validate", "rollouts", only=(r"\d+ files: .*",))
        self.script.step("plan shows the exact calls of the next run, and the steps that follow")
        verdicts = (r"(?<=prod-eu/)[\w-]+: will .*", r"^\d+ rollouts: .*")
        self._otactl("plan", "rollouts", expect=(2,), only=verdicts)
        self.script.step("the soil probes' rollout is rehearsed against a simulated fleet")
        fleet = ("--seeds", "1", "--devices-per-group", "4", "--loss", "0.02")
        only, join = ("succeeds in .*",), "devices updated: .*"
        self._otactl("rehearse", "rollouts/soil-probe-2-4-1.yaml", *fleet, only=only, join=join)

    def _roll_out(self) -> None:
        self._meddle_plugs()
        self.script.step("first run: tasks are created with their members; one probe is not ready for multicast")
        self._reconcile()
        self._meddle_open()
        self._otactl("reconcile", "rollouts", only=(PROBE,), join="hold: change_.*")
        self.script.step("the probe is ready now: the edit is corrected, then the task is started")
        self.fleet({})
        self.pass_time(360)
        self._reconcile(1)

    def _trouble(self) -> None:
        self._canary_failed()
        self._meddle_gateways()
        self._meddle_started()
        self._reconcile()
        self._otactl("drift", expect=(2,), only=(r"^\d+ open",), join=r"^\d+ closed")
        self.script.step("what keeps that plug busy?")
        self._otactl("status", "--device", "plug-field-3", only=(r"queued .*",))
        self.script.step("an hour later the canary has passed; the fleet's task is held while drift is open")
        self.pass_time(HOUR)
        self._reconcile(1)
        self.script.step("the owner turns versioning on again; the other batch is canceled: no plug was hit twice")
        with self._another_actor():
            self._versioning("Enabled")
            self.at_tuya("CancelOTATaskByJob", JobId=self._batch, CancelQueuedTask=True)
        self.plug("plug-field-3", "")

    def _reconcile(self, code: int = 0) -> None:
        self._otactl("reconcile", "rollouts", expect=(code,), only=PHASES, join=BELOW)

    @contextmanager
    def _another_actor(self) -> Iterator[None]:
        """Mark which calls are not otactl's."""
        before = len(self.requests())
        yield
        self._others |= {int(str(each["n"])) for each in self.requests()[before:]}

    def _meddle_plugs(self) -> None:
        self.script.step("another actor starts another batch at Tuya, for a plug of ours that is offline")
        self.plug("plug-field-3", "offline")
        self.plug("plug-lab-2", "failsDownload")
        names = ["plug-field-3"]
        with self._another_actor():
            made = self.at_tuya(MAKE, FirmwareId="1000", TargetSelection="SPECIFIC", TargetDeviceName=names)
        self._batch = str(dict(cast("dict[str, object]", made["data"]))["jobId"])

    def _canary_failed(self) -> None:
        self.script.step("a plug of the canary could not download: the gate holds the rollout")
        self._otactl("status", "smart-plug-2-4-1", only=(r"wave canary failed: .*", r"plug-lab-2: .*"))
        self.script.step("a pull request lets downloads be tried twice: the retry is for that plug alone")
        place = self._folder / "rollouts/smart-plug-2-4-1.yaml"
        retry = "    retry: {attempts: 2, on: [download]}"
        gate = "    gate: {minSuccessPercent: 75}"
        place.write_text(place.read_text().replace(gate, f"{gate}\n{retry}"))
        self.script.line(f"    +{retry}")
        self.plug("plug-lab-2", "")

    def _meddle_open(self) -> None:
        self.script.step("another actor edits the canary's task by hand: redundancy 20 to 3 percent")
        task = self._task("soil-probe-2-4-1-canary")
        with self._another_actor():
            self.clients["iotwireless"].update_fuota_task(Id=task, RedundancyPercent=3)

    def _meddle_gateways(self) -> None:
        self.script.step("another actor sets the gateways' job to full speed: otactl can still correct its pace")
        self.pass_time(130)
        jobs = self.clients["iot"].list_jobs(status="IN_PROGRESS")["jobs"]
        pace = {"maximumPerMinute": 1000}
        with self._another_actor():
            self.clients["iot"].update_job(jobId=jobs[0]["jobId"], jobExecutionsRolloutConfig=pace)

    def _meddle_started(self) -> None:
        self.script.step("and turns the bucket's versioning off after the start: otactl can only record it")
        self._versioning("Suspended")

    def _versioning(self, status: str) -> None:
        outputs = json.loads((self._folder / "rollouts/environments/prod-eu.outputs.json").read_text())
        self.clients["s3"].put_bucket_versioning(
            Bucket=outputs["imageBucket"], VersioningConfiguration={"Status": status}
        )

    def _to_the_end(self) -> None:
        self.script.step("hours pass, cron runs on, until every rollout has its verdict")
        text = ""
        for hours in range(1, NEVER_IN_A_DEMO + 1):
            self.pass_time(HOUR)
            code, text = self._run("reconcile", "rollouts", "-o", "json")
            phases = {r["name"]: r["phase"] for r in json.loads(text)["rollouts"]}
            counted = ", ".join(f"{count} {phase}" for phase, count in sorted(Counter(phases.values()).items()))
            self.script.line(f"    after {hours} h: {counted}")
            if code == 0 and set(phases.values()) == {"Succeeded"}:
                self._run("reconcile", "rollouts")  # closes what was drift until the last units had ended
                return
        raise UsageError(f"the example fleet did not finish within {NEVER_IN_A_DEMO} hours; the last run said: {text}")

    def _ledger(self) -> None:
        self.script.step("what became of the devices: those that failed, each with its reason")
        for name in ("soil-probe-2-4-1", "leak-sensor-1-3-0", "gateway-3-2-0", "smart-plug-2-4-1"):
            self._otactl("status", name, only=(r"^ {4}[\w-]+: .*",))
        self.script.step("the drift ledger closes every entry, and says what happened")
        self._otactl("drift", expect=(0, 2), only=(r"^\d+ open",), join=r"^\d+ closed")
        for call in self._writes():
            self.script.detail(f"{str(call['at'])[:19]}Z {call['operation']} {_short(call['parameters'])}")
        self.script.step("once more: nothing is left to do")
        self._otactl("reconcile", "rollouts", only=(r"\d+ pass.*",))

    def _summary(self) -> None:
        calls = [f"{each['operation']} {json.dumps(each['parameters'], sort_keys=True)}" for each in self._writes()]
        if len(set(calls)) != len(calls):
            raise UsageError("a call was sent twice")
        shown = json.loads(self._run("status", "-o", "json")[1])["rollouts"]
        done, failed = (sum(each["devices"][kind] for each in shown) for kind in ("succeeded", "failed"))
        closed = json.loads(self._run("drift", "-o", "json")[1])["closed"]
        fields = ", ".join(dict.fromkeys(each["field"] for each in closed if each["cause"] in OTHERS))
        self.script.act("In short")
        sent = (
            f"- sent once: {len(calls)} calls that change something, no two the same; {done} devices have the firmware"
        )
        self.script.line(f"{sent}, {failed} do not, each with its reason", "  ")
        self.script.line(f"- stopped in time: {', '.join(self.script.holds)}", "  ")
        self.script.line(
            f"- changed by others and recorded: {fields}; {len(closed)} entries of drift, all closed", "  "
        )

    def _writes(self) -> list[dict[str, object]]:
        """Return the calls of otactl that changed something at a service."""
        driven = [
            r for r in self.requests() if r["service"] in ("iotwireless", "iot", "tuya") and r["errorCode"] is None
        ]
        known = {*WRITES, *(("tuya", name) for name in operations.WRITES)}
        return [r for r in driven if (r["service"], r["operation"]) in known and r["n"] not in self._others]

    def _task(self, prefix: str) -> str:
        listed = self.clients["iotwireless"].list_fuota_tasks()["FuotaTaskList"]
        return str(next(t["Id"] for t in listed if prefix in t["Name"]))


def _short(parameters: object) -> str:
    given = dict(parameters) if isinstance(parameters, dict) else {}
    for common in ("Format", "SignatureMethod", "SignatureVersion", "Timestamp", "Version"):
        given.pop(common, None)
    tags = given.pop("Tags", None) or given.pop("tags", None)
    text = json.dumps(given)
    return f"{text[:-1]}, + {len(tags)} tags}}" if isinstance(tags, list) else text
