"""Carries out the S3 types of the program by boto3: a bucket, and the parts that are resources of their own."""

from __future__ import annotations

from typing import Any, ClassVar

from botocore.exceptions import ClientError

from tests.support.pulumi.provider.cloud import Cloud, Properties
from tests.support.pulumi.provider.kind import Kind, aws_tags, missing, plain_tags

PRIVATE = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


class Bucket(Kind):
    """A bucket; `forceDestroy` alone empties one that is deleted."""

    replaces, named, tagged = frozenset({"bucket", "region"}), "bucket", True
    computed = ("arn", "bucketRegionalDomainName")

    def create(self, cloud: Cloud, given: Properties) -> str:
        name = str(given["bucket"])
        place = {} if cloud.region == "us-east-1" else {"LocationConstraint": cloud.region}
        cloud.s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
        self._tag(cloud, name, given)
        return name

    def read(self, cloud: Cloud, identifier: str) -> Properties | None:
        try:
            cloud.s3.head_bucket(Bucket=identifier)
        except ClientError as error:
            if missing(error):
                return None
            raise
        try:
            tags = cloud.s3.get_bucket_tagging(Bucket=identifier)["TagSet"]
        except ClientError as error:
            if not missing(error):
                raise
            tags = []
        domain = f"{identifier}.s3.{cloud.region}.amazonaws.com"
        arn = f"arn:{cloud.partition}:s3:::{identifier}"
        shown = {"bucket": identifier, "arn": arn, "region": cloud.region, "bucketRegionalDomainName": domain}
        return {**shown, **plain_tags(cloud, tags)}

    def update(self, cloud: Cloud, identifier: str, olds: Properties, news: Properties) -> None:
        self._tag(cloud, identifier, news)

    def delete(self, cloud: Cloud, identifier: str, state: Properties) -> None:
        if state.get("forceDestroy"):
            shown = cloud.s3.list_object_versions(Bucket=identifier)
            for one in (*shown.get("Versions", []), *shown.get("DeleteMarkers", [])):
                cloud.s3.delete_object(Bucket=identifier, Key=one["Key"], VersionId=one["VersionId"])
        try:
            cloud.s3.delete_bucket(Bucket=identifier)
        except ClientError as error:
            if not missing(error):
                raise

    def _tag(self, cloud: Cloud, name: str, given: Properties) -> None:
        tags = self.all_tags(cloud, given)
        if tags:
            cloud.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": aws_tags(tags)})
        else:
            cloud.s3.delete_bucket_tagging(Bucket=name)


class Part(Kind):
    """A part of a bucket: put whole, read whole; its id is the bucket's name."""

    replaces: ClassVar[frozenset[str]] = frozenset({"bucket", "region"})

    def create(self, cloud: Cloud, given: Properties) -> str:
        self.put(cloud, str(given["bucket"]), given)
        return str(given["bucket"])

    def update(self, cloud: Cloud, identifier: str, olds: Properties, news: Properties) -> None:
        self.put(cloud, identifier, news)

    def read(self, cloud: Cloud, identifier: str) -> Properties | None:
        try:
            shown = self.get(cloud, identifier)
        except ClientError as error:
            if missing(error):
                return None
            raise
        return None if shown is None else {"bucket": identifier, "region": cloud.region, **shown}

    def delete(self, cloud: Cloud, identifier: str, state: Properties) -> None:
        try:
            self.remove(cloud, identifier)
        except ClientError as error:
            if not missing(error):
                raise

    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        """Write the part."""
        raise NotImplementedError

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        """Read the part, without the bucket's name."""
        raise NotImplementedError

    def remove(self, cloud: Cloud, bucket: str) -> None:
        """Take the part away."""
        raise NotImplementedError


class Versioning(Part):
    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        status = given["versioningConfiguration"]["status"]
        cloud.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        status = cloud.s3.get_bucket_versioning(Bucket=bucket).get("Status")
        return {"versioningConfiguration": {"status": status}} if status else None

    def remove(self, cloud: Cloud, bucket: str) -> None:
        cloud.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


class Encryption(Part):
    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        rules = []
        for rule in given["rules"]:
            default = rule["applyServerSideEncryptionByDefault"]
            said = {"SSEAlgorithm": default["sseAlgorithm"]}
            if default.get("kmsMasterKeyId"):
                said["KMSMasterKeyID"] = default["kmsMasterKeyId"]
            rules.append({"ApplyServerSideEncryptionByDefault": said, "BucketKeyEnabled": rule["bucketKeyEnabled"]})
        cloud.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        rules = []
        for rule in cloud.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]:
            default = rule["ApplyServerSideEncryptionByDefault"]
            shown = {"sseAlgorithm": default["SSEAlgorithm"]}
            if default.get("KMSMasterKeyID"):
                shown["kmsMasterKeyId"] = default["KMSMasterKeyID"]
            enabled = bool(rule.get("BucketKeyEnabled", False))
            rules.append({"applyServerSideEncryptionByDefault": shown, "bucketKeyEnabled": enabled})
        return {"rules": rules}

    def remove(self, cloud: Cloud, bucket: str) -> None:
        cloud.s3.delete_bucket_encryption(Bucket=bucket)


class Ownership(Part):
    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        controls = {"Rules": [{"ObjectOwnership": given["rule"]["objectOwnership"]}]}
        cloud.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        (rule,) = cloud.s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        return {"rule": {"objectOwnership": rule["ObjectOwnership"]}}

    def remove(self, cloud: Cloud, bucket: str) -> None:
        cloud.s3.delete_bucket_ownership_controls(Bucket=bucket)


class PublicAccessBlock(Part):
    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        block = {n[0].upper() + n[1:]: bool(given.get(n)) for n in PRIVATE}
        cloud.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        block = cloud.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        return {n: bool(block[n[0].upper() + n[1:]]) for n in PRIVATE}

    def remove(self, cloud: Cloud, bucket: str) -> None:
        cloud.s3.delete_public_access_block(Bucket=bucket)


class Policy(Part):
    documents = ("policy",)

    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        cloud.s3.put_bucket_policy(Bucket=bucket, Policy=given["policy"])

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        return {"policy": cloud.s3.get_bucket_policy(Bucket=bucket)["Policy"]}

    def remove(self, cloud: Cloud, bucket: str) -> None:
        cloud.s3.delete_bucket_policy(Bucket=bucket)


class Lifecycle(Part):
    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        rules = [_lifecycle_rule(r) for r in given["rules"]]
        cloud.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        rules = []
        for rule in cloud.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]:
            expires, aborts = rule["NoncurrentVersionExpiration"], rule["AbortIncompleteMultipartUpload"]
            rules.append(
                {
                    "id": rule["ID"],
                    "status": rule["Status"],
                    "filter": {"prefix": rule["Filter"].get("Prefix", "")},
                    "noncurrentVersionExpiration": {"noncurrentDays": expires["NoncurrentDays"]},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": aborts["DaysAfterInitiation"]},
                }
            )
        return {"rules": rules}

    def remove(self, cloud: Cloud, bucket: str) -> None:
        cloud.s3.delete_bucket_lifecycle(Bucket=bucket)


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    expires, aborts = rule["noncurrentVersionExpiration"], rule["abortIncompleteMultipartUpload"]
    return {
        "ID": rule["id"],
        "Status": rule["status"],
        "Filter": {"Prefix": rule["filter"]["prefix"]},
        "NoncurrentVersionExpiration": {"NoncurrentDays": int(expires["noncurrentDays"])},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": int(aborts["daysAfterInitiation"])},
    }


class ObjectLock(Part):
    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        kept = given["rule"]["defaultRetention"]
        rule = {"DefaultRetention": {"Mode": kept["mode"], "Years": int(kept["years"])}}
        lock = {"ObjectLockEnabled": given["objectLockEnabled"], "Rule": rule}
        cloud.s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        found = cloud.s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        kept = found["Rule"]["DefaultRetention"]
        retention = {"mode": kept["Mode"], "years": kept["Years"]}
        return {"objectLockEnabled": found["ObjectLockEnabled"], "rule": {"defaultRetention": retention}}

    def remove(self, cloud: Cloud, bucket: str) -> None:
        """Leave the lock: S3 lets no one switch it off."""


class Logging(Part):
    def put(self, cloud: Cloud, bucket: str, given: Properties) -> None:
        place = {"TargetBucket": given["targetBucket"], "TargetPrefix": given["targetPrefix"]}
        cloud.s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": place})

    def get(self, cloud: Cloud, bucket: str) -> Properties | None:
        place = cloud.s3.get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
        return {"targetBucket": place["TargetBucket"], "targetPrefix": place["TargetPrefix"]} if place else None

    def remove(self, cloud: Cloud, bucket: str) -> None:
        cloud.s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})


KINDS: dict[str, Kind] = {
    "aws:s3/bucket:Bucket": Bucket(),
    "aws:s3/bucketVersioning:BucketVersioning": Versioning(),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Encryption(),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Ownership(),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": PublicAccessBlock(),
    "aws:s3/bucketPolicy:BucketPolicy": Policy(),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Lifecycle(),
    "aws:s3/bucketLogging:BucketLogging": Logging(),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": ObjectLock(),
}
