"""Applies registrations to moto: S3 and IAM over HTTP to the simulator, by unmodified boto3; its table is the list.

1. A type that is not in the table raises: nothing is let through unseen.
2. boto3 checks every parameter name and type, which Pulumi's own mocks do not.
3. What moto does not know (`RECORDED`) is only recorded, with made-up outputs; nothing of it is proved here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import boto3

Inputs = Mapping[str, Any]
Made = tuple[str, dict[str, Any]]
RECORDED = (
    "aws:kms/key:Key",
    "aws:cloudwatch/eventRule:EventRule",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:ecs/taskDefinition:TaskDefinition",
    "aws:scheduler/schedule:Schedule",
)


class Applier:
    """Carries registrations out with one set of clients."""

    def __init__(self, url: str, region: str = "eu-west-1") -> None:
        session = boto3.Session(region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
        self.s3, self.iam = (session.client(n, endpoint_url=url) for n in ("s3", "iam"))
        self.region = region
        self._table: dict[str, Callable[[Inputs], Made]] = {
            "aws:s3/bucket:Bucket": self._bucket,
            "aws:s3/bucketVersioning:BucketVersioning": self._versioning,
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": self._encryption,
            "aws:s3/bucketOwnershipControls:BucketOwnershipControls": self._ownership,
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": self._private,
            "aws:s3/bucketPolicy:BucketPolicy": self._policy,
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": self._lifecycle,
            "aws:s3/bucketLogging:BucketLogging": self._logging,
            "aws:iam/role:Role": self._role,
            "aws:iam/rolePolicy:RolePolicy": self._role_policy,
            "aws:iam/openIdConnectProvider:OpenIdConnectProvider": self._provider,
        }

    def __call__(self, kind: str, inputs: Inputs) -> Made:
        """Carry one registration out; gives its id and what the provider would add."""
        if kind in RECORDED:
            name = kind.rsplit(":", 1)[-1]
            return f"recorded-{name}", {"arn": f"arn:aws:recorded:{self.region}:123456789012:{name}", "name": name}
        if kind not in self._table:
            raise KeyError(f"no way to apply {kind}")
        return self._table[kind](inputs)

    def _bucket(self, given: Inputs) -> Made:
        name = given["bucket"]
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.region})
        return name, {"arn": f"arn:aws:s3:::{name}"}

    def _versioning(self, given: Inputs) -> Made:
        status = given["versioningConfiguration"]["status"]
        self.s3.put_bucket_versioning(Bucket=given["bucket"], VersioningConfiguration={"Status": status})
        return given["bucket"], {}

    def _encryption(self, given: Inputs) -> Made:
        rules = []
        for rule in given["rules"]:
            default = rule["applyServerSideEncryptionByDefault"]
            said = {"SSEAlgorithm": default["sseAlgorithm"]}
            if default.get("kmsMasterKeyId"):
                said["KMSMasterKeyID"] = default["kmsMasterKeyId"]
            rules.append({"ApplyServerSideEncryptionByDefault": said, "BucketKeyEnabled": rule["bucketKeyEnabled"]})
        self.s3.put_bucket_encryption(Bucket=given["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})
        return given["bucket"], {}

    def _ownership(self, given: Inputs) -> Made:
        controls = {"Rules": [{"ObjectOwnership": given["rule"]["objectOwnership"]}]}
        self.s3.put_bucket_ownership_controls(Bucket=given["bucket"], OwnershipControls=controls)
        return given["bucket"], {}

    def _private(self, given: Inputs) -> Made:
        names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        block = {n[0].upper() + n[1:]: given[n] for n in names}
        self.s3.put_public_access_block(Bucket=given["bucket"], PublicAccessBlockConfiguration=block)
        return given["bucket"], {}

    def _policy(self, given: Inputs) -> Made:
        self.s3.put_bucket_policy(Bucket=given["bucket"], Policy=given["policy"])
        return given["bucket"], {}

    def _lifecycle(self, given: Inputs) -> Made:
        rules = [
            {
                "ID": r["id"],
                "Status": r["status"],
                "Filter": {"Prefix": r["filter"]["prefix"]},
                "NoncurrentVersionExpiration": {
                    "NoncurrentDays": int(r["noncurrentVersionExpiration"]["noncurrentDays"])
                },
                "AbortIncompleteMultipartUpload": {
                    "DaysAfterInitiation": int(r["abortIncompleteMultipartUpload"]["daysAfterInitiation"])
                },
            }
            for r in given["rules"]
        ]
        self.s3.put_bucket_lifecycle_configuration(Bucket=given["bucket"], LifecycleConfiguration={"Rules": rules})
        return given["bucket"], {}

    def _logging(self, given: Inputs) -> Made:
        place = {"TargetBucket": given["targetBucket"], "TargetPrefix": given["targetPrefix"]}
        self.s3.put_bucket_logging(Bucket=given["bucket"], BucketLoggingStatus={"LoggingEnabled": place})
        return given["bucket"], {}

    def _role(self, given: Inputs) -> Made:
        optional = {"Description": given["description"]} if "description" in given else {}
        if "maxSessionDuration" in given:
            optional["MaxSessionDuration"] = int(given["maxSessionDuration"])
        made = self.iam.create_role(
            RoleName=given["name"], AssumeRolePolicyDocument=given["assumeRolePolicy"], **optional
        )
        return given["name"], {"arn": made["Role"]["Arn"]}

    def _role_policy(self, given: Inputs) -> Made:
        self.iam.put_role_policy(RoleName=given["role"], PolicyName=given["name"], PolicyDocument=given["policy"])
        return f"{given['role']}:{given['name']}", {}

    def _provider(self, given: Inputs) -> Made:
        made = self.iam.create_open_id_connect_provider(Url=given["url"], ClientIDList=given["clientIdLists"])
        return made["OpenIDConnectProviderArn"], {"arn": made["OpenIDConnectProviderArn"]}
