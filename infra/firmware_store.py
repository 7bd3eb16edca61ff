"""Creates a channel's bucket: versioned, encrypted, private, TLS only, write-once, protected from destroy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .iam_documents import Document, Names, allow, bucket_policy, document, journal_policy
from .settings import Channel

JOURNAL_DAYS = 90  # a replaced head of the journal is its backup for so long


@dataclass(frozen=True, kw_only=True)
class FirmwareStoreArgs:
    """What a store contains."""

    names: Names
    channel: Channel


class FirmwareStore(pulumi.ComponentResource):
    """An image bucket and everything that guards it; `bucket` is its name, `key_arn` its KMS key if it has one."""

    bucket: pulumi.Output[str]
    key_arn: pulumi.Output[str] | None

    def __init__(self, name: str, args: FirmwareStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("otactl:infra:FirmwareStore", name, None, opts)
        channel, settings = args.channel, args.names.settings
        protect = settings.options.protect
        key = _key(name, args, self, protect=protect) if channel.kms else None
        self.key_arn = key.arn if key is not None else None
        bucket = guarded_bucket(
            name,
            channel.bucket,
            bucket_policy(args.names, channel),
            parent=self,
            protect=protect,
            key_arn=self.key_arn,
            noncurrent_days=channel.kept_days,
            retain=(channel.retain_mode, channel.retain_years) if channel.retain_years else None,
        )
        child = pulumi.ResourceOptions(parent=self)
        if channel.access_logs:
            aws.s3.BucketLogging(
                f"{name}-logging",
                bucket=bucket.id,
                target_bucket=channel.access_logs,
                target_prefix=f"{channel.bucket}/",
                opts=child,
            )
        self.bucket = bucket.bucket
        self.register_outputs({"bucket": self.bucket})


def _key(name: str, args: FirmwareStoreArgs, parent: pulumi.Resource, *, protect: bool) -> aws.kms.Key:
    """Return a key that the account's IAM governs and only S3 of this Region uses for the readers of the channel."""
    names, settings = args.names, args.names.settings
    updaters = (names.update_role(args.channel),) if settings.options.fuota else ()
    readers = [names.role_arn(r) for r in (*updaters, names.controller_role, names.planner_role)]
    return aws.kms.Key(
        f"{name}-key",
        description=f"otactl images of channel {args.channel.name}",
        enable_key_rotation=True,
        policy=json.dumps(
            document(
                [
                    {
                        "Sid": "AccountGoverns",
                        "Effect": "Allow",
                        "Principal": {"AWS": f"arn:{settings.partition}:iam::{settings.account}:root"},
                        "Action": "kms:*",
                        "Resource": "*",
                    },
                    {
                        # By condition, not by Principal: KMS refuses a policy that names a missing role.
                        "Sid": "ReadersDecryptThroughS3",
                        "Effect": "Allow",
                        "Principal": {"AWS": "*"},
                        "Action": "kms:Decrypt",
                        "Resource": "*",
                        "Condition": {
                            "ArnEquals": {"aws:PrincipalArn": readers},
                            "StringEquals": {"kms:ViaService": names.via("s3")},
                        },
                    },
                ]
            )
        ),
        opts=pulumi.ResourceOptions(parent=parent, protect=protect),
    )


def guarded_bucket(
    name: str,
    bucket_name: str,
    policy: Document,
    *,
    parent: pulumi.Resource,
    protect: bool,
    noncurrent_days: int,
    key_arn: pulumi.Output[str] | None = None,
    retain: tuple[str, int] | None = None,
) -> aws.s3.Bucket:
    """Return a private, versioned, encrypted bucket under a policy; a destroy of the stack stops at it.

    What guards a protected bucket is protected too: `pulumi destroy --skip-preview` deletes everything that is not,
    before it stops at the bucket, and would leave it without its policy, its versions and its block of public access.
    """
    bucket = aws.s3.Bucket(
        f"{name}-bucket",
        bucket=bucket_name,
        force_destroy=False,
        opts=pulumi.ResourceOptions(parent=parent, protect=protect),
    )
    child = pulumi.ResourceOptions(parent=parent, protect=protect)
    versioning = aws.s3.BucketVersioning(
        f"{name}-versioning",
        bucket=bucket.id,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=child,
    )
    if retain is not None:
        _lock(name, bucket, retain, pulumi.ResourceOptions(parent=parent, protect=protect, depends_on=[versioning]))
    default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="AES256" if key_arn is None else "aws:kms", kms_master_key_id=key_arn
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.id,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=default, bucket_key_enabled=key_arn is not None
            )
        ],
        opts=child,
    )
    aws.s3.BucketLifecycleConfiguration(
        f"{name}-lifecycle",
        bucket=bucket.id,
        rules=[
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="replaced-versions-and-broken-uploads",
                status="Enabled",
                filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                    noncurrent_days=noncurrent_days
                ),
                abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                    days_after_initiation=7
                ),
            )
        ],
        opts=child,
    )
    aws.s3.BucketOwnershipControls(
        f"{name}-ownership",
        bucket=bucket.id,
        rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
        opts=child,
    )
    block = aws.s3.BucketPublicAccessBlock(
        f"{name}-private",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.id,
        policy=json.dumps(policy),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[block], protect=protect),
    )
    return bucket


def _lock(name: str, bucket: aws.s3.Bucket, retain: tuple[str, int], opts: pulumi.ResourceOptions) -> None:
    """Keep every version for years from its upload; Object Lock can be switched on in a bucket that has versions."""
    mode, years = retain
    kept = aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(mode=mode, years=years)
    aws.s3.BucketObjectLockConfiguration(
        f"{name}-lock",
        bucket=bucket.id,
        object_lock_enabled="Enabled",
        rule=aws.s3.BucketObjectLockConfigurationRuleArgs(default_retention=kept),
        opts=opts,
    )


@dataclass(frozen=True, kw_only=True)
class JournalStoreArgs:
    """Where the journal lives."""

    names: Names
    bucket: str
    protect: bool


class JournalStore(pulumi.ComponentResource):
    """The journal's bucket, for runners without a disk; its versions are the journal's backup."""

    bucket: pulumi.Output[str]

    def __init__(self, name: str, args: JournalStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("otactl:infra:JournalStore", name, None, opts)
        bucket = guarded_bucket(
            name,
            args.bucket,
            journal_policy(args.names, args.bucket),
            parent=self,
            protect=args.protect,
            noncurrent_days=JOURNAL_DAYS,
        )
        self.bucket = bucket.bucket
        self.register_outputs({"bucket": self.bucket})


def use_key(key_arn: pulumi.Output[str], through: str, actions: Sequence[str]) -> pulumi.Output[str]:
    """Return the policy that lets a role use images under a KMS key, through S3 only."""
    via = {"kms:ViaService": through}
    return key_arn.apply(lambda arn: json.dumps(document([allow("UseKey", actions, [arn], StringEquals=via)])))
