"""Finds upgrade batches that another actor created, and reads each as a manifest would declare it.

1. The gateway lists batches by package, and packages by product: a product is named, or that of a batch that is named.
2. A batch shows neither module nor size: its package does. What a batch does not show is left out of the block.
3. The package holds the bytes, and a manifest names an image in S3: it is given, and counts only if size and digest of
   the two agree.
4. Devices are those with a task. Who had the version before got none, and needs none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.existing_image import existing_image
from otactl.backends.errors import NotFoundError
from otactl.backends.tuya.config import DEFAULT_MODULE
from otactl.backends.tuya.connection import connect
from otactl.backends.tuya.problems import is_sha256
from otactl.backends.tuya.reads import BatchReader
from otactl.backends.tuya.schemas import FirmwareInfo, JobInfo, moment
from otactl.backends.tuya.statuses import CANCELED_BATCH
from otactl.backends.tuya.units import batch_phase, fields_of
from otactl.model import (
    AdoptionRequest,
    Doubt,
    Environment,
    ExistingUnit,
    ExistingUnits,
    Firmware,
    JsonObject,
)
from otactl.ports import UnitFinder

_NOT_IN_BLOCK = ("version",)
_SPECIFIC = "SPECIFIC"


@contextmanager
def open_finder(environment: Environment, client: AwsClient) -> Iterator[UnitFinder]:
    """Open the gateway of an environment."""
    with connect(environment, client) as transport:
        yield BatchFinder(BatchReader(transport), client)


class BatchFinder:
    """Reads the batches of products."""

    def __init__(self, reader: BatchReader, client: AwsClient) -> None:
        self._reader, self._client = reader, client

    def existing(self, request: AdoptionRequest, known: Collection[str]) -> ExistingUnits:
        """Read the batches that are not `known` (rule 1)."""
        named = (self._reader.batch(each) for each in request.ids if each not in known and each.isalnum())
        products = {*request.within, *(batch.product_key for batch in named if batch is not None)} - {""}
        if not products:
            note = "batches are listed by product: name products with --within, or batches with --unit"
            return ExistingUnits(note=note)
        packages = [package for product in sorted(products) for package in self._reader.packages_of(product)]
        found = [
            unit
            for package in packages
            for job_id in self._batches(package)
            if job_id not in known and (unit := self._unit(job_id, package, packages, request)) is not None
        ]
        return ExistingUnits(units=tuple(found))

    def _batches(self, package: FirmwareInfo) -> list[str]:
        try:
            return [row.job_id for row in self._reader.batches_of(package.firmware_id)]
        except NotFoundError:  # deleted since it was listed
            return []

    def _unit(
        self, job_id: str, package: FirmwareInfo, packages: Collection[FirmwareInfo], request: AdoptionRequest
    ) -> ExistingUnit | None:
        """Return one batch; None when the gateway does not show it."""
        batch = self._reader.batch(job_id)
        if batch is None:
            return None
        listed = self._reader.tasks(job_id)
        devices = tuple(sorted(task.device_name for task in listed.tasks))
        doubts = []
        if batch.job_status.upper() == CANCELED_BATCH:
            text = "it was canceled, so a person stopped it"
            fix = "declare its firmware as a rollout of its own when the devices are to get it"
            doubts.append(Doubt(code="unit_was_canceled", message=text, fix=fix))
        elif listed.lacks or not devices:
            text = f"its list of tasks is not whole: {listed.lacks}" if listed.lacks else "it shows no task of a device"
            fix = "adopt again when it shows them"
            doubts.append(Doubt(code="targets_are_not_known", message=text, fix=fix))
        firmware = None
        if not doubts:
            found = self._firmware(batch, package, request.images.get(job_id, ""))
            firmware = None if isinstance(found, Doubt) else found
            doubts += [found] if isinstance(found, Doubt) else []
        block = _block(batch, package, packages)
        specific = batch.target_selection.upper() == _SPECIFIC
        made = moment(batch.utc_create)
        return ExistingUnit(
            vendor_id=job_id,
            name=f"{package.firmware_name}-{batch.dest_version}".strip("-"),
            arn=f"tuya:{job_id}",
            phase=batch_phase(batch, listed),
            created_at=made,
            start_at=made,
            block=block,
            firmware=firmware,
            targets={"devices": list(devices)} if specific else {},
            reaches=tuple(f"device:{name}" for name in devices),
            devices=devices if specific else (),
            doubts=tuple(doubts),
        )

    def _firmware(self, batch: JobInfo, package: FirmwareInfo, image: str) -> Firmware | Doubt:
        """Return what it sends, or why that is not known (rule 3)."""
        size, sign = package.firmware_size, package.firmware_sign.lower()
        if not image:
            text = f"package {package.firmware_id} holds its bytes, and a manifest names an image in S3"
            fix = f"upload the same file (otactl image push) and name it: --image {batch.job_id}=s3://BUCKET/KEY"
            return Doubt(code="image_place_is_not_known", message=text, fix=fix)
        found = existing_image(self._client, image, md5=not is_sha256(package))
        if isinstance(found, Doubt):
            return found
        digest = found.sha256 if is_sha256(package) else found.md5
        if digest != sign or size not in (None, found.size_bytes):
            text = f"{image} holds other bytes than package {package.firmware_id} ({package.sign_method} {sign})"
            return Doubt(code="image_is_not_known", message=text, fix="name the file that the package was made of")
        return Firmware(version=batch.dest_version, image=image, sha256=found.sha256, size_bytes=found.size_bytes)


def _block(batch: JobInfo, package: FirmwareInfo, packages: Collection[FirmwareInfo]) -> JsonObject:
    """Return the block of the manifest (rule 2); its package is named only where its version is that of several."""
    block: JsonObject = {"productKey": batch.product_key or package.product_key}
    module = package.module_name or DEFAULT_MODULE
    if any(_alike(each, package) for each in packages if each.firmware_id != package.firmware_id):
        block["firmwareId"] = package.firmware_id
    if module != DEFAULT_MODULE:
        block["moduleName"] = module
    return block | {name: value for name, value in fields_of(batch).items() if name not in _NOT_IN_BLOCK}


def _alike(one: FirmwareInfo, other: FirmwareInfo) -> bool:
    """Return whether two packages are alike in product, module and version."""
    first, second = ((p.product_key, p.module_name or DEFAULT_MODULE, p.dest_version) for p in (one, other))
    return first == second
