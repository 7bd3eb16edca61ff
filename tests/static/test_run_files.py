"""The samples that `otactl init` writes to run otactl elsewhere: valid by their schemas and tools, and locked down."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from infra.iam_documents import Names
from infra.workers import HEALTH, STOP_SECONDS, container
from otactl.backends.registry import BACKENDS
from otactl.cli.commands import workers
from otactl.cli.init_templates import Choices
from otactl.cli.repository_files import RUNNERS, repository_files
from tests.support.paths import ROOT
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import WORKERS

CHOICES = Choices(
    folder="rollouts", environment="prod", owner="acme", account="123456789012", region="eu-west-1", infra=False
)
FILES = repository_files(CHOICES, [BACKENDS["fuota"].template], RUNNERS)
MANIFESTS = ("deploy/otactl-cronjob.yaml", "deploy/otactl-workers.yaml")
UNITS = ("deploy/otactl.service", "deploy/otactl.timer", "deploy/otactl-workers.service")
OLDEST = "1.29"  # the oldest version of Kubernetes that the samples are checked against
PROGRAMS = Path(sys.executable).parent
SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing; install systemd"
)


def documents(name: str) -> list[dict[str, Any]]:
    return [dict(found) for found in yaml.safe_load_all(FILES[name])]


def of_kind(kind: str) -> dict[str, Any]:
    return next(found for name in reversed(MANIFESTS) for found in documents(name) if found["kind"] == kind)


def pods() -> list[dict[str, Any]]:
    job = of_kind("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return [job, of_kind("Deployment")["spec"]["template"]["spec"]]


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(FILES["deploy/compose.yaml"]))


def unit(name: str) -> dict[str, str]:
    """The settings of [Service]; of one that is there more than once, the last."""
    return dict(line.split("=", 1) for line in FILES[name].splitlines() if re.match(r"[A-Z]\w+=", line))


def option(words: list[str], name: str) -> str:
    joined = [word.partition("=")[2] for word in words if word.startswith(f"--{name}=")]
    return joined[0] if joined else words[words.index(f"--{name}") + 1]


def seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_valid_by_the_schemas_of_kubernetes(name: str, version: str) -> None:
    for found in documents(name):
        kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("kind", ["CronJob", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"])
def test_a_wrong_field_of_a_manifest_is_found(kind: str) -> None:
    found = of_kind(kind)
    inner = found.get("spec", found)
    inner["automountServiceAcountToken"] = False

    with pytest.raises(kubernetes_validate.ValidationError, match="automountServiceAcountToken"):
        kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


def test_every_pod_is_of_the_restricted_pod_security_standard() -> None:
    for pod in pods():
        secured = pod["securityContext"]
        assert (secured["runAsNonRoot"], secured["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
        assert secured["runAsUser"] > 0
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all({"emptyDir", "configMap"} & set(volume) for volume in pod["volumes"])
        for each in (*pod.get("initContainers", []), *pod["containers"]):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_a_pod_gets_no_token_of_the_cluster_and_bounded_memory() -> None:
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == of_kind("ServiceAccount")["metadata"]["name"]
        assert all("memory" in each["resources"]["limits"] for each in pod["containers"])


def test_no_two_runs_of_the_cron_job_overlap_and_each_has_an_end() -> None:
    spec = of_kind("CronJob")["spec"]

    assert (spec["concurrencyPolicy"], spec["startingDeadlineSeconds"]) == ("Forbid", 300)
    assert (spec["jobTemplate"]["spec"]["activeDeadlineSeconds"], spec["jobTemplate"]["spec"]["backoffLimit"]) == (
        1800,
        0,
    )


def test_the_selectors_of_the_workers_all_mean_their_pods() -> None:
    spec = of_kind("Deployment")["spec"]
    labels = spec["template"]["metadata"]["labels"]
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]

    for selector in (
        spec["selector"],
        spread["labelSelector"],
        of_kind("PodDisruptionBudget")["spec"]["selector"],
        of_kind("NetworkPolicy")["spec"]["podSelector"],
    ):
        assert selector == {"matchLabels": labels}


def test_the_probes_and_the_policy_name_the_port_that_workers_listen_on() -> None:
    (worker,) = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    port = int(option(worker["args"], "listen").rpartition(":")[2])
    (named,) = worker["ports"]

    assert named["containerPort"] == port
    probes = {kind: worker[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/readyz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    assert {probe["port"] for probe in probes.values()} == {named["name"]}
    (inward,) = of_kind("NetworkPolicy")["spec"]["ingress"]
    assert inward["ports"] == [{"protocol": "TCP", "port": port}]
    assert f"127.0.0.1:{port}/" in HEALTH


def test_each_sample_runs_a_worker_with_options_that_it_has() -> None:
    names = Names(read(WORKERS))
    declared = names.settings.options.workers
    assert declared is not None
    words: list[Any] = [
        of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]["args"],
        shlex.split(unit("deploy/otactl-workers.service")["ExecStart"])[2:],
        compose()["services"]["workers"]["command"],
        container(names, declared, log_group="x", host="x")["command"],
    ]

    for verb, action, *options in words:
        assert (verb, action) == ("workers", "run")
        given = workers.run.make_context("run", list(options)).params
        assert given["source"] in ("git+https://your-git-host/your-org/firmware.git@main", "/rollouts")
        assert given["paths"] in (("rollouts",), ())


def test_the_port_of_the_samples_is_the_one_that_workers_have_without_an_option() -> None:
    assert workers.LISTEN in HEALTH


def test_a_worker_stops_gracefully_before_it_is_killed() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    service, started = unit("deploy/otactl-workers.service"), compose()["services"]["workers"]
    for words, limit in (
        (pod["containers"][0]["args"], pod["terminationGracePeriodSeconds"]),
        (shlex.split(service["ExecStart"]), int(service["TimeoutStopSec"])),
        (started["command"], seconds(started["stop_grace_period"])),
        (["--grace", f"{STOP_SECONDS - 30}s"], STOP_SECONDS),
    ):
        assert 0 < seconds(option(words, "grace")) <= limit - 20
    assert service["KillMode"] == "mixed"  # passes would be asked to end with their worker


def test_the_compose_file_is_valid_by_the_public_schema(tmp_path: Path) -> None:
    good, bad = tmp_path / "compose.yaml", tmp_path / "wrong.yaml"
    good.write_text(FILES["deploy/compose.yaml"])
    bad.write_text(FILES["deploy/compose.yaml"].replace("stop_grace_period: 2m", "stop_grace: 2m"))
    command = [str(PROGRAMS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]

    ran = [subprocess.run([*command, each], capture_output=True, text=True, check=False) for each in (good, bad)]

    assert [each.returncode for each in ran] == [0, 1], ran[0].stdout
    assert "stop_grace" in ran[1].stdout


def test_the_compose_file_holds_no_password_and_publishes_no_port() -> None:
    document = compose()
    (secret,) = document["secrets"].values()

    assert secret == {"file": "./database-password"}
    assert "deploy/database-password" in FILES[".gitignore"].splitlines()
    for each in document["services"].values():
        assert "ports" not in each
        assert each["secrets"] == ["database-password"]
        passwords = {k: v for k, v in each["environment"].items() if "PASSWORD" in k}
        assert passwords in ({}, {"POSTGRES_PASSWORD_FILE": "/run/secrets/database-password"})
    assert document["networks"]["database"] == {"internal": True}
    assert document["services"]["database"]["networks"] == ["database"]


def test_the_containers_of_otactl_in_the_compose_file_are_locked_down() -> None:
    ours = [each for name, each in compose()["services"].items() if name != "database"]

    assert len(ours) == 3
    for each in ours:
        assert (each["read_only"], each["cap_drop"], each["user"]) == (True, ["ALL"], "65532:65532")
        assert each["security_opt"] == ["no-new-privileges:true"]


def test_the_password_of_the_compose_file_reaches_the_command_and_no_argument(tmp_path: Path) -> None:
    (tmp_path / "database-password").write_text("s3cret\n")
    program = tmp_path / "otactl"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$PGPASSWORD" "$@"\n')
    program.chmod(0o755)
    words = [word.replace("$$", "$") for word in compose()["services"]["workers"]["entrypoint"]]
    here = [word.replace("/run/secrets", str(tmp_path)) for word in words]
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    ran = subprocess.run([*here, "workers", "run"], env=env, capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines() == ["s3cret", "workers", "run"]


@SYSTEMD
def test_the_units_are_sound_by_systemd_itself(tmp_path: Path) -> None:
    for name in UNITS:
        (tmp_path / Path(name).name).write_text(FILES[name])
    wrong = tmp_path / "wrong.service"
    wrong.write_text(FILES["deploy/otactl-workers.service"].replace("TimeoutStopSec=", "TimeoutStopSecs="))
    units = [str(tmp_path / Path(name).name) for name in UNITS]

    found = [
        subprocess.run(["systemd-analyze", "verify", *each], capture_output=True, text=True, check=False)
        for each in (units, [str(wrong)])
    ]

    assert _about(found[0].stderr, tmp_path) == []
    assert any("TimeoutStopSecs" in line for line in _about(found[1].stderr, tmp_path))


def _about(said: str, folder: Path) -> list[str]:
    """What is said of our units, not of others on this machine."""
    return [line for line in said.splitlines() if str(folder) in line or line.startswith(("otactl", "wrong"))]


@SYSTEMD
@pytest.mark.parametrize(("name", "most"), [("deploy/otactl-workers.service", 15), ("deploy/otactl.service", 20)])
def test_a_unit_is_hardened_by_the_measure_of_systemd(tmp_path: Path, name: str, most: int) -> None:
    file = tmp_path / Path(name).name
    file.write_text(FILES[name])
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={most}", str(file)]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout[-300:] + ran.stderr


def test_the_unit_of_a_worker_takes_its_secrets_as_credentials() -> None:
    service = FILES["deploy/otactl-workers.service"]

    for name, variable in (("pg_service.conf", "PGSERVICEFILE"), ("aws-config", "AWS_CONFIG_FILE")):
        assert f"LoadCredential={name}:/etc/otactl/{name}" in service
        assert f"{variable}=%d/{name}" in service
    assert unit("deploy/otactl-workers.service")["DynamicUser"] == "yes"
    assert "PGPASSWORD" not in service


@pytest.mark.server
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_of_containers_fails_where_a_worker_says_so(status: int, code: int) -> None:
    class Worker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Log no request."""

    with HTTPServer(("127.0.0.1", 0), Worker) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        words = [sys.executable, "-c", HEALTH.replace("9464", str(server.server_port))]
        ran = subprocess.run(words, capture_output=True, check=False)
        server.shutdown()

    assert ran.returncode == code


def test_all_containers_ask_the_same_question_for_their_health() -> None:
    asked = compose()["services"]["workers"]["healthcheck"]["test"]

    assert asked == ["CMD", "python", "-c", HEALTH]
    assert f'CMD ["python", "-c", "{HEALTH}"]' in (ROOT / "Containerfile").read_text()
