"""Connects to Tuya's gateway for an environment; its calls and waits count with those to AWS."""

from __future__ import annotations

from functools import partial

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.secrets import secret_text
from otactl.backends.tuya.client import TuyaClient
from otactl.model import Environment


def connect(environment: Environment, client: AwsClient) -> TuyaClient:
    """Create the client of the gateway."""
    return TuyaClient(
        environment,
        stats=client.stats,
        sleep=client.policy.sleep,
        around=client.around,
        read_secret=partial(secret_text, client),
        shared=client.policy.shared,
    )
