"""Shows an OTA update as GetOTAUpdate does, with what reads back differently from the request.

Rules, from the SDK model's OTAUpdateInfo and the sample answers of the FreeRTOS user guide:

1. Abort config, timeout config, role and tags are not shown.
2. An unset rollout is `{}` or maximumPerMinute 0: switch `unsetRolloutReadsBack`.
3. Unused forms of code signing are `{}` next to the used one (awsSignerJobId is a string, and left out); an unset
   signingProfileParameter is `{}`. awsSignerJobId is filled in next to startSigningJobParameter.
4. expiresInSec is 1800 when it was not given and HTTP is among the protocols [inferred: only then it has a meaning];
   the URL configuration of an update over MQTT alone is `{}`. An update that could not be created has no job (samples).
5. Protocols and targetSelection left out are shown with their defaults, MQTT and SNAPSHOT [inferred].
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iot.creation import DEFAULT_EXPIRES, protocols_of
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.state import OtaUpdate, Store
from otactl_simulator.iot.update_rules import items, members

_AS_GIVEN = ("description", "targets", "additionalParameters", "awsJobPresignedUrlConfig")


def info(store: Store, update: OtaUpdate, settings: Settings) -> dict[str, object]:
    """OTAUpdateInfo."""
    given, protocols = update.parameters, protocols_of(update.parameters)
    shown: dict[str, object] = {name: given[name] for name in _AS_GIVEN if name in given}
    shown.setdefault("awsJobPresignedUrlConfig", {})
    if "HTTP" in protocols:
        expires = members(given, "awsJobPresignedUrlConfig").get("expiresInSec", DEFAULT_EXPIRES)
        shown["awsJobPresignedUrlConfig"] = {"expiresInSec": expires}
    unset = {"maximumPerMinute": 0} if settings["unsetRolloutReadsBack"] == "zero" else {}
    job = update.status != "CREATE_FAILED" or update.made_job
    files = [file for file in items(given, "files") if isinstance(file, dict)]
    return {
        **shown,
        "otaUpdateId": update.id,
        "otaUpdateArn": update.arn,
        "creationDate": update.created_at,
        "lastModifiedDate": update.modified_at,
        "protocols": protocols,
        "awsJobExecutionsRolloutConfig": members(given, "awsJobExecutionsRolloutConfig") or unset,
        "targetSelection": given.get("targetSelection", "SNAPSHOT"),
        "otaUpdateFiles": [_file(file, update.signer_jobs.get(number)) for number, file in enumerate(files)],
        "otaUpdateStatus": update.status,
        "awsIotJobId": update.job_id if job else None,
        "awsIotJobArn": store.arn("job", update.job_id) if job else None,
        "errorInfo": update.error or None,
    }


def _file(file: Mapping[str, object], job: str | None) -> dict[str, object]:
    signing = dict(members(file, "codeSigning"))
    start = members(signing, "startSigningJobParameter")
    signing["startSigningJobParameter"] = {"signingProfileParameter": {}, **start} if start else {}
    signing.setdefault("customCodeSigning", {})
    if job is not None:
        signing["awsSignerJobId"] = job
    return {**file, "codeSigning": signing}
