"""The questions of the matrix about AWS IoT OTA updates: what is done, with which action, on what, under which tags."""

from __future__ import annotations

from infra.iam_documents import IOT, IOT_WIRELESS, Names

Question = tuple[str, str, str, dict[str, str], bool, bool]
"""What it does, action, resource, condition keys, and whether the controller may, and the planner."""

ASKED, CARRIED = "aws:RequestTag/otactl:owner", "aws:ResourceTag/otactl:owner"


def of_updates(names: Names) -> list[Question]:
    """What otactl does, and what it has no business doing."""
    update, job, thing = names.iot("otaupdate/gateway-1"), names.iot("job/AFR_OTA-gateway-1"), names.iot("thing/gw-1")
    elsewhere = update.replace(names.settings.region, "us-east-1")
    role, wireless = names.role_arn(names.ota_role), names.role_arn(names.update_role(names.settings.channels[0]))
    image = f"arn:aws:s3:::{names.settings.channels[0].bucket}/gateway.bin"
    signing = f"arn:aws:signer:{names.settings.region}:{names.settings.account}:/signing-"
    ours, theirs = {CARRIED: "acme"}, {CARRIED: "umbrella"}
    marked, other = {ASKED: "acme"}, {ASKED: "umbrella"}
    to_iot, to_wireless = {"iam:PassedToService": IOT}, {"iam:PassedToService": IOT_WIRELESS}
    return [
        ("lists OTA updates", "iot:ListOTAUpdates", "*", {}, True, True),
        ("reads an OTA update", "iot:GetOTAUpdate", update, {}, True, True),
        ("reads an OTA update of another Region", "iot:GetOTAUpdate", elsewhere, {}, False, False),
        ("makes an OTA update with our mark", "iot:CreateOTAUpdate", update, marked, True, False),
        ("makes an OTA update with another's mark", "iot:CreateOTAUpdate", update, other, False, False),
        ("makes an OTA update without a mark", "iot:CreateOTAUpdate", update, {}, False, False),
        ("deletes an OTA update of ours", "iot:DeleteOTAUpdate", update, ours, True, False),
        ("deletes another's OTA update", "iot:DeleteOTAUpdate", update, theirs, False, False),
        ("deletes an OTA update without a mark", "iot:DeleteOTAUpdate", update, {}, False, False),
        ("puts our mark back on an OTA update without one", "iot:TagResource", update, marked, True, False),
        ("marks another's OTA update as ours", "iot:TagResource", update, {**marked, **theirs}, False, False),
        ("takes a tag off another's OTA update", "iot:UntagResource", update, theirs, False, False),
        ("reads the job of an OTA update", "iot:DescribeJob", job, {}, True, True),
        ("changes the pace of an OTA update's job", "iot:UpdateJob", job, {}, True, False),
        ("cancels an OTA update's job, whoever owns the update", "iot:CancelJob", job, {}, True, False),
        ("reads a job of another kind", "iot:DescribeJob", names.iot("job/reboot"), {}, False, False),
        ("cancels a job of another kind", "iot:CancelJob", names.iot("job/reboot"), {}, False, False),
        ("makes a job", "iot:CreateJob", job, {}, False, False),
        ("marks a job", "iot:TagResource", job, marked, False, False),
        ("reads a stream", "iot:DescribeStream", names.iot("stream/AFR_OTA-1"), {}, True, True),
        ("deletes a stream", "iot:DeleteStream", names.iot("stream/AFR_OTA-1"), {}, False, False),
        ("reads a thing's shadow", "iot:GetThingShadow", thing, {}, True, True),
        ("writes a thing's shadow", "iot:UpdateThingShadow", thing, {}, False, False),
        ("deletes a thing", "iot:DeleteThing", thing, {}, False, False),
        ("lists a thing group's things", "iot:ListThingsInThingGroup", names.iot("thinggroup/all"), {}, True, True),
        ("searches the index of things", "iot:SearchIndex", names.iot("index/AWS_Things"), {}, True, True),
        ("searches another index", "iot:SearchIndex", names.iot("index/AWS_ThingGroups"), {}, False, False),
        ("reads a signing job", "signer:DescribeSigningJob", f"{signing}jobs/1", {}, True, True),
        ("starts a signing job", "signer:StartSigningJob", f"{signing}profiles/gateway", {}, False, False),
        ("checks a version of an image", "s3:GetObjectVersion", image, {}, True, True),
        ("deletes a version of an image", "s3:DeleteObjectVersion", image, {}, False, False),
        ("checks the OTA service role", "iam:GetRole", role, {}, True, True),
        ("changes the OTA service role", "iam:PutRolePolicy", role, {}, False, False),
        ("passes the OTA service role to AWS IoT", "iam:PassRole", role, to_iot, True, False),
        ("passes the OTA service role to AWS IoT Wireless", "iam:PassRole", role, to_wireless, False, False),
        ("passes the update role to AWS IoT", "iam:PassRole", wireless, to_iot, False, False),
    ]


def as_the_service(names: Names) -> list[tuple[str, str, str, bool]]:
    """What AWS IoT does with the service role: what it does, action, resource, whether it may."""
    bucket, role = names.settings.channels[0].bucket, names.role_arn(names.ota_role)
    image, target = f"arn:aws:s3:::{bucket}/probe.bin", names.iot("thing/gw-1")
    signing = f"arn:aws:signer:{names.settings.region}:{names.settings.account}:/signing-"
    return [
        ("reads a version of an image", "s3:GetObjectVersion", image, True),
        ("writes a signed image", "s3:PutObject", image, True),
        ("deletes an image", "s3:DeleteObject", image, False),
        ("reads a foreign bucket", "s3:GetObject", "arn:aws:s3:::someone/probe.bin", False),
        ("makes the job AFR_OTA-x", "iot:CreateJob", names.iot("job/AFR_OTA-x"), True),
        ("makes a job for a thing", "iot:CreateJob", target, True),
        ("makes a job of another kind", "iot:CreateJob", names.iot("job/reboot"), False),
        ("deletes a job of another kind", "iot:DeleteJob", names.iot("job/reboot"), False),
        ("makes the stream AFR_OTA-x", "iot:CreateStream", names.iot("stream/AFR_OTA-x"), True),
        ("makes a stream of another name", "iot:CreateStream", names.iot("stream/film"), False),
        ("starts a signing job", "signer:StartSigningJob", f"{signing}profiles/gateway", True),
        ("reads a signing job", "signer:DescribeSigningJob", f"{signing}jobs/1", True),
        ("makes a signing profile (options.signingProfiles)", "signer:PutSigningProfile", "*", True),
        ("cancels a signing profile", "signer:CancelSigningProfile", f"{signing}profiles/gateway", False),
        ("passes itself on", "iam:PassRole", role, True),
        ("passes another role on", "iam:PassRole", names.role_arn(names.controller_role), False),
    ]


def of_versions(names: Names) -> list[Question]:
    """What a FUOTA rollout reads of AWS IoT to prove versions, and what it has no business reading."""
    thing = names.iot("thing/probe-1")
    return [
        ("reads a thing's shadow", "iot:GetThingShadow", thing, {}, True, True),
        ("reads a thing's attributes", "iot:DescribeThing", thing, {}, True, True),
        ("searches the index of things", "iot:SearchIndex", names.iot("index/AWS_Things"), {}, True, True),
        ("writes a thing's shadow", "iot:UpdateThingShadow", thing, {}, False, False),
        ("searches another index", "iot:SearchIndex", names.iot("index/AWS_ThingGroups"), {}, False, False),
        ("lists OTA updates", "iot:ListOTAUpdates", "*", {}, False, False),
    ]
