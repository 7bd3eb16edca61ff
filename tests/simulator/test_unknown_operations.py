"""What the simulator does not implement is refused by name, in the service's own error, whatever was asked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import botocore
import pytest
from botocore.client import BaseClient

from otactl_simulator.clock import Clock
from otactl_simulator.server import SimulatorServer
from otactl_simulator.wire.models import SERVICES, service_model
from otactl_simulator.world import build_world
from tests.support.simulator.sample_parameters import sample
from tests.support.simulator.stage import SimulatorStage, refusal

ServerAndStage = tuple[SimulatorServer, SimulatorStage]
BAD_REQUEST = {"ValidationException", "InvalidRequestException", "InvalidParameterException"}
ALL = {(service, name) for service in SERVICES for name in service_model(service).operation_names}
MODELLED = [s for s in build_world(Clock(), 0).services.values() if s.name != "tuya"]  # Tuya has no model of botocore
WITH = {(s.name, operation) for s in MODELLED for operation in s.handlers}
WITHOUT = sorted(ALL - WITH)


@pytest.fixture(scope="module")
def clients(simulator_server: ServerAndStage) -> dict[str, BaseClient]:
    """One client for each service, without limits of rate."""
    simulator_server[1].reset()
    return {name: simulator_server[1].client(name, inject_host_prefix=False) for name in SERVICES}


@pytest.mark.filterwarnings("ignore:.*deprecated.*")
@pytest.mark.parametrize(("service", "name"), WITHOUT)
def test_an_operation_without_a_handler_is_refused_by_its_name(
    clients: dict[str, BaseClient], service: str, name: str
) -> None:
    operation = service_model(service).operation_model(name)
    parameters = sample(operation.input_shape, full=False)
    assert isinstance(parameters, dict)

    said = refusal(getattr(clients[service], botocore.xform_name(name)), **parameters)

    declared = {shape.name for shape in operation.error_shapes} & BAD_REQUEST
    assert said.message == f"the simulator does not implement {service}:{name}"
    assert said.status == 400
    assert said.code in (declared or BAD_REQUEST)


def test_every_handler_is_of_an_operation_and_fuota_is_among_them() -> None:
    assert WITH <= ALL
    fuota = {name for _, name in ALL if "Fuota" in name}
    assert len(fuota) == 11
    assert {name for _, name in WITH} >= fuota | {"ListWirelessDevices"}


def raw(stage: SimulatorStage, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
    """Status and message of a refused request that was written by hand and signed for IoT Wireless."""
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/iotwireless/aws4_request"}
    request = urllib.request.Request(f"{stage.url}{path}", data=body, method=method, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as answer:
        return answer.code, json.load(answer)["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/fuota-jobs"), ("PATCH", "/fuota-tasks"), ("GET", "/")])
def test_a_path_of_no_operation_is_refused_in_words(stage: SimulatorStage, method: str, path: str) -> None:
    assert raw(stage, method, path) == (404, f"no operation of iotwireless is {method} {path}")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{", "the body is not JSON"),
        ("[]", "the body is not a JSON object"),
        ('{"FirmwareUpdateImage": "i"}', "FirmwareUpdateRole is required"),
        ('{"FirmwareUpdateImage": "", "FirmwareUpdateRole": "r"}', "FirmwareUpdateImage must be at least 1 characters"),
        ('{"FirmwareUpdateImage": 1, "FirmwareUpdateRole": "r"}', "FirmwareUpdateImage must be a string"),
        ('{"FirmwareUpdateImage": "i", "FirmwareUpdateRole": "r", "X": 1}', "unknown member X"),
        (
            '{"FirmwareUpdateImage": "i", "FirmwareUpdateRole": "r", "RedundancyPercent": -1}',
            "RedundancyPercent must be at least 0",
        ),
        (
            '{"FirmwareUpdateImage": "i", "FirmwareUpdateRole": "r", "LoRaWAN": {"FragmentSizeBytes": 1}}',
            "unknown member FragmentSizeBytes",
        ),
    ],
)
def test_what_boto3_would_not_send_is_refused_too(stage: SimulatorStage, body: str, why: str) -> None:
    assert raw(stage, "POST", "/fuota-tasks", body.encode()) == (400, why)
    assert stage.wireless.list_fuota_tasks()["FuotaTaskList"] == []
