"""The language is whole: manifests that use every block are valid, and become the values that are declared."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.tuya.config import TuyaConfig
from otactl.model import VersionConfirm
from tests.support.manifest_texts import GOOD, SHA, Read

STRATEGY = f"""\
  strategy:
    waves:
      - name: canary
        targets: {{multicastGroups: [3f0c]}}
        gate: {{minSuccessPercent: 99.5}}
      - name: fleet
        targets: {{multicastGroups: [77ab, 91cd]}}
        requires: {{approval: firmware-owners}}
    gate:
      weights: {{offline: 0.5}}
      minSuccessPercent: 95
      minReported: 10
      maxFailures: 20
      silenceAfter: 24h
      soak: 12h
    retry: {{attempts: 2, on: [missingFragments, integrity, sessionReplay], backoff: 6h, raiseRedundancyPercent: 8}}
    onFailure: pause
    confirm: {{version: {{shadow: reported.firmware.version}}, within: 72h}}
  windows:
    - {{kind: allow, schedule: "0 22 * * *", duration: 7h, timeZone: Europe/Paris, overrun: finish}}
  drift:
    mode: correct
    watch: 30d
    ignore: [{{field: description, reason: edited by support, until: 2027-01-01T01:00:00+01:00}}]
  approvals: [{{wave: fleet, role: firmware-owners, by: ada, digest: {SHA}, at: 2026-01-01T00:00:00Z}}]
  suspend: null
  cleanup: never
"""
WHOLE = GOOD[: GOOD.index("  strategy:")] + STRATEGY
OTA = """\
  otaUpdate:
    role: ${stack:otaRoleArn}
    description: Gateways
    protocols: [MQTT, HTTP]
    targetSelection: SNAPSHOT
    awsJobExecutionsRolloutConfig:
      maximumPerMinute: 50
      exponentialRate: {baseRatePerMinute: 5, incrementFactor: 1.5, rateIncreaseCriteria: {numberOfSucceededThings: 9}}
    awsJobPresignedUrlConfig: {expiresInSec: 1800}
    awsJobAbortConfig:
      abortCriteriaList:
        - {failureType: ALL, action: CANCEL, thresholdPercentage: 12.5, minNumberOfExecutedThings: 20}
    awsJobTimeoutConfig: {inProgressTimeoutInMinutes: 60}
    additionalParameters: {ticket: FW-231}
    tags: {team: gateway}
    files:
      - fileName: /update
        fileType: 0
        fileVersion: "2.4.1"
        fileLocation: {s3Location: {bucket: acme, key: gw.bin, version: abc}}
        codeSigning:
          startSigningJobParameter:
            signingProfileName: gateway
            signingProfileParameter:
              certificateArn: arn:aws:acm:eu-west-1:123456789012:certificate/0a1b
              platform: AmazonFreeRTOS-Default
              certificatePathOnDevice: /cert.pem
            destination: {s3Destination: {bucket: acme, prefix: signed/}}
        attributes: {board: gw-2}
      - fileName: /extra
        fileLocation: {stream: {streamId: gw, fileId: 1}}
        codeSigning:
          customCodeSigning:
            signature: {inlineDocument: MEUCIQDx}
            certificateChain: {certificateName: /cert.pem, inlineDocument: PEM}
            hashAlgorithm: SHA256
            signatureAlgorithm: ECDSA
"""
TUYA = """\
  tuya:
    productKey: a1b2c3
    firmwareId: "1001"
    moduleName: default
    targetSelection: SPECIFIC
    srcVersions: ["2.4.0"]
    retryInterval: 10
    retryCount: 2
    timeoutInMinutes: 60
    needPush: true
    needConfirm: false
    downloadProtocol: HTTPS
    settleTime: 20m
"""
ENVIRONMENT = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec:
  owner: acme
  account: "012345678901"
  region: eu-west-1
  assumedRole: arn:aws:iam::012345678901:role/otactl
  endpoints: {iotwireless: "http://127.0.0.1:4566", s3: "http://[::1]:4566/", secretsmanager: "http://127.0.0.1:4566"}
  approvalRoles: [{name: firmware-owners, members: [ada]}, {name: anybody}]
  freezes: [{kind: deny, schedule: "0 0 24 12 *", duration: 3d, timeZone: Europe/Paris}]
  tuya: {endpoint: "https://si-0123.tuyacloud.com:8686/", accessKeyIdEnv: TUYA_ID, accessKeySecretEnv: TUYA_SECRET}
  callRates: {"iotwireless:*": 10, "iotwireless:GetFuotaTask": 2.5, "secretsmanager:*": 1}
  callBudget: 500
  foreignTasks: ignore
"""


def block_of(text: str, kind: str) -> str:
    return GOOD[: GOOD.index("  fuota:")] + text + GOOD[GOOD.index("  strategy:") :].replace("multicastGroups", kind)


def test_the_whole_fuota_rollout_is_valid_and_becomes_its_value() -> None:
    read = Read(WHOLE)
    assert read.errors == []
    rollout = read.rollout
    assert isinstance(rollout.backend, FuotaConfig)
    assert (rollout.backend.start_lead, rollout.backend.fragment_interval_ms) == ("35m", 9000)
    assert isinstance(rollout.strategy.confirm, VersionConfirm)
    assert rollout.strategy.confirm.version.shadow == "reported.firmware.version"
    assert rollout.drift.ignore[0].until == datetime(2027, 1, 1, tzinfo=UTC)
    assert rollout.strategy.gate.weights == {"offline": 0.5}
    assert (rollout.suspend, rollout.cleanup, rollout.labels) == (None, "never", {"product": "soil"})


def test_the_ota_block_goes_whole_into_its_value() -> None:
    read = Read(block_of(OTA, "things"))
    assert read.errors == []
    backend = read.rollout.backend
    assert isinstance(backend, OtaUpdateConfig)
    assert backend.document == read.manifests[0].document["spec"]["otaUpdate"]


def test_the_tuya_block_goes_whole_into_its_value() -> None:
    read = Read(block_of(TUYA, "devices"))
    assert read.errors == []
    backend = read.rollout.backend
    assert isinstance(backend, TuyaConfig)
    assert backend.document["firmwareId"] == "1001"


def test_the_whole_environment_is_valid_and_becomes_its_value() -> None:
    read = Read(ENVIRONMENT)
    assert read.errors == []
    environment = read.manifests[0].environment
    assert environment is not None
    assert (environment.account, environment.call_budget, environment.foreign_tasks) == ("012345678901", 500, "ignore")
    assert environment.freezes[0].kind == "deny"
    assert environment.access["tuya"] is not None
    assert environment.access["tuya"].access_key_secret_env == "TUYA_SECRET"
    assert environment.call_rates == {"iotwireless:*": 10, "iotwireless:GetFuotaTask": 2.5, "secretsmanager:*": 1}


BY_VARIABLES = "accessKeyIdEnv: TUYA_ID, accessKeySecretEnv: TUYA_SECRET"
SECRET = "arn:aws:secretsmanager:eu-west-1:012345678901:secret:"


@pytest.mark.parametrize("name", ["tuya-AbCdEf", "prod/tuya.key+1@eu=_-a1B2c3"])
def test_an_environment_may_name_a_secret_instead_of_variables(name: str) -> None:
    read = Read(ENVIRONMENT.replace(BY_VARIABLES, f'secretArn: "{SECRET}{name}"'))
    assert read.errors == []
    environment = read.manifests[0].environment
    assert environment is not None
    assert environment.access["tuya"] is not None
    assert environment.access["tuya"].secret_arn == f"{SECRET}{name}"


@pytest.mark.parametrize(
    "arn",
    [
        f"{SECRET}tuya",
        f"{SECRET}tuya-*",
        f"{SECRET}tu ya-AbCdEf",
        SECRET.replace("eu-west-1", "") + "tuya-AbCdEf",
        SECRET.replace("012345678901", "1") + "tuya-AbCdEf",
        "arn:aws:ssm:eu-west-1:012345678901:parameter/tuya-AbCdEf",
        "tuya-AbCdEf",
    ],
)
def test_what_is_no_whole_arn_of_a_secret_is_refused_at_its_line(arn: str) -> None:
    read = Read(ENVIRONMENT.replace(BY_VARIABLES, f'secretArn: "{arn}"'))
    ((code, line),) = [(error.code, error.line) for error in read.errors]
    assert (code, line) == ("bad_format", 12)


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "HOME", "XTUYA_KEY", "tuya_key", "TUYA_", "TUYA_A B"])
def test_a_manifest_may_not_name_any_variable_as_the_key_of_tuya(name: str) -> None:
    read = Read(ENVIRONMENT.replace("accessKeyIdEnv: TUYA_ID", f'accessKeyIdEnv: "{name}"'))
    ((error),) = read.errors
    assert (error.code, "begins with TUYA_ or OTACTL_" in error.message) == ("bad_format", True)


@pytest.mark.parametrize(
    ("devices", "keys"),
    [
        ("[a, b]", [("a", None), ("b", None)]),
        ("[{id: a, labels: {site: north}}]", [("a", None)]),
        ("[{devEui: 70B3D57ED0001A2B}, a]", [(None, "70b3d57ed0001a2b"), ("a", None)]),
    ],
)
def test_devices_may_be_names_or_objects(devices: str, keys: list[tuple[str | None, str | None]]) -> None:
    radio = "    dataRate: 3\n    fragmentSizeBytes: 112\n    fragmentIntervalMs: 9000\n"
    waves = f"  strategy: {{waves: [{{name: all, targets: {{wirelessDevices: {devices}}}}}]}}\n"
    targets = Read(GOOD[: GOOD.index("  strategy:")].replace(radio, "") + waves).rollout.strategy.waves[0].targets
    assert targets is not None
    assert [(each.id, each.dev_eui) for each in targets.wireless_devices] == keys
