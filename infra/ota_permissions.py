"""Creates what options.iotOta adds: permissions for AWS IoT OTA updates, and the service's own role.

1. An OTA update carries our owner mark from its creation on; what changes one asks for it, as for FUOTA tasks.
2. Its job and its stream are the service's: they carry no tag of ours, and their names hold no owner. What changes a
   job is scoped by the name `AFR_OTA-*` alone, so jobs of other owners' OTA updates in the account are within reach.
3. Whoever sends UpdateJob with presignedUrlConfig hands the role on, as with CreateOTAUpdate; it goes to AWS IoT only.
4. PutSigningProfile has no resource to narrow it to, so it is an option of its own.

Source: AWS service authorization reference of AWS IoT and AWS Signer; a test compares resources and conditions with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .iam_documents import IOT, OWNER_TAG, ROLE_READS, Document, Names, Statement, allow, document

# What the controller's call list needs (tests hold the two equal).
UPDATE_READS = ("GetOTAUpdate", "ListTagsForResource")
LISTS = ("ListJobs", "ListOTAUpdates", "ListStreams")
JOB_READS = ("DescribeJob", "DescribeJobExecution", "GetJobDocument", "ListJobExecutionsForJob")
THING_READS = ("DescribeJobExecution", "DescribeThing", "GetThingShadow", "ListJobExecutionsForThing")
GROUP_READS = ("DescribeThingGroup", "ListThingsInThingGroup")
UPDATE_WRITES = ("DeleteOTAUpdate", "UntagResource")
JOB_WRITES = ("CancelJob", "DeleteJob", "UpdateJob")


def reads(names: Names) -> list[Statement]:
    """Return what `otactl plan` reads of OTA updates."""
    if not names.settings.options.iot_ota:
        return []
    return [
        allow("ReadUpdates", _iot(UPDATE_READS), [names.iot("otaupdate/*")]),
        # These take no resource.
        allow("ReadIotAccount", _iot(LISTS), ["*"]),
        allow("ReadJobs", _iot(JOB_READS), [_jobs(names)]),
        # One a manifest names was created by another actor, under any name.
        allow("ReadStreams", ["iot:DescribeStream"], [names.iot("stream/*")]),
        allow("ReadThings", _iot(THING_READS), [names.iot("thing/*")]),
        allow("ReadThingGroups", _iot(GROUP_READS), [names.iot("thinggroup/*")]),
        allow("SearchThings", ["iot:SearchIndex"], [names.iot("index/AWS_Things")]),
        allow("ReadSigningJobs", ["signer:DescribeSigningJob"], [_signer(names, "jobs")]),
        allow("CheckImageVersions", ["s3:GetObjectVersion"], [names.images(c) for c in names.settings.channels]),
        allow("CheckOtaRole", [f"iam:{a}" for a in ROLE_READS], [names.role_arn(names.ota_role)]),
    ]


def writes(names: Names) -> list[Statement]:
    """Return what `otactl reconcile` changes of OTA updates (rules 1 to 3)."""
    settings = names.settings
    if not settings.options.iot_ota:
        return []
    updates = [names.iot("otaupdate/*")]
    ours = {f"aws:ResourceTag/{OWNER_TAG}": settings.owner}
    unowned = {f"aws:ResourceTag/{OWNER_TAG}": "true"}
    marked = {f"aws:RequestTag/{OWNER_TAG}": settings.owner}
    return [
        allow("MakeOurUpdates", ["iot:CreateOTAUpdate"], updates, StringEquals=marked),
        allow("ChangeOurUpdates", _iot(UPDATE_WRITES), updates, StringEquals=ours),
        allow("TagOurUpdates", ["iot:TagResource"], updates, StringEquals=ours),
        allow("MarkUpdates", ["iot:TagResource"], updates, StringEquals=marked, Null=unowned),
        allow("ChangeJobs", _iot(JOB_WRITES), [_jobs(names)]),
        allow(
            "PassOtaRole",
            ["iam:PassRole"],
            [names.role_arn(names.ota_role)],
            StringEquals={"iam:PassedToService": IOT},
        ),
    ]


def service(names: Names) -> Document:
    """Return what AWS IoT does for an OTA update with its service role.

    Source: managed policy AmazonFreeRTOSOTAUpdate v3, narrowed to our buckets and AFR_OTA-*; PassRole and GetRole on
    itself, without which an update ends CREATE_FAILED (FreeRTOS user guide, "Create an OTA Update service role").
    """
    settings = names.settings
    buckets = [names.bucket(c.bucket) for c in settings.channels]
    objects = [names.images(c) for c in settings.channels]
    targets = [_jobs(names), names.iot("thing/*"), names.iot("thinggroup/*")]
    profiles = [allow("MakeSigningProfiles", ["signer:PutSigningProfile"], ["*"])]
    return document(
        [
            allow("ReadAndSignImages", ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], objects),
            allow("FindImages", ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions"], buckets),
            allow("Sign", ["signer:GetSigningProfile", "signer:StartSigningJob"], [_signer(names, "profiles")]),
            allow("ReadSigned", ["signer:DescribeSigningJob"], [_signer(names, "jobs")]),
            *(profiles if settings.options.signing_profiles else []),
            allow("MakeJobs", ["iot:CreateJob"], targets),
            allow("KeepJobs", ["iot:DeleteJob", "iot:DescribeJob"], [_jobs(names)]),
            allow("KeepStreams", ["iot:CreateStream", "iot:DeleteStream"], [names.iot("stream/AFR_OTA-*")]),
            allow("PassItself", ["iam:GetRole", "iam:PassRole"], [names.role_arn(names.ota_role)]),
        ]
    )


def _iot(actions: Sequence[str]) -> list[str]:
    return [f"iot:{a}" for a in actions]


def _jobs(names: Names) -> str:
    """Return the jobs of OTA updates, by their names (AWS IoT guide: `AFR_OTA-` and the update's id)."""
    return names.iot("job/AFR_OTA-*")


def _signer(names: Names, kind: str) -> str:
    """Return every signing job or profile: the resource part of their ARNs starts with a slash."""
    return names.arn("signer", f"/signing-{kind}/*")
