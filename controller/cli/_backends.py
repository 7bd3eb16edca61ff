"""The backends an environment needs, built once; the only place where transports are made."""

from __future__ import annotations

from functools import partial

from controller.backends._aws import AwsTransport
from controller.backends._secrets import secret_text
from controller.backends._tuya import TuyaTransport
from controller.backends.fuota_shape import CAPABILITIES as FUOTA
from controller.backends.fuota_shape import FuotaShape
from controller.backends.iot_ota import OtaBackend
from controller.backends.iotwireless_fuota import FuotaBackend
from controller.backends.ota_shape import CAPABILITIES as OTA_UPDATE
from controller.backends.ota_shape import OtaShape
from controller.backends.tuya_ota import TuyaBackend
from controller.backends.tuya_shape import CAPABILITIES as TUYA
from controller.backends.tuya_shape import TuyaShape
from controller.model import Environment
from controller.outlook import PureHalf
from controller.ports import Backend, Capabilities


def shapes_for(environment: Environment) -> dict[str, PureHalf]:
    """The pure half of every sibling this version drives: enough for `plan --offline`."""
    return {"fuota": FuotaShape(), "otaUpdate": OtaShape(environment), "tuya": TuyaShape()}


def capabilities_of(kind: str) -> Capabilities:
    """What the service behind a backend block can do, known without an environment."""
    return {"fuota": FUOTA, "otaUpdate": OTA_UPDATE, "tuya": TUYA}[kind]


def transport_for(environment: Environment) -> AwsTransport:
    """One transport an environment: its Region, role, endpoints, rates and budget."""
    return AwsTransport(environment)


def tuya_for(environment: Environment, transport: AwsTransport) -> TuyaTransport:
    """Tuya's gateway for an environment; calls and waits are counted with those to AWS."""
    return TuyaTransport(
        environment, stats=transport.stats, sleep=transport.sleep, around=transport.around,
        read_secret=partial(secret_text, transport),
    )  # fmt: skip


def backends_for(
    environment: Environment, transport: AwsTransport, tuya: TuyaTransport | None = None
) -> dict[str, Backend]:
    """Every sibling this version drives; `tuya` is the gateway's transport where it is not to be the usual one."""
    found: dict[str, Backend] = {
        "fuota": FuotaBackend(environment, transport),
        "otaUpdate": OtaBackend(environment, transport),
    }
    if environment.tuya is not None:
        found["tuya"] = TuyaBackend(transport, tuya or tuya_for(environment, transport))
    return found
