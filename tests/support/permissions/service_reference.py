"""What the service authorization reference says of each action of AWS IoT and AWS Signer that our policies name.

Source: "Actions, resources, and condition keys" of AWS IoT and of AWS Signer, as of June 2026. An action scoped to a
resource it does not take is one AWS never grants; our own evaluator, which knows no kinds of resources, would.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """The kinds of resource an action takes (none: only `*`), and whether it knows aws:RequestTag."""

    resources: tuple[str, ...] = ()
    request_tags: bool = False


JOB, STREAM, UPDATE = ("job",), ("stream",), ("otaupdate",)
THING, GROUP = ("thing",), ("thinggroup",)
LABELLED = ("job", "otaupdate", "stream", "thinggroup")  # of the kinds that carry tags, those that we know
TAGGED = {*LABELLED, "/signing-profiles"}

ACTIONS: dict[str, Action] = {
    "iot:CancelJob": Action(JOB),
    "iot:CreateJob": Action((*JOB, *THING, *GROUP), request_tags=True),
    "iot:CreateOTAUpdate": Action(UPDATE, request_tags=True),
    "iot:CreateStream": Action(STREAM, request_tags=True),
    "iot:DeleteJob": Action(JOB),
    "iot:DeleteOTAUpdate": Action(UPDATE),
    "iot:DeleteStream": Action(STREAM),
    "iot:DescribeJob": Action(JOB),
    "iot:DescribeJobExecution": Action((*JOB, *THING)),
    "iot:DescribeStream": Action(STREAM),
    "iot:DescribeThing": Action(THING),
    "iot:DescribeThingGroup": Action(GROUP),
    "iot:GetJobDocument": Action(JOB),
    "iot:GetOTAUpdate": Action(UPDATE),
    "iot:GetThingShadow": Action(THING),
    "iot:ListJobExecutionsForJob": Action(JOB),
    "iot:ListJobExecutionsForThing": Action(THING),
    "iot:ListJobs": Action(),
    "iot:ListOTAUpdates": Action(),
    "iot:ListStreams": Action(),
    "iot:ListTagsForResource": Action(LABELLED),
    "iot:ListThingsInThingGroup": Action(GROUP),
    "iot:SearchIndex": Action(("index",)),
    "iot:TagResource": Action(LABELLED, request_tags=True),
    "iot:UntagResource": Action(LABELLED),
    "iot:UpdateJob": Action(JOB),
    "signer:DescribeSigningJob": Action(("/signing-jobs",)),
    "signer:GetSigningProfile": Action(("/signing-profiles",)),
    "signer:PutSigningProfile": Action(request_tags=True),
    "signer:StartSigningJob": Action(("/signing-profiles",)),
}


def kind(arn: str) -> str:
    """The kind of resource an ARN names; its fifth part is followed by `kind/name`, AWS Signer's by `/kind/name`."""
    return arn if arn == "*" else arn.split(":", 5)[5].rpartition("/")[0]
