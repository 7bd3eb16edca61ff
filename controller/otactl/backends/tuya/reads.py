"""Reads packages, batches and tasks of Tuya's gateway into the model.

1. Batches are read by the ids we remember: the gateway knows no names.
2. Per-device reads are made before a start and for the proof of a version, never while a batch runs.
3. A device of a batch without a task had the version already, or is no target: its reported version shows which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from otactl.backends.tuya.client import NotFoundError, TuyaClient
from otactl.backends.tuya.config import DEFAULT_MODULE, TuyaConfig
from otactl.backends.tuya.problems import is_sha256
from otactl.backends.tuya.schemas import (
    FIRMWARE,
    FIRMWARES,
    JOB,
    JOBS_BY_FIRMWARE,
    MODULE_VERSIONS,
    UNFINISHED_TASKS,
    FirmwareInfo,
    JobInfo,
    JobRow,
    single_of,
)
from otactl.backends.tuya.statuses import UNFINISHED, UNVERIFIED, VERIFIED
from otactl.backends.tuya.task_list import TaskList, task_list
from otactl.model import Cause, Firmware, ImageFacts, JsonObject, ServiceFinding, TargetFacts

LAG = timedelta(seconds=120)  # how long a batch that was made may not be shown yet, or not whole


class BatchReader:
    """All reads of the backend."""

    def __init__(self, transport: TuyaClient) -> None:
        self._transport = transport

    def now(self) -> datetime:
        """Return the gateway's time."""
        return self._transport.now()

    def package(self, spec: TuyaConfig, firmware: Firmware) -> ImageFacts:
        """Return the firmware package: found by id, or by product, module and version.

        Never by its address, which expires.
        """
        where = f"package {firmware.version} of {spec.product}, module {spec.module}"
        found = self._packages(spec, firmware)
        if strange := _strange(spec, firmware, found):
            return ImageFacts(exists=True, unreadable=strange, where=where)
        if len(found) != 1:
            several = f"{len(found)} packages have this version ({', '.join(sorted(f.firmware_id for f in found))})"
            return ImageFacts(
                exists=bool(found), unreadable=f"{several}; name one: firmwareId" if found else "", where=where
            )
        (one,) = found
        proved = is_sha256(one)
        verified = one.status in VERIFIED
        return ImageFacts(
            exists=True,
            size_bytes=one.firmware_size,
            sha256=one.firmware_sign.lower() if proved else None,
            fingerprint=f"{one.firmware_id};{one.firmware_sign};{one.firmware_size};{one.status}",
            version=one.firmware_id,
            where=where,
            unproved="" if verified else f"the package {UNVERIFIED.get(one.status, f'has status {one.status}')}",
        )

    def _packages(self, spec: TuyaConfig, firmware: Firmware) -> list[FirmwareInfo]:
        named = spec.fields.firmware_id
        if named is not None:
            one = self.package_of(str(named))
            return [one] if one is not None else []
        asked: JsonObject = {"ProductKey": spec.product, "DestVersion": firmware.version}
        wanted = (firmware.version, spec.module)
        listed = self._transport.rows(FIRMWARES, asked)
        return [f for f in listed if (f.dest_version, f.module_name or DEFAULT_MODULE) == wanted]

    def batch(self, job_id: str) -> JobInfo | None:
        """Return a batch by its id, or None."""
        try:
            return single_of(JOB, self._transport.call("QueryOTAJob", {"JobId": job_id}, repeatable=True))
        except NotFoundError:
            return None

    def tasks(self, job_id: str) -> TaskList:
        """Return the tasks of a batch."""
        return task_list(self._transport, job_id)

    def packages_of(self, product: str) -> tuple[FirmwareInfo, ...]:
        """Return the packages of a product."""
        return self._transport.rows(FIRMWARES, {"ProductKey": product})

    def batches_of(self, firmware_id: str) -> tuple[JobRow, ...]:
        """Return the batches of a package. NotFoundError for a package that is not there."""
        return self._transport.rows(JOBS_BY_FIRMWARE, {"FirmwareId": firmware_id})

    def versions(self, product: str, device: str) -> dict[str, str]:
        """Return what a device reports, by module. NotFoundError for a device that is not there."""
        return self.versions_of({"ProductKey": product, "DeviceName": device})

    def versions_of(self, named: JsonObject) -> dict[str, str]:
        """Return what a device reports, by module; `named` are the parameters that name it to the gateway.

        Raises: NotFoundError for a device that is not there.
        """
        return {v.module_name: v.module_version for v in self._transport.rows(MODULE_VERSIONS, named)}

    def package_of(self, firmware_id: str) -> FirmwareInfo | None:
        """Return a package by its id, or None."""
        try:
            return single_of(
                FIRMWARE, self._transport.call("QueryOTAFirmware", {"FirmwareId": firmware_id}, repeatable=True)
            )
        except NotFoundError:
            return None

    def target(
        self, key: str, spec: TuyaConfig, version: str, ours: Collection[str] = (), proof: str | None = None
    ) -> TargetFacts:
        """Return a device before a start: whether it is there, reports the module, and has nothing else to do.

        `ours` are batches of the same rollout: a task of one is waited for, and is no drift. `proof` is the module
        whose version proves a success, None for the one that is updated.
        """
        name, within = key.partition(":")[2], product_key(spec)
        try:
            reported = self.versions(spec.product, name)
        except NotFoundError:
            return TargetFacts(key=key, exists=False)
        if spec.module not in reported:
            text = f"it never reported a version of module {spec.module}, and is no target until it does"
            silent = ServiceFinding(field=f"version.{name}", desired="reported", observed=None, cause=Cause.VERSION)
            return TargetFacts(
                key=key, exists=True, vendor_id=name, within=within, not_ready_because=text, findings=(silent,)
            )
        runs = reported[spec.module]
        if runs == version and (text := _unproved(reported, spec.module, proof or spec.module, version)):
            return TargetFacts(key=key, exists=True, vendor_id=name, within=within, not_ready_because=text)
        if runs == version:
            return TargetFacts(key=key, exists=True, vendor_id=name, within=within, updated=True, version=version)
        if text := not_asked_for(spec, runs):
            return TargetFacts(key=key, exists=True, vendor_id=name, within=within, excluded_because=text)
        asked: JsonObject = {"ProductKey": spec.product, "DeviceName": name, "TaskStatusList": list(UNFINISHED)}
        tasks = self._transport.rows(UNFINISHED_TASKS, asked)
        busy = sorted({f"task {t.task_id} of batch {t.job_id}" for t in tasks})
        strange = sorted({t.job_id for t in tasks} - set(ours))
        concerns = [
            ServiceFinding(
                field=f"task.{name}", desired="none of another batch", observed=f"batch {job_id}", cause=Cause.FOREIGN
            )
            for job_id in strange
        ]
        return TargetFacts(
            key=key,
            exists=True,
            vendor_id=name,
            within=within,
            version=runs,
            busy_with=", ".join(busy[:3]),
            findings=tuple(concerns[:1]),
        )


def product_key(spec: TuyaConfig) -> str:
    """Return the key of a product as a target."""
    return f"product:{spec.product}"


def _unproved(reported: Mapping[str, str], module: str, proof: str, version: str) -> str:
    """Return why a device that has the version is not known to run it; empty where the proving module reports it."""
    if reported.get(proof) == version:
        return ""
    text = f"its module {module} has {version} already, and module {proof}, which is to prove it, reports "
    return f"{text}{reported.get(proof) or 'no version'}; check the device, or strategy.confirm.version.module"


def not_asked_for(spec: TuyaConfig, runs: str) -> str:
    """Return why the service makes no task for a device that reports this version; empty when it makes one."""
    left_out = spec.sources and runs not in spec.sources
    return f"it reports {runs}, which srcVersions does not name" if left_out else ""


def _strange(spec: TuyaConfig, firmware: Firmware, found: list[FirmwareInfo]) -> str:
    """Return how a package named by its id is not the one the manifest is about; empty when it is."""
    if spec.fields.firmware_id is None or not found:
        return ""
    (one,) = found
    pairs = (
        ("product", one.product_key or spec.product, spec.product),
        ("module", one.module_name or DEFAULT_MODULE, spec.module),
        ("version", one.dest_version, firmware.version),
    )
    wrong = [f"{name} {is_} and not {wanted}" for name, is_, wanted in pairs if is_ != wanted]
    return f"package {one.firmware_id} is of {', '.join(wrong)}; fix firmwareId, or remove it" if wrong else ""
