"""Sets up the demo in the simulator: bucket, roles, manifests, images, fleet."""

from __future__ import annotations

import hashlib
import json
import shutil
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.config import TuyaAccess
from otactl.cli.demo_script import DemoScript
from otactl.errors import OtactlError, UsageError
from otactl.model import Environment, Source
from otactl.package_data import examples
from otactl.rehearsal.loopback import tell_simulator

_GROUPS = {
    "canary": "3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01",
    "fleet-north": "77ab2e10-5b7c-4a55-8c3e-1d2f3a4b5c02",
    "fleet-south": "91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d03",
}


IMAGES = {"soil-probe": "2.4.1", "leak-sensor": "1.3.0", "gateway": "3.2.0", "smart-plug": "2.4.1"}
TUYA_KEY, TUYA_SECRET = "demo", "demo"
_KEY_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:acme/tuya-AbCdEf"
_PRODUCT = "a1b2c3d4e5"
_PLUGS = [f"plug-lab-{n}" for n in (1, 2)] + [f"plug-field-{n}" for n in range(1, 9)]


class DemoStage:
    """What the story is played on; `clients` are boto3's own."""

    def __init__(self, url: str, folder: Path, *, verbose: bool = False) -> None:
        import boto3

        self._url = url
        self._folder = folder
        self.script = DemoScript(verbose=verbose)
        self._others: set[int] = set()
        session = boto3.Session(region_name="eu-west-1")
        self.clients = {name: session.client(name) for name in ("s3", "iam", "iotwireless", "iot")}

    def provision(self) -> None:
        """Create bucket, role, example manifests and fleet."""
        self.script.step(
            "a bucket and the roles are created (in real life: pulumi up), and the journal of what is sent"
        )
        shutil.copytree(examples(), self._folder / "rollouts")
        self.point_to_gateway()
        outputs = json.loads((self._folder / "rollouts/environments/prod-eu.outputs.json").read_text())
        bucket, role = outputs["imageBucket"], outputs["firmwareUpdateRoleArn"]
        s3, iam = self.clients["s3"], self.clients["iam"]
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        trust = _policy({"Principal": {"Service": "iotwireless.amazonaws.com"}, "Action": "sts:AssumeRole"})
        read = {"Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": f"arn:aws:s3:::{bucket}/*"}
        name = role.rsplit("/", 1)[-1]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=name, PolicyName="read-images", PolicyDocument=_policy(read))
        ota = outputs["otaServiceRoleArn"]
        self._ota_role(ota, bucket)
        self.script.detail(f"bucket {bucket}, roles {role} and {ota}")
        self._otactl("journal", "init")
        self.fleet({"notReady": ["70b3d57ed0000003"]})
        self.plugs()

    def point_to_gateway(self) -> None:
        """Name the simulator as Tuya's gateway in the copied environment: an instance there is a host."""
        place = self._folder / "rollouts/environments/prod-eu.yaml"
        kept, _, rest = place.read_text().partition("endpoint: ")
        place.write_text(f"{kept}endpoint: {self._url}/\n{rest.partition(chr(10))[2]}")

    def _ota_role(self, arn: str, bucket: str) -> None:
        name, iam = arn.rsplit("/", 1)[-1], self.clients["iam"]
        trust = _policy({"Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        read = {"Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": f"arn:aws:s3:::{bucket}/*"}
        pass_on = {"Action": ["iam:PassRole", "iam:GetRole"], "Resource": arn}
        make = {"Action": ["iot:CreateJob", "iot:CreateStream"], "Resource": "*"}
        for title, statement in (("read-images", read), ("pass-itself", pass_on), ("make-jobs", make)):
            iam.put_role_policy(RoleName=name, PolicyName=title, PolicyDocument=_policy(statement))

    def fleet(self, canary: Mapping[str, object]) -> None:
        """Create soil probes in three groups, leak sensors, gateways.

        One probe is deaf, a sensor short of memory, one gateway takes the image and goes back to the one before.
        """
        probes = [{"devEui": f"70b3d57ed00000{n:02x}", "rfRegion": "EU868", "loss": 0.02} for n in range(1, 23)]
        probes[15]["loss"] = 0.6
        sensors: list[dict[str, object]] = [
            {"id": f"d1a5f0c0-0000-4000-8000-00000000000{n}", "devEui": f"a81758fffe00000{n}", "rfRegion": "EU868"}
            for n in (1, 2, 3)
        ]
        sensors[2]["behaviour"] = "notEnoughMemory"
        names = [str(p["devEui"]) for p in probes]
        parts = {"canary": names[:3], "fleet-north": names[3:13], "fleet-south": names[13:]}
        groups: list[dict[str, object]] = [
            {"name": n, "id": _GROUPS[n], "rfRegion": "EU868", "devices": parts[n]} for n in parts
        ]
        groups[0].update(canary)
        names = [f"gateway-lab-{n}" for n in (1, 2)] + [f"gateway-field-{n}" for n in range(1, 7)]
        things: list[dict[str, object]] = [{"name": n, "firmwareVersion": "3.1.9"} for n in names]
        things[5]["behaviour"] = "rollsBack"
        thing_groups = [{"name": "field-gateways", "things": names[2:]}]
        if not self.clients["iot"].list_things()["things"]:
            tell_simulator(self._url, "fleet", {"things": things, "thingGroups": thing_groups})
        tell_simulator(self._url, "fleet", {"devices": [*probes, *sensors], "groups": groups})

    def plugs(self) -> None:
        """Create smart plugs at Tuya with the package uploaded there; one loses its flash while it writes."""
        image = (self._folder / "rollouts/images/smart-plug-2.4.1.bin").read_bytes()
        package = {
            "firmwareId": "1001",
            "productKey": _PRODUCT,
            "destVersion": "2.4.1",
            "name": "smart-plug",
            "sign": hashlib.sha256(image).hexdigest(),
            "signMethod": "SHA256",
            "size": len(image),
        }
        other = {"firmwareId": "1000", "productKey": _PRODUCT, "destVersion": "2.3.9", "name": "smart-plug-old"}
        devices: list[dict[str, object]] = [
            {"productKey": _PRODUCT, "deviceName": name, "versions": {"default": "2.4.0"}} for name in _PLUGS
        ]
        devices[6]["behaviour"] = "failsFlash"
        keys, products = [{"id": TUYA_KEY, "secret": TUYA_SECRET}], [{"productKey": _PRODUCT, "name": "smart plug"}]
        fleet = {"keys": keys, "products": products, "firmwares": [package, other], "devices": devices}
        text = json.dumps({"accessKeyId": TUYA_KEY, "accessKeySecret": TUYA_SECRET})
        tell_simulator(self._url, "fleet", {"tuya": fleet, "secrets": [{"arn": _KEY_ARN, "text": text}]})

    def plug(self, name: str, behaviour: str) -> None:
        """Change how one plug behaves from now on."""
        device = {"productKey": _PRODUCT, "deviceName": name, "behaviour": behaviour}
        tell_simulator(self._url, "fleet", {"tuya": {"devices": [device]}})

    def at_tuya(self, action: str, **parameters: object) -> dict[str, object]:
        """Return what another actor does in Tuya's console."""
        access = TuyaAccess(endpoint=self._url, access_key_id_env="KEY", access_key_secret_env="SECRET")  # noqa: S106 - names
        source = Source(file="", digest="")
        here = Environment(name="console", owner="x", account="", region="", source=source, access={"tuya": access})
        with TuyaClient(here, environ={"KEY": TUYA_KEY, "SECRET": TUYA_SECRET}) as transport:
            return transport.call(action, {"ProductKey": _PRODUCT, **parameters}, repeatable=True)

    def push(self) -> None:
        """Upload the example images to where the manifests say."""
        self.script.step(f"{len(IMAGES)} images are uploaded, each under its digest")
        for number, (product, version) in enumerate(IMAGES.items()):
            file = f"rollouts/images/{product}-{version}.bin"
            words = ("--environment", "prod-eu", "--product", product, "--version", version)
            self._otactl("image", "push", file, *words, only=None if number else (r"image: .*",))

    def requests(self) -> list[dict[str, object]]:
        """Return every call the simulator saw."""
        return self._get("requests")["requests"]

    def pass_time(self, seconds: float) -> None:
        """Advance the simulator's clock."""
        tell_simulator(self._url, "clock", {"advanceSeconds": seconds})

    def failure(self, error: Exception) -> str:
        """Return at which step the demo failed, and why."""
        cause = str(error) if isinstance(error, OtactlError) else f"{type(error).__name__}: {error}"
        return f"the demo failed at {self.script.place}: {cause}; this is a defect of otactl, report it"

    def _otactl(
        self, *words: str, expect: tuple[int, ...] = (0,), only: tuple[str, ...] | None = (), join: str = ""
    ) -> None:
        code, text = self._run(*words)
        self.script.command(words, text, only, join)
        if code not in expect:
            wanted = " or ".join(map(str, expect))
            raise UsageError(f"`otactl {' '.join(words)}` ended with exit code {code} instead of {wanted}")

    def _run(self, *words: str) -> tuple[int, str]:
        from click.testing import CliRunner

        from otactl.cli import cli

        result = CliRunner().invoke(cli, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    def _get(self, name: str) -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = json.loads(self.simulated(name))
        return found

    def simulated(self, name: str) -> bytes:
        """Read a part of the simulator's control API."""
        with urllib.request.urlopen(f"{self._url}/_simulator/{name}") as answer:  # noqa: S310 - loopback
            return bytes(answer.read())


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
