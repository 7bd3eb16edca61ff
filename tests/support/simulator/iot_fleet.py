"""A factory floor of simulated things, with boto3 clients for registry, jobs, devices and shadows."""

from __future__ import annotations

import json
from typing import Any

from botocore.client import BaseClient

from tests.support.simulator.stage import ACCOUNT, REGION, SimulatorStage

_CLIENTS: dict[tuple[str, str], BaseClient] = {}


def arn(what: str) -> str:
    """The ARN of `thing/…`, `thinggroup/…` or `job/…`."""
    return f"arn:aws:iot:{REGION}:{ACCOUNT}:{what}"


def names(count: int, prefix: str = "t") -> list[str]:
    """So many thing names."""
    return [f"{prefix}{n}" for n in range(count)]


def abort(kind: str, share: float, least: int) -> dict[str, Any]:
    """An abort configuration of one criterion."""
    criterion: dict[str, Any] = {"failureType": kind, "action": "CANCEL"}
    criterion |= {"thresholdPercentage": share, "minNumberOfExecutedThings": least}
    return {"abortConfig": {"criteriaList": [criterion]}}


class Floor:
    """Things and jobs on one stage."""

    def __init__(self, stage: SimulatorStage) -> None:
        self.stage = stage
        self.iot, self.device, self.data = (self._client(n) for n in ("iot", "iot-jobs-data", "iot-data"))

    def _client(self, service: str) -> BaseClient:
        key = (self.stage.url, service)
        if key not in _CLIENTS:
            _CLIENTS[key] = self.stage.client(service)
        return _CLIENTS[key]

    def things(self, *names: str, group: str = "", **given: Any) -> None:
        """Put things in, alike, and into a group."""
        groups = [{"name": group, "things": list(names)}] if group else []
        self.stage.post("fleet", things=[{"name": name, **given} for name in names], thingGroups=groups)

    def job(self, identifier: str = "j", *targets: str, **given: Any) -> str:
        """A new job for `thing/…` and `thinggroup/…`; without targets for group g."""
        chosen = [arn(target) for target in targets or ("thinggroup/g",)]
        self.iot.create_job(jobId=identifier, targets=chosen, **{"document": '{"do": "it"}', **given})
        return identifier

    def shown(self, job: str = "j") -> dict[str, Any]:
        """A job as DescribeJob shows it."""
        return dict(self.iot.describe_job(jobId=job)["job"])

    def counts(self, job: str = "j") -> dict[str, int]:
        """The counts of a job that are not 0, by the word between numberOf and Things."""
        found = self.shown(job)["jobProcessDetails"]
        return {
            name.removeprefix("numberOf").removesuffix("Things"): n
            for name, n in found.items()
            if name.startswith("numberOf") and n
        }

    def statuses(self, job: str = "j") -> dict[str, str]:
        """The status of each thing's execution, the latest attempt."""
        listed = self.iot.list_job_executions_for_job(jobId=job, maxResults=250)["executionSummaries"]
        return {e["thingArn"].rpartition("/")[2]: e["jobExecutionSummary"]["status"] for e in reversed(listed)}

    def execution(self, thing: str, job: str = "j") -> dict[str, Any]:
        """An execution as the control plane describes it."""
        return dict(self.iot.describe_job_execution(jobId=job, thingName=thing)["execution"])

    def details(self, thing: str, job: str = "j") -> dict[str, str]:
        """The statusDetails of an execution."""
        return dict(self.execution(thing, job)["statusDetails"]["detailsMap"])

    def report(self, thing: str, status: str, job: str = "j", **given: Any) -> dict[str, Any]:
        """What a device tells."""
        return dict(self.device.update_job_execution(jobId=job, thingName=thing, status=status, **given))

    def held(self) -> dict[str, Any]:
        """What AWS IoT holds, by the control API."""
        return dict(self.stage.ask("GET", "state")[1]["iot"].get(f"{ACCOUNT}/{REGION}", {}))

    def thing(self, name: str) -> dict[str, Any]:
        """A thing and the device behind it."""
        return next(thing for thing in self.held()["things"] if thing["name"] == name)

    def shadow(self, thing: str, **given: str) -> dict[str, Any]:
        """A shadow's document."""
        return dict(json.loads(self.data.get_thing_shadow(thingName=thing, **given)["payload"].read()))

    def write(self, thing: str, document: object, **given: str) -> dict[str, Any]:
        """Update a shadow; gives the answer's document."""
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        answer = self.data.update_thing_shadow(thingName=thing, payload=payload, **given)
        return dict(json.loads(answer["payload"].read()))
