"""Rules of waves, approvals, retries, schedules, images and each service, at the fields that break them."""

from __future__ import annotations

import pytest

from otactl.backends.tuya.config import TuyaAccess
from otactl.model import ApprovalRole, Environment
from tests.support.manifest_texts import SHA
from tests.support.policy_tables import FUOTA, GOOD, HOME, OTA, TUYA, changed, found, home, with_backend, with_waves

OWNERS = home(approval_roles=(ApprovalRole(name="owners", members=("ada",)),))
APPROVAL = f"  approvals: [{{wave: %s, role: %s, by: %s, digest: {SHA}, at: 2026-01-01T00:00:00Z}}]\n"
NEEDS = changed("name: fleet\n", "name: fleet\n        requires: {approval: owners}\n")
ALONE = "      - name: all\n        targets: {wirelessDevices: [a]}\n"
UNRADIO = GOOD.replace("    dataRate: 3\n    fragmentSizeBytes: 112\n    fragmentIntervalMs: 9000\n", "")
RETRY = "    retry: {attempts: %d, on: [%s], raiseRedundancyPercent: %d}\n"
WINDOW = '  windows: [{kind: allow, schedule: "%s", duration: %s, timeZone: UTC}]\n'
RATE = """\
    awsJobExecutionsRolloutConfig:
      maximumPerMinute: 10
      exponentialRate:
        baseRatePerMinute: 1
        incrementFactor: %s
        rateIncreaseCriteria: {numberOfNotifiedThings: 1}
"""
ABORT = """\
    awsJobAbortConfig:
      abortCriteriaList:
        - {failureType: ALL, action: CANCEL, thresholdPercentage: %s, minNumberOfExecutedThings: 1}
"""
OWN_SIGNATURE = (
    "customCodeSigning: {signature: {inlineDocument: abcd}, hashAlgorithm: sha384, signatureAlgorithm: ED25519}"
)
LATE = "  tuya: {productKey: a, srcVersions: [a], retryCount: 1, retryInterval: 60, timeoutInMinutes: 60}\n"
RAISED = "/spec/strategy/retry/raiseRedundancyPercent"
SESSION = "?class_c_timeout_exceeds_field /spec/fuota/fragmentIntervalMs"
OTA_SPEC = "/spec/otaUpdate"
TABLE: dict[str, tuple[str, Environment | None, list[str]]] = {
    "two waves of one name": (
        changed("name: fleet", "name: canary"),
        None,
        ["duplicate_wave /spec/strategy/waves/1/name"],
    ),
    "a role the environment has": (NEEDS, OWNERS, []),
    "a role the environment has not": (NEEDS, HOME, ["unknown_approval_role /spec/strategy/waves/1/requires/approval"]),
    "a role, and no environment to ask": (NEEDS, None, []),
    "a good approval": (GOOD + APPROVAL % ("fleet", "owners", "ada"), OWNERS, []),
    "approval of no wave": (
        GOOD + APPROVAL % ("flee", "owners", "ada"),
        OWNERS,
        ["unknown_wave /spec/approvals/0/wave"],
    ),
    "approval of a wave that otactl adds for targets declared later": (
        NEEDS + APPROVAL % ("top-up", "owners", "ada"),
        OWNERS,
        [],
    ),
    "approval of a wave that otactl adds, and no wave requires one": (
        GOOD + APPROVAL % ("top-up-2", "owners", "ada"),
        OWNERS,
        ["unknown_wave /spec/approvals/0/wave"],
    ),
    "approval by a stranger": (
        GOOD + APPROVAL % ("fleet", "owners", "eve"),
        OWNERS,
        ["approver_is_not_member /spec/approvals/0/by"],
    ),
    "approval for no role": (
        GOOD + APPROVAL % ("fleet", "bosses", "eve"),
        OWNERS,
        ["unknown_approval_role /spec/approvals/0/role"],
    ),
    "redundancy raised to 100": (GOOD + RETRY % (5, "offline", 20), None, []),
    "redundancy raised beyond": (GOOD + RETRY % (6, "offline", 20), None, [f"redundancy_exceeds_limit {RAISED}"]),
    "a reason FUOTA never gives": (
        GOOD + RETRY % (2, "flash", 1),
        None,
        ["?reason_never_happens /spec/strategy/retry/on/0"],
    ),
    "redundancy for Tuya": (
        with_backend(TUYA, "devices") + RETRY % (2, "flash", 1),
        None,
        [f"redundancy_not_supported {RAISED}"],
    ),
    "a module's version over LoRaWAN": (
        GOOD + "    confirm: {version: {module: main}}\n",
        None,
        ["confirm_not_supported /spec/strategy/confirm/version"],
    ),
    "a query that names no version": (
        GOOD + "    confirm: {version: {indexQuery: 'thingTypeName:probe'}}\n",
        None,
        ["query_names_no_version /spec/strategy/confirm/version/indexQuery"],
    ),
    "a shadow at Tuya": (
        with_backend(TUYA, "devices") + "    confirm: {version: {shadow: reported.v}}\n",
        None,
        ["confirm_not_supported /spec/strategy/confirm/version"],
    ),
    "a module at Tuya": (with_backend(TUYA, "devices") + "    confirm: {version: {module: default}}\n", None, []),
    "a schedule": (GOOD + WINDOW % ("*/15 0-6,22 1,15 jan-mar mon-fri", "7h"), None, []),
    "an hour of 24": (GOOD + WINDOW % ("0 24 * * *", "7h"), None, ["schedule_is_invalid /spec/windows/0/schedule"]),
    "a range backwards": (
        GOOD + WINDOW % ("0 6-2 * * *", "7h"),
        None,
        ["schedule_is_invalid /spec/windows/0/schedule"],
    ),
    "a step of nothing": (
        GOOD + WINDOW % ("*/0 2 * * *", "7h"),
        None,
        ["schedule_is_invalid /spec/windows/0/schedule"],
    ),
    "a window of eight days": (
        GOOD + WINDOW % ("0 2 * * *", "8d"),
        None,
        ["?window_is_very_long /spec/windows/0/duration"],
    ),
    "a megabyte": (changed("8000", "1000000"), None, [SESSION]),
    "a byte more": (changed("8000", "1000001"), None, [SESSION, "image_exceeds_limit /spec/firmware/sizeBytes"]),
    "16 MB over IoT Core": (with_backend(OTA, "things").replace("8000", "16000000"), None, []),
    "more over IoT Core": (
        with_backend(OTA, "things").replace("8000", "16000001"),
        None,
        ["image_exceeds_limit /spec/firmware/sizeBytes"],
    ),
    "an address without checksum": (
        changed(f"soil/{SHA}", "soil/latest"),
        None,
        ["?image_is_not_content_addressed /spec/firmware/image"],
    ),
    "a role of the account": (GOOD, HOME, []),
    "a role of another account": (GOOD, home(account="999999999999"), ["role_account_differs /spec/fuota/role"]),
    "a Region without LoRaWAN": (GOOD, home(region="eu-north-1"), ["?region_without_service /spec/environment"]),
    "a Region without AWS IoT Core": (
        with_backend(OTA, "things"),
        home(region="ap-southeast-4"),
        ["?region_without_service /spec/environment"],
    ),
    "a Region with AWS IoT Core, and without LoRaWAN": (with_backend(OTA, "things"), home(region="eu-west-2"), []),
    "a role of another partition": (
        with_backend(OTA, "things"),
        home(region="cn-north-1"),
        ["partition_differs /spec/otaUpdate/role"],
    ),
    "a role of the partition": (
        with_backend(OTA.replace("arn:aws:", "arn:aws-us-gov:"), "things"),
        home(region="us-gov-west-1"),
        [],
    ),
    "another module at Tuya": (
        with_backend(TUYA, "devices") + "    confirm: {version: {module: main}}\n",
        None,
        ["confirm_module_differs /spec/strategy/confirm/version/module"],
    ),
    "Tuya without access": (with_backend(TUYA, "devices"), HOME, ["environment_without_tuya /spec/environment"]),
    "Tuya with access": (with_backend(TUYA, "devices"), home(access={"tuya": TuyaAccess(endpoint="https://x")}), []),
    "GRAY without percent": (
        with_backend("  tuya: {productKey: a, targetSelection: GRAY}\n", "devices").split("    waves:")[0]
        + "    waves: [{name: a}]\n",
        None,
        ["selection_field_missing /spec/tuya/targetSelection"],
    ),
    "percent without GRAY": (
        with_backend("  tuya: {productKey: a, grayPercent: 5}\n", "devices"),
        None,
        ["selection_field_unused /spec/tuya/grayPercent"],
    ),
    "a gate that nothing can fail": (
        changed("{minSuccessPercent: 90}", "{minSuccessPercent: 0}"),
        None,
        ["?gate_never_fails /spec/strategy/gate/minSuccessPercent"],
    ),
    "no failure allowed, and some": (
        changed("{minSuccessPercent: 90}", "{minSuccessPercent: 90, maxFailures: 0}"),
        None,
        ["gate_limits_contradict /spec/strategy/gate/maxFailures"],
    ),
    "more failures allowed than devices may fail": (
        changed("{minSuccessPercent: 90}", "{minSuccessPercent: 90, maxFailures: 5}")
        .replace(FUOTA, TUYA)
        .replace("multicastGroups", "devices"),
        None,
        ["?gate_limits_contradict /spec/strategy/gate/maxFailures"],
    ),
    "a wave that passes when no one answers": (
        changed("{minSuccessPercent: 90}", "{minSuccessPercent: 95, maxFailures: 0, weights: {timeout: 0}}"),
        None,
        ["gate_passes_unanswered /spec/strategy/gate/weights/timeout"],
    ),
    "silence that weighs too little to fail anybody": (
        changed("{minSuccessPercent: 90}", "{minSuccessPercent: 60, weights: {timeout: 0.4}}"),
        None,
        ["gate_passes_unanswered /spec/strategy/gate/weights/timeout"],
    ),
    "silence that weighs little, and answers that have to come": (
        changed("{minSuccessPercent: 90}", "{minSuccessPercent: 60, minReported: 1, weights: {timeout: 0}}"),
        None,
        [],
    ),
    "silence that weighs enough": (
        changed("{minSuccessPercent: 90}", "{minSuccessPercent: 60.1, weights: {timeout: 0.4}}"),
        None,
        [],
    ),
    "a pace that silence does not wait for": (
        with_backend(OTA, "things")
        .replace("{minSuccessPercent: 90}", "{silenceAfter: 119s}")
        .replace("  strategy:", "    awsJobExecutionsRolloutConfig: {maximumPerMinute: 1}\n  strategy:"),
        None,
        ["?silence_shorter_than_pace /spec/strategy/gate/silenceAfter"],
    ),
    "a soak longer than the proof": (
        with_backend(OTA, "things").replace("{minSuccessPercent: 90}", "{soak: 48h}")
        + "    confirm: {version: {shadow: reported.v}, within: 24h}\n",
        None,
        ["soak_exceeds_confirm /spec/strategy/gate/soak"],
    ),
    "labels without percent": (
        changed("name: canary\n", "name: canary\n        include: {ring: lab}\n"),
        None,
        ["labels_need_percent /spec/strategy/waves/0/include"],
    ),
    "a wave of the reserved name": (
        with_waves("      - {name: top-up, percent: 100}\n", "  targets: {things: [a]}\n", with_backend(OTA, "things")),
        None,
        ["wave_name_is_reserved /spec/strategy/waves/0/name"],
    ),
    "a retry of one attempt": (
        GOOD + RETRY % (1, "offline", 1),
        None,
        ["retry_without_attempts /spec/strategy/retry/attempts"],
    ),
    "a retry of what is not cured": (
        GOOD + RETRY % (2, "noMemory", 1),
        None,
        ["reason_is_permanent /spec/strategy/retry/on/0"],
    ),
    "a retry of an index that single devices do not know": (
        with_waves(ALONE, text=UNRADIO) + RETRY % (2, "indexUnsupported", 1),
        None,
        ["reason_is_permanent /spec/strategy/retry/on/0"],
    ),
    "a retry of an index that a group's devices do not know": (
        GOOD + RETRY % (2, "indexUnsupported", 1),
        None,
        [],
    ),
    "a wave to confirm and nothing waits": (
        with_backend("  tuya: {productKey: a, confirmWaves: [canary]}\n", "devices"),
        None,
        ["confirm_without_need /spec/tuya/confirmWaves"],
    ),
    "a wave to confirm that is not there": (
        with_backend("  tuya: {productKey: a, needConfirm: true, confirmWaves: [canary, flet]}\n", "devices"),
        None,
        ["unknown_wave /spec/tuya/confirmWaves/1"],
    ),
    "a wave to confirm that otactl adds later": (
        with_backend("  tuya: {productKey: a, needConfirm: true, confirmWaves: [top-up]}\n", "devices"),
        None,
        [],
    ),
    "a retry after the timeout": (
        with_backend(LATE, "devices"),
        None,
        ["retry_exceeds_timeout /spec/tuya/retryInterval"],
    ),
    "a settle time shorter than the gateway's window": (
        with_backend("  tuya: {productKey: a, settleTime: 14m}\n", "devices"),
        home(access={"tuya": TuyaAccess(endpoint="https://x")}),
        ["settle_time_too_short /spec/tuya/settleTime"],
    ),
    "a settle time as long as the gateway's window": (
        with_backend("  tuya: {productKey: a, settleTime: 15m}\n", "devices"),
        home(access={"tuya": TuyaAccess(endpoint="https://x")}),
        [],
    ),
    "an update that never ends, then a wave": (
        with_backend(OTA + "    targetSelection: CONTINUOUS\n", "things"),
        None,
        ["continuous_never_completes /spec/otaUpdate/targetSelection"],
    ),
    "a signed URL without HTTP": (
        with_backend(OTA + "    protocols: [MQTT]\n    awsJobPresignedUrlConfig: {expiresInSec: 60}\n", "things"),
        None,
        ["signed_url_needs_http /spec/otaUpdate/awsJobPresignedUrlConfig"],
    ),
    "a share of a group that suffices": (
        changed("    gate:", "    startWhenReady: {percent: 90, after: 24h}\n    gate:"),
        None,
        [],
    ),
    "a share of single devices": (
        with_backend(OTA, "things").replace("    gate:", "    startWhenReady: {percent: 90, after: 24h}\n    gate:"),
        None,
        ["start_when_ready_not_supported /spec/strategy/startWhenReady"],
    ),
    "a growing rate without a limit": (
        with_backend(OTA + (RATE % "1.2").replace("      maximumPerMinute: 10\n", ""), "things"),
        None,
        [f"rate_has_no_maximum {OTA_SPEC}/awsJobExecutionsRolloutConfig/exponentialRate"],
    ),
    "a rate that begins above its limit": (
        with_backend(OTA + (RATE % "1.2").replace("baseRatePerMinute: 1", "baseRatePerMinute: 11"), "things"),
        None,
        [f"rate_exceeds_maximum {OTA_SPEC}/awsJobExecutionsRolloutConfig/exponentialRate/baseRatePerMinute"],
    ),
    "two abort criteria of one type": (
        with_backend(OTA + ABORT % "10" + (ABORT % "20").partition("List:\n")[2], "things"),
        None,
        [f"duplicate_abort_criterion {OTA_SPEC}/awsJobAbortConfig/abortCriteriaList/1/failureType"],
    ),
    "algorithms by name": (
        with_backend(OTA.replace("awsSignerJobId: abc", OWN_SIGNATURE), "things"),
        None,
        [],
    ),
    "an image whose key has every character": (
        changed("soil.bin", "v=1/a b+c@d,e;f#g~h|i[j]k^l{m}%é.bin")
        .replace("    image: s3", '    image: "s3')
        .replace("é.bin", 'é.bin"'),
        None,
        [],
    ),
    "an image with a version in its address": (
        changed("soil.bin", "soil.bin?versionId=abc"),
        None,
        ["image_names_a_version /spec/firmware/image"],
    ),
    "an image whose address is encoded": (
        changed("soil.bin", "soil%20probe.bin"),
        None,
        ["?image_key_looks_encoded /spec/firmware/image"],
    ),
    "a key longer than the store takes": (
        changed("soil.bin", "é" * 500),
        None,
        ["image_key_too_long /spec/firmware/image"],
    ),
    "more redundancy where none is declared": (
        changed("    redundancyPercent: 20\n", "").replace("    gate:", RETRY % (2, "integrity", 5) + "    gate:"),
        None,
        ["?redundancy_is_not_declared /spec/fuota", f"redundancy_not_declared {RAISED}"],
    ),
    "a factor of one decimal": (with_backend(OTA + RATE % "1.2", "things"), None, []),
    "a factor of two decimals": (
        with_backend(OTA + RATE % "1.25", "things"),
        None,
        [f"too_many_decimals {OTA_SPEC}/awsJobExecutionsRolloutConfig/exponentialRate/incrementFactor"],
    ),
    "a threshold of three decimals": (
        with_backend(OTA + ABORT % "1.125", "things"),
        None,
        [f"too_many_decimals {OTA_SPEC}/awsJobAbortConfig/abortCriteriaList/0/thresholdPercentage"],
    ),
}


@pytest.mark.parametrize(("text", "environment", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_rules_find(text: str, environment: Environment | None, expected: list[str]) -> None:
    assert found(text, environment) == expected
