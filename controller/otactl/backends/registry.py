"""The backends an environment needs, built once; the only place where transports are made."""

from __future__ import annotations

from functools import partial

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.secrets import secret_text
from otactl.backends.fuota.backend import FuotaBackend
from otactl.backends.fuota.definition import CAPABILITIES as FUOTA
from otactl.backends.fuota.definition import FuotaShape
from otactl.backends.iot_ota.backend import OtaBackend
from otactl.backends.iot_ota.definition import CAPABILITIES as OTA_UPDATE
from otactl.backends.iot_ota.definition import OtaShape
from otactl.backends.tuya.backend import TuyaBackend
from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.definition import CAPABILITIES as TUYA
from otactl.backends.tuya.definition import TuyaShape
from otactl.model import Environment
from otactl.planning.outlook import PureHalf
from otactl.ports import Backend, Capabilities


def shapes_for(environment: Environment) -> dict[str, PureHalf]:
    """The pure half of every sibling this version drives: enough for `plan --offline`."""
    return {"fuota": FuotaShape(), "otaUpdate": OtaShape(environment), "tuya": TuyaShape()}


def capabilities_of(kind: str) -> Capabilities:
    """What the service behind a backend block can do, known without an environment."""
    return {"fuota": FUOTA, "otaUpdate": OTA_UPDATE, "tuya": TUYA}[kind]


def transport_for(environment: Environment) -> AwsClient:
    """One transport an environment: its Region, role, endpoints, rates and budget."""
    return AwsClient(environment)


def tuya_for(environment: Environment, transport: AwsClient) -> TuyaClient:
    """Tuya's gateway for an environment; calls and waits are counted with those to AWS."""
    return TuyaClient(
        environment,
        stats=transport.stats,
        sleep=transport.sleep,
        around=transport.around,
        read_secret=partial(secret_text, transport),
    )


def backends_for(environment: Environment, transport: AwsClient, tuya: TuyaClient | None = None) -> dict[str, Backend]:
    """Every sibling this version drives; `tuya` is the gateway's transport where it is not to be the usual one."""
    found: dict[str, Backend] = {
        "fuota": FuotaBackend(environment, transport),
        "otaUpdate": OtaBackend(environment, transport),
    }
    if environment.tuya is not None:
        found["tuya"] = TuyaBackend(transport, tuya or tuya_for(environment, transport))
    return found
