"""Sets up one seed: a simulator with the declared fleet, and the reconcile loop over it by HTTP.

1. The loop, its backends and its transports are those of `reconcile`; only endpoints, keys and clocks are others.
2. Buckets, roles, keys and packages are there and right: `plan` checks the real ones, a rehearsal at what follows.
3. The journal is in a folder that goes with the stage; nothing of the user's is opened.
"""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.image_and_role import split_uri
from otactl.backends.registry import backends_for
from otactl.errors import UsageError
from otactl.journal import SqlJournal
from otactl.model import Environment, Event, JsonObject, Record, Rollout
from otactl.policies.unsupported import unsupported_holds
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.run_report import RolloutReport
from otactl.rehearsal.fleet_document import fleet_of, portions
from otactl.rehearsal.fleets import FLEETS
from otactl.rehearsal.fleets.base import Assumed
from otactl.rehearsal.loopback import kept_environment, only_loopback, tell_simulator
from otactl.rehearsal.substitutions import Cast, at_home

if TYPE_CHECKING:
    import boto3

    from otactl_simulator.rehearsal import Rehearsal

SERVICES = ("iotwireless", "iot", "iot-data", "signer", "s3", "iam", "sts", "secretsmanager")
PRINCIPALS = ["iotwireless.amazonaws.com", "iot.amazonaws.com"]
MAY = ["s3:*", "iam:PassRole", "iam:GetRole", "iot:*", "signer:*"]


@contextmanager
def stage(cast_: Cast, assumed: Assumed, seed: int, at: datetime) -> Iterator[RehearsalStage]:
    """Yield a stage for one seed; environment variables are as before when the block ends, and no file is left."""
    from otactl_simulator.rehearsal import rehearsal

    with kept_environment(), TemporaryDirectory(prefix="otactl-rehearsal-") as folder, rehearsal(seed, at) as world:
        only_loopback(world.url)
        with (
            SqlJournal(Path(folder) / "journal.db") as journal,
            closing(RehearsalStage(world, cast_, journal)) as built,
        ):
            built.provision(assumed, seed)
            yield built


class RehearsalStage:
    """`otactl.rehearsal.simulate.World`, over one simulator."""

    def __init__(self, world: Rehearsal, cast_: Cast, journal: SqlJournal) -> None:
        self._world = world
        self._cast = cast_
        self._journal = journal
        self._calls = 0
        self._shards = [
            _Shard(world, e, tuple(r for r in cast_.rollouts if r.environment == e.name), journal)
            for e in cast_.environments
        ]

    def provision(self, assumed: Assumed, seed: int) -> None:
        """Create what the rollouts need in every account, and the fleet (rule 2)."""
        made: set[tuple[str, str]] = set()
        for shard in self._shards:
            shard.provision(made)
            home = shard.environment
            fleet = fleet_of(shard.rollouts, assumed, seed, home.account, home.region)
            fleet["images"] = dict(shard.versions)
            for portion in portions(fleet):
                self._load(portion)
        self._world.forget_requests()

    def close(self) -> None:
        """Close the connections."""
        for shard in self._shards:
            shard.close()

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._world.now()

    def go_to(self, moment: datetime) -> None:
        """Advance the clock."""
        self._world.go_to(moment)

    def next_change(self) -> datetime | None:
        """Return when the simulated world next changes by itself."""
        return self._world.next_change()

    def reconcile(self) -> tuple[RolloutReport, ...]:
        """Run the loop once over every environment, as cron would."""
        reports = tuple(report for shard in self._shards for report in shard.reconcile())
        self._calls += self._world.forget_requests()
        return reports

    def record(self, rollout: Rollout) -> Record:
        """Return what the journal holds of a rollout."""
        return self._journal.load(rollout.environment, rollout.name).record

    def history(self, rollout: Rollout) -> tuple[Event, ...]:
        """Return a rollout's events."""
        return self._journal.history(rollout.environment, rollout.name)

    def calls(self) -> int:
        """Return calls the services have had from the loop."""
        return self._calls

    def _load(self, fleet: JsonObject) -> None:
        try:
            tell_simulator(self._world.url, "fleet", fleet)
        except urllib.error.HTTPError as error:
            with error:
                text = json.loads(error.read()).get("error", "")
            raise UsageError(f"this fleet cannot be simulated: {text}") from error


class _Shard:
    """One environment: its transports, kept for the whole rehearsal, and the loop, created again for every run."""

    def __init__(
        self, world: Rehearsal, declared: Environment, rollouts: tuple[Rollout, ...], journal: SqlJournal
    ) -> None:
        import boto3

        from otactl_simulator.rehearsal import access_key

        self.environment = at_home(declared, world.url, SERVICES)
        self.rollouts = rollouts
        self.versions: dict[str, str] = {}  # what a device that took an image reports, by the image's own digest
        self._world = world
        self._journal = journal
        key, secret = access_key(declared.account, declared.region)
        self._session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=declared.region)
        self._transport = AwsClient(
            self.environment, sleep=world.sleep, monotonic=world.monotonic, now=world.now, session=self._session, seed=1
        )
        own = {kind: model.backend(self.environment, self._transport, world) for kind, model in FLEETS.items()}
        self._own = {kind: connected for kind, connected in own.items() if connected is not None}

    def close(self) -> None:
        """Close the connections of backends with a client of their own."""
        for connected in self._own.values():
            connected.close()

    def reconcile(self) -> tuple[RolloutReport, ...]:
        """Run once; its call budget is new, as that of a new process."""
        self._transport.stats.reset()
        reconciler = Reconciler(
            environment=self.environment,
            rollouts=self.rollouts,
            backends={
                **backends_for(self.environment, self._transport),
                **{kind: connected.backend for kind, connected in self._own.items()},
            },
            journal=self._journal,
            now=self._world.now,
            holder="rehearsal",
            refused=unsupported_holds,
            covers=lambda _source: False,
            abreast=1,  # side by side, answers come in another order each time, and a seed foretells another thing
        )
        return reconciler.run().rollouts

    def provision(self, made: set[tuple[str, str]]) -> None:
        """Create buckets with the images in them, roles with every permission, signing profiles.

        Adds to what is there.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for rollout in self.rollouts:
                if rollout.backend.role:  # a service that reads an image of ours
                    self._provide(rollout, made)
        except (BotoCoreError, ClientError) as error:
            text = f"environment {self.environment.name} cannot be simulated: {error}"
            raise UsageError(text) from error

    def _provide(self, rollout: Rollout, made: set[tuple[str, str]]) -> None:
        from otactl_simulator.rehearsal import stand_in

        firmware = rollout.firmware
        bucket, key = split_uri(firmware.image)
        self._bucket(bucket, made)
        self.versions[stand_in(bucket, key, firmware.size_bytes, firmware.sha256)] = firmware.version
        if ("role", rollout.backend.role) not in made:
            made.add(("role", rollout.backend.role))
            self._role(rollout.backend.role)
        for order in FLEETS[rollout.backend_kind].signing_orders(rollout):
            self._signing(order, made)

    def _client(self, service: str) -> boto3.client:
        return self._session.client(service, endpoint_url=self._world.url)

    def _bucket(self, name: str, made: set[tuple[str, str]]) -> None:
        if ("bucket", name) in made:
            return
        made.add(("bucket", name))
        s3, region = self._client("s3"), self.environment.region
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **where)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def _role(self, arn: str) -> None:
        name, iam = arn.rpartition("/")[2], self._client("iam")
        path = "/" + arn.partition(":role/")[2].removesuffix(name)
        trust = {"Principal": {"Service": PRINCIPALS}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=_policy(trust))
        may = _policy({"Action": MAY, "Resource": "*"})
        iam.put_role_policy(RoleName=name, PolicyName="rehearsal", PolicyDocument=may)

    def _signing(self, order: JsonObject, made: set[tuple[str, str]]) -> None:
        """Create what a signing job needs.

        The bucket it writes to, and the profile that it names but does not create.
        """
        target = order.get("destination")
        place = target.get("s3Destination") if isinstance(target, dict) else None
        if isinstance(place, dict) and place.get("bucket"):
            self._bucket(str(place["bucket"]), made)
        if "signingProfileName" in order and "signingProfileParameter" not in order:
            arn = f"arn:aws:acm:{self.environment.region}:{self.environment.account}:certificate/rehearsal"
            self._client("signer").put_signing_profile(
                profileName=str(order["signingProfileName"]),
                platformId="AmazonFreeRTOS-Default",
                signingMaterial={"certificateArn": arn},
                signingParameters={"certname": "rehearsal"},
            )


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
