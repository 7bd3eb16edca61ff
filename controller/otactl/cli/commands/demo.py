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
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from otactl.backends.aws.operations import WRITES
from otactl.backends.tuya import operations
from otactl.backends.tuya.calls import MAKE
from otactl.cli.demo_stage import DemoStage
from otactl.cli.errors import Verb, guarded
from otactl.errors import UsageError
from otactl.rehearsal.loopback import kept_environment, only_loopback

HOUR = 3600
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NEVER_IN_A_DEMO = 24


@click.command(cls=Verb, short_help="show every part of otactl in one command, on loopback")
@guarded
def command() -> None:
    """Provision, push, validate, plan and reconcile the example fleet to its end; meddle with it; show the ledger."""
    try:
        from otactl_simulator.clock import Clock
        from otactl_simulator.server import SimulatorServer
    except ModuleNotFoundError as missing:
        raise UsageError(f"{missing.name} is missing; install it: pip install 'otactl[simulator]'") from missing
    before = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="otactl-demo-"))
    try:
        with kept_environment(), SimulatorServer(seed=7, clock=Clock(freeze=True, at=START)) as server:
            only_loopback(server.url)
            os.chdir(folder)
            Demo(server.url, folder).run()
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)


class Demo(DemoStage):
    """The story, step by step."""

    def run(self) -> None:
        """Play every step; raises UsageError that names the failed step and its cause."""
        try:
            self._play()
        except Exception as error:
            raise UsageError(self.failure(error)) from error

    def _play(self) -> None:
        self.provision()
        self.push()
        self._tell("check the manifests, and see what would be done")
        self._otactl("validate", "rollouts")
        self._otactl("plan", "rollouts", expect=(2,))
        self._tell("how does the soil probes' rollout end? rehearsed against a simulated fleet")
        fleet = ("--seeds", "1", "--devices-per-group", "4", "--loss", "0.02")
        self._otactl("rehearse", "rollouts/soil-probe-2-4-1.yaml", *fleet)
        self._meddle_plugs()
        self._tell(
            "cron, first run: tasks are created with their members; one canary device has no multicast setup yet"
        )
        self._otactl("reconcile", "rollouts", expect=(0,))
        self._meddle_open()
        self._otactl("reconcile", "rollouts", expect=(0,))
        self._tell("the last canary device joins the multicast group; the task is checked and started")
        self.fleet({})
        self.pass_time(360)
        self._otactl("reconcile", "rollouts", expect=(1,))
        self._canary_failed()
        self._meddle_gateways()
        self._meddle_started()
        self._otactl("reconcile", "rollouts", expect=(0,))
        self._otactl("drift", expect=(2,))
        self._tell("what is in that plug's way?")
        self._otactl("status", "--device", "plug-field-3")
        self._tell("the canary passes; the fleet's task is created and held: nothing starts while drift is open")
        self.pass_time(HOUR)
        self._otactl("reconcile", "rollouts", expect=(1,))
        self._tell("its owner turns versioning on again; the other batch at Tuya is canceled: no plug was hit twice")
        self._versioning("Enabled")
        self.at_tuya("CancelOTATaskByJob", JobId=self._batch, CancelQueuedTask=True)
        self.plug("plug-field-3", "")
        self._to_the_end()
        self._ledger()

    def _meddle_plugs(self) -> None:
        self._tell("another actor starts another batch in Tuya's console, for a plug of ours that is offline")
        self.plug("plug-field-3", "offline")
        self.plug("plug-lab-2", "failsDownload")
        names = ["plug-field-3"]
        made = self.at_tuya(MAKE, FirmwareId="1000", TargetSelection="SPECIFIC", TargetDeviceName=names)
        self._batch = str(dict(cast("dict[str, object]", made["data"]))["jobId"])

    def _canary_failed(self) -> None:
        self._tell(
            "a plug of the canary could not download: the gate holds the rollout, and nothing more of it is sent"
        )
        self._otactl("status", "smart-plug-2-4-1")
        self._tell(
            "by pull request: downloads are tried twice. The retry is for the plug that failed, and for no other"
        )
        place = self._folder / "rollouts/smart-plug-2-4-1.yaml"
        retry = "    retry: {attempts: 2, on: [download]}"
        gate = "    gate: {minSuccessPercent: 75}"
        place.write_text(place.read_text().replace(gate, f"{gate}\n{retry}"))
        click.echo(f"  {gate}\n+ {retry}")
        self.plug("plug-lab-2", "")

    def _meddle_open(self) -> None:
        self._tell("another actor edits the canary's task by hand: redundancy 20 -> 3 percent. It is open: correctable")
        task = self._task("soil-probe-2-4-1-canary")
        self.clients["iotwireless"].update_fuota_task(Id=task, RedundancyPercent=3)

    def _meddle_gateways(self) -> None:
        self._tell("another actor sets the gateways' job to full speed: it runs, and otactl can still correct its pace")
        self.pass_time(130)
        jobs = self.clients["iot"].list_jobs(status="IN_PROGRESS")["jobs"]
        pace = {"maximumPerMinute": 1000}
        self.clients["iot"].update_job(jobId=jobs[0]["jobId"], jobExecutionsRolloutConfig=pace)

    def _meddle_started(self) -> None:
        self._tell("another actor turns the bucket's versioning off after the start: otactl only records it")
        self._versioning("Suspended")

    def _versioning(self, status: str) -> None:
        outputs = json.loads((self._folder / "rollouts/environments/prod-eu.outputs.json").read_text())
        self.clients["s3"].put_bucket_versioning(
            Bucket=outputs["imageBucket"], VersioningConfiguration={"Status": status}
        )

    def _to_the_end(self) -> None:
        self._tell("hours pass, cron runs on, until every rollout has its verdict")
        text = ""
        for _ in range(NEVER_IN_A_DEMO):
            self.pass_time(HOUR)
            code, text = self._run("reconcile", "rollouts", "-o", "json")
            phases = {r["name"]: r["phase"] for r in json.loads(text)["rollouts"]}
            click.echo(f"  {', '.join(f'{name}: {phase}' for name, phase in phases.items())}")
            if code == 0 and set(phases.values()) == {"Succeeded"}:
                self._run("reconcile", "rollouts")  # closes what was drift until the last units had ended
                return
        raise UsageError(f"the example fleet did not finish within {NEVER_IN_A_DEMO} hours; the last run said: {text}")

    def _ledger(self) -> None:
        self._tell("what became of every device")
        self._otactl("status", "soil-probe-2-4-1")
        self._otactl("status", "--device", "70b3d57ed0000010")
        self._otactl("status", "leak-sensor-1-3-0")
        self._otactl("status", "gateway-3-2-0")
        self._otactl("status", "smart-plug-2-4-1")
        self._tell("the drift ledger: corrections, what only its owner could undo, a gateway that went back")
        self._otactl("drift", expect=(0, 2))
        self._tell("the exact calls that changed something, as the service saw them")
        for line in self._writes():
            click.echo(f"  {line}")
        self._tell("once more: nothing is left to do")
        self._otactl("reconcile", "rollouts", "-o", "json")

    def _writes(self) -> list[str]:
        logged = self.requests()
        driven = [r for r in logged if r["service"] in ("iotwireless", "iot", "tuya") and r["errorCode"] is None]
        known = {*WRITES, *(("tuya", name) for name in operations.WRITES)}
        writes = [r for r in driven if (r["service"], r["operation"]) in known]
        return [f"{str(r['at'])[:19]}Z {r['operation']} {_short(r['parameters'])}" for r in writes]

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
