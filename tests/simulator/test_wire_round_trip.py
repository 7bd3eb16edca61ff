"""What boto3 sends for every operation of the six services is routed to it and parsed back to the same parameters."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.config import Config

from otactl_simulator.wire.models import SERVICES, match, service_model
from otactl_simulator.wire.parse import parse
from otactl_simulator.wire.validate import problems
from tests.support.simulator.sample_parameters import sample

OPERATIONS = [(service, name) for service in SERVICES for name in service_model(service).operation_names]


class _Empty:
    """The body of an answer no one reads."""

    def stream(self, *_args: object, **_kwargs: object) -> list[bytes]:
        return [b"{}"]


@cache
def _client(service: str) -> tuple[BaseClient, list[AWSPreparedRequest]]:
    """A real client whose requests stop just before the wire."""
    client = boto3.Session().client(
        service,
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 1}),
    )
    caught: list[AWSPreparedRequest] = []

    def stop(request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
        caught.append(request)
        return AWSResponse(request.url, 200, {}, _Empty())

    client.meta.events.register("before-send", stop)
    return client, caught


def sent(service: str, operation: str, parameters: object) -> AWSPreparedRequest:
    """What boto3 would put on the wire."""
    client, caught = _client(service)
    caught.clear()
    call: Callable[..., object] = getattr(client, botocore.xform_name(operation))
    call(**parameters)
    return caught[-1]


def read(service: str, request: AWSPreparedRequest) -> tuple[str, dict[str, object]]:
    """What the simulator makes of it."""
    url = urlsplit(request.url)
    headers = {k.lower(): v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
    found = match(service, request.method, url.path, headers.get("x-amz-target", ""))
    assert found is not None, f"{request.method} {url.path} leads nowhere"
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    return found.operation.name, parse(found, parse_qs(url.query, keep_blank_values=True), headers, body)


@pytest.mark.filterwarnings("ignore:.*deprecated.*")
@pytest.mark.parametrize(("operation", "full"), list(itertools.product(OPERATIONS, (False, True))))
def test_what_boto3_sends_is_routed_and_parsed_to_the_same_parameters(operation: tuple[str, str], full: bool) -> None:
    service, name = operation
    shape = service_model(service).operation_model(name).input_shape
    parameters = sample(shape, full=full)
    assert isinstance(parameters, dict)

    routed, parsed = read(service, sent(service, name, parameters))

    tokens = {n for n, m in (shape.members.items() if shape else ()) if m.metadata.get("idempotencyToken")}
    assert routed == name
    assert {k: v for k, v in parsed.items() if k in parameters or k not in tokens} == parameters
    assert list(problems(shape, parsed)) == []


def test_every_operation_of_the_six_services_is_covered() -> None:
    assert len(OPERATIONS) == 445
