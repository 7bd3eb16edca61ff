"""Tuya's access key from AWS Secrets Manager, over real HTTP: read once and late, refused in words, never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from otactl.cli import cli
from otactl.model import Phase, Source
from tests.support import device_status_cli
from tests.support.fuota_stage import declared
from tests.support.secret_reader import READER, reads, role
from tests.support.tuya_stage import PLUGS, SECRET_ARN, STORED, TuyaStage, plugs

KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/11112222-3333-4444-5555-666677778888"
ALLOWED = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": SECRET_ARN}


def run_as(tuya_stage: TuyaStage, **changes: object) -> str:
    """One run of an environment that is changed in both of its hands; gives what went wrong."""
    return tuya_stage.run(transport=tuya_stage.transport(**changes), **changes).rollouts[0].error


def test_a_rollout_runs_to_its_end_with_the_key_of_the_secret(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()

    tuya_stage.cron()

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert tuya_stage.installs() == dict.fromkeys(PLUGS, 1)
    assert {r["parameters"]["SecretId"] for r in tuya_stage.asked("secretsmanager")} == {SECRET_ARN}


def test_a_run_reads_the_secret_once_and_one_that_signs_nothing_does_not(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()

    tuya_stage.run(plugs(), declared())
    after_one = reads(tuya_stage)
    tuya_stage.cron()
    done = reads(tuya_stage)
    tuya_stage.run()

    assert len(tuya_stage.asked("tuya")) > 5
    assert after_one == 1
    assert reads(tuya_stage) == done


def test_a_run_of_other_services_does_not_read_the_secret(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()

    tuya_stage.run(declared())

    assert reads(tuya_stage) == 0


def test_the_secret_is_read_with_the_role_that_the_environment_assumes(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()
    role(tuya_stage, ALLOWED)

    assert run_as(tuya_stage, assumed_role=READER) == ""
    assert len(tuya_stage.batches()) == 1
    assert "AssumeRole" in {r["operation"] for r in tuya_stage.asked("sts")}


def test_the_secret_is_read_at_the_endpoint_the_environment_names(
    tuya_stage: TuyaStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuya_stage.key_from_secret()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")

    assert run_as(tuya_stage, endpoints={"secretsmanager": tuya_stage.server.url}) == ""


def test_a_key_that_was_changed_is_taken_by_the_next_run(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()
    tuya_stage.run()
    tuya_stage.cloud(keys=[{"id": "AK1", "secret": "an0ther"}])
    refused = tuya_stage.run().rollouts[0].error
    tuya_stage.key_from_secret(text=STORED.replace("s3cret", "an0ther"))

    assert refused.startswith("SignatureRefused:")
    assert tuya_stage.run().rollouts[0].error == ""


WRONG = {
    "marked for deletion": ({"deleted": True}, "because it was marked for deletion; fix it, or name another"),
    "binary": ({"binary": "czNjcmV0"}, "is binary, and a key is kept as text; fix it"),
    "no json": ({"text": "s3cret"}, "is not the JSON"),
    "half a key": ({"text": '{"accessKeyId": "AK1"}'}, "is not the JSON"),
}


@pytest.mark.parametrize(("entry", "why"), WRONG.values(), ids=WRONG.keys())
def test_a_secret_that_holds_no_key_is_one_message_and_nothing_is_sent(
    tuya_stage: TuyaStage, entry: dict[str, object], why: str
) -> None:
    tuya_stage.key_from_secret(**entry)

    error = tuya_stage.run().rollouts[0].error

    is_reported(tuya_stage, error, "NoCredentials", why)


def is_reported(tuya_stage: TuyaStage, error: str, reason: str, why: str) -> None:
    """One line with its reason, the secret's ARN and what is wrong, no value; Tuya was sent nothing."""
    assert error.startswith(f"{reason}: ")
    assert why in error
    assert SECRET_ARN in error
    assert "\n" not in error
    assert not [name for name in ("s3cret", "AK1") if name in error]
    assert tuya_stage.asked("tuya") == []


def test_a_secret_that_is_not_there_is_one_message_and_nothing_is_sent(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()
    tuya_stage.access = replace(tuya_stage.access, secret_arn=SECRET_ARN.replace("tuya", "other"))

    error = tuya_stage.run().rollouts[0].error

    is_reported(
        tuya_stage, error.replace("other", "tuya"), "NoCredentials", "is not there: secretsmanager:GetSecretValue: "
    )


def test_who_may_not_read_the_secret_learns_what_to_grant_on_which_and_nothing_is_sent(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()
    role(tuya_stage)

    error = run_as(tuya_stage, assumed_role=READER)

    is_reported(
        tuya_stage, error, "PermissionDenied", f"grant secretsmanager:GetSecretValue on {SECRET_ARN} (and kms:Decrypt"
    )


def test_who_may_not_use_the_secrets_key_gets_an_error_that_names_it_and_nothing_is_sent(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret(kmsKey=KEY_ARN)
    role(tuya_stage, ALLOWED)

    error = run_as(tuya_stage, assumed_role=READER)

    is_reported(tuya_stage, error, "PermissionDenied", "Access to KMS is not allowed; grant ")
    assert "kms:Decrypt on its key" in error


def test_a_secret_that_cannot_be_read_is_asked_for_once_for_all_rollouts(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret(deleted=True)
    second = plugs(name="socket", source=Source(file="socket.yaml", digest="s" * 64))

    report = tuya_stage.run(plugs(), second)

    assert [r.error.partition(":")[0] for r in report.rollouts] == ["NoCredentials", "NoCredentials"]
    assert report.rollouts[0].error == report.rollouts[1].error
    assert reads(tuya_stage) == 1


def test_a_service_that_is_down_for_a_moment_is_asked_again(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()
    rule = {"service": "secretsmanager", "operation": "GetSecretValue"}
    tuya_stage.server.world.faults.replace(
        [
            {**rule, "nth": 1, "effect": "throttle"},
            {**rule, "nth": 2, "effect": "timeoutAfterCommit"},
            {**rule, "nth": 3, "effect": "error500"},
        ]
    )

    assert tuya_stage.run().rollouts[0].error == ""
    assert reads(tuya_stage) == 4


def test_a_service_that_stays_down_lets_the_run_wait_and_the_next_one_go_on(tuya_stage: TuyaStage) -> None:
    tuya_stage.key_from_secret()
    tuya_stage.fault(service="secretsmanager", operation="*", effect="throttle")
    waiting = tuya_stage.run().rollouts[0]
    tuya_stage.server.world.faults.replace([])

    assert "secretsmanager:GetSecretValue is throttled" in waiting.error
    assert tuya_stage.asked("tuya") == []
    assert tuya_stage.run().rollouts[0].error == ""


def test_a_plan_without_the_key_says_so_and_plans_what_it_can(
    tuya_stage: TuyaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plug.yaml").write_text(device_status_cli.rollout(environment="eu"))
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/eu.yaml").write_text(device_status_cli.environment("eu", tuya_stage.url))
    monkeypatch.setenv("TUYA_SECRET", "")

    ran = CliRunner().invoke(cli, ["plan", "plug.yaml", "-o", "json"])

    (planned,) = json.loads(ran.stdout)["rollouts"]
    assert ran.exit_code == 2
    assert planned["next"][0]["calls"][0]["operation"] == "CreateOTAStaticUpgradeJob"
    assert any(note.startswith("nothing of Tuya OTA was compared: ") for note in planned["notes"])
    assert not any(r["service"] == "tuya" for r in tuya_stage.server.world.requests)
