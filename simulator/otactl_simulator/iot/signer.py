"""Serves AWS Signer as far as OTA updates need it: signing profiles, signing jobs, platforms.

Rules, from the Signer API reference unless said otherwise:

1. PutSigningProfile makes a profile, or a new version of one that is Active. The name of a canceled one cannot be used
   again [inferred: a canceled profile stays to be seen]. A platform for devices needs signingMaterial; Lambda's has
   no use for it (PutSigningProfile), and is not refused with it here: ministack's and moto's makers disagree.
2. StartSigningJob needs an Active profile and an object of a version-enabled bucket in the same Region; the caller's
   own rights on S3 are judged with the call. The same clientRequestToken gives the same job.
3. A job succeeds at once [inferred: see signing]; lists are newest first [inferred].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from moto.s3.models import FakeBucket

from otactl_simulator.clock import Clock
from otactl_simulator.iam.role_session import find_bucket, find_object, put
from otactl_simulator.iot.common import page, texts
from otactl_simulator.iot.service_role import Found, Place
from otactl_simulator.iot.signing import PLATFORMS, Platform, make_profile, signed
from otactl_simulator.iot.state import SigningJob, SigningProfile, Store, Stores
from otactl_simulator.iot.update_rules import members
from otactl_simulator.service import Handler, ModelledError, Request, Still

T = TypeVar("T")
DEFAULT_VALIDITY = {"value": 135, "type": "MONTHS"}
MEGABYTE = 1_000_000


class SignerService(Still):
    """The service, for every account and Region."""

    name = "signer"

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "PutSigningProfile": self.put_profile,
            "GetSigningProfile": self.get_profile,
            "ListSigningProfiles": self.list_profiles,
            "CancelSigningProfile": self.cancel_profile,
            "StartSigningJob": self.start_job,
            "DescribeSigningJob": self.describe_job,
            "ListSigningJobs": self.list_jobs,
            "ListSigningPlatforms": self.list_platforms,
        }

    def put_profile(self, request: Request) -> dict[str, object]:
        """PutSigningProfile (rule 1)."""
        store, wanted = self._stores.of(request), request.parameters
        name, platform = str(wanted["profileName"]), str(wanted["platformId"])
        certificate = members(wanted, "signingMaterial").get("certificateArn")
        if platform not in PLATFORMS:
            raise _refused(f"platformId {platform} is none of {', '.join(PLATFORMS)}")
        if PLATFORMS[platform].for_devices and not certificate:
            raise _refused(f"a profile of platform {platform} needs signingMaterial")
        known = store.profiles.get(name)
        if known is not None and known.status != "Active":
            raise _refused(f"signing profile {name} is {known.status}; its name cannot be used again")
        profile = make_profile(store, name, platform, str(certificate or ""), texts(wanted.get("signingParameters")))
        if known is None or "tags" in wanted:
            store.tags[profile.arn] = texts(wanted.get("tags"))
        return {"arn": profile.arn, **_version(profile)}

    def get_profile(self, request: Request) -> dict[str, object]:
        """GetSigningProfile."""
        store = self._stores.of(request)
        return _shown(store, _profile(store, request.parameters["profileName"]))

    def list_profiles(self, request: Request) -> dict[str, object]:
        """ListSigningProfiles: the Active ones, with includeCanceled or by statuses others too."""
        store, wanted = self._stores.of(request), request.parameters
        given = wanted.get("statuses")
        statuses = given if isinstance(given, list) else ["Active"]
        if wanted.get("includeCanceled") is True:
            statuses = [*statuses, "Canceled"]
        found = [
            profile
            for profile in store.profiles.values()
            if profile.status in statuses and wanted.get("platformId") in (None, profile.platform)
        ]
        listed, token = _page(found, wanted)
        return {"profiles": [_shown(store, profile) for profile in listed], "nextToken": token}

    def cancel_profile(self, request: Request) -> dict[str, object]:
        """CancelSigningProfile."""
        _profile(self._stores.of(request), request.parameters["profileName"]).status = "Canceled"
        return {}

    def start_job(self, request: Request) -> dict[str, object]:
        """StartSigningJob (rule 2)."""
        store, wanted = self._stores.of(request), request.parameters
        token = str(wanted["clientRequestToken"])
        if token not in store.signing_tokens:
            store.signing_tokens[token] = self._start(store, wanted).id
        return {"jobId": store.signing_tokens[token], "jobOwner": store.account}

    def _start(self, store: Store, wanted: Mapping[str, object]) -> SigningJob:
        profile = _profile(store, wanted["profileName"])
        if profile.status != "Active":
            raise _refused(f"signing profile {profile.name} is {profile.status}")
        source, target = members(members(wanted, "source"), "s3"), members(members(wanted, "destination"), "s3")
        if not source or not target.get("bucketName"):
            raise _refused("a signing job needs source.s3 and destination.s3.bucketName")
        place = Place(str(source["bucketName"]), str(source["key"]), str(source["version"]))
        found = _read(store, place, PLATFORMS[profile.platform])

        def write(to: Place, content: bytes) -> None:
            put(_bucket(store, to.bucket), to.key, content)

        prefix = str(target.get("prefix", ""))
        return signed(store, profile, found, str(target["bucketName"]), prefix, write, self._clock.now())

    def describe_job(self, request: Request) -> dict[str, object]:
        """DescribeSigningJob."""
        store, identifier = self._stores.of(request), str(request.parameters["jobId"])
        job = store.signing_jobs.get(identifier)
        if job is None:
            raise _missing(f"signing job {identifier}")
        ended = {"completedAt": job.created_at, "statusReason": job.reason or None}
        return {**_job(store, job), **ended, "signingParameters": job.parameters or None}

    def list_jobs(self, request: Request) -> dict[str, object]:
        """ListSigningJobs."""
        store, wanted = self._stores.of(request), request.parameters
        found = [
            job
            for job in reversed(store.signing_jobs.values())
            if wanted.get("status") in (None, job.status) and wanted.get("platformId") in (None, job.platform)
        ]
        listed, token = _page(found, wanted)
        return {"jobs": [_job(store, job) for job in listed], "nextToken": token}

    def list_platforms(self, request: Request) -> dict[str, object]:
        """ListSigningPlatforms: those an OTA update can use, and Lambda's."""
        wanted = request.parameters
        known = [_platform(platform) for platform in PLATFORMS.values()]
        found = [p for p in known if all(wanted.get(n) in (None, p[n]) for n in ("category", "partner", "target"))]
        listed, token = _page(found, wanted)
        return {"platforms": listed, "nextToken": token}

    def snapshot(self) -> dict[str, object]:
        """State as JSON: per account and Region, profiles by status and jobs by id."""
        return {
            f"{account}/{region}": {
                "profiles": {name: profile.status for name, profile in store.profiles.items()},
                "jobs": {name: {**job.signed, "status": job.status} for name, job in store.signing_jobs.items()},
            }
            for (account, region), store in self._stores.all.items()
        }

    def tags(self, account: str, region: str, arn: str) -> dict[str, str]:
        """Return the tags of a profile, none when it is not there."""
        return dict(self._stores.at(account, region).tags.get(arn, {}))


def _refused(message: str) -> ModelledError:
    return ModelledError("ValidationException", message)


def _missing(what: str) -> ModelledError:
    return ModelledError("ResourceNotFoundException", f"{what} does not exist")


def _page(items: Sequence[T], wanted: Mapping[str, object]) -> tuple[list[T], str | None]:
    try:
        return page(items, {"maxResults": 25, **wanted})
    except ModelledError as error:
        raise _refused(error.message) from error


def _profile(store: Store, name: object) -> SigningProfile:
    profile = store.profiles.get(str(name))
    if profile is None:
        raise _missing(f"signing profile {name}")
    return profile


def _bucket(store: Store, name: str) -> FakeBucket:
    bucket = find_bucket(name)
    if bucket is None:
        raise _missing(f"bucket {name}")
    if bucket.region_name != store.region:
        raise _refused(f"bucket {name} is in {bucket.region_name}, not in {store.region}")
    return bucket


def _read(store: Store, place: Place, platform: Platform) -> Found:
    bucket = _bucket(store, place.bucket)
    if not bucket.is_versioned:
        raise _refused(f"bucket {place.bucket} is not version enabled")
    found = find_object(bucket, place.key, place.version)
    if found is None:
        raise _missing(f"version {place.version} of object {place.key}")
    content = bytes(found.value)
    if len(content) > platform.max_size_mb * MEGABYTE:
        raise _refused(
            f"object {place.key} has {len(content)} bytes, platform {platform.id} signs {platform.max_size_mb} MB"
        )
    return Found(place, place.version, content, versioned=True)


def _version(profile: SigningProfile) -> dict[str, object]:
    return {"profileVersion": profile.version, "profileVersionArn": f"{profile.arn}/{profile.version}"}


def _shown(store: Store, profile: SigningProfile) -> dict[str, object]:
    return {
        "profileName": profile.name,
        **_version(profile),
        "signingMaterial": _material(profile.certificate_arn),
        "platformId": profile.platform,
        "platformDisplayName": PLATFORMS[profile.platform].name,
        "signatureValidityPeriod": DEFAULT_VALIDITY,
        "signingParameters": profile.parameters or None,
        "status": profile.status,
        "arn": profile.arn,
        "tags": store.tags.get(profile.arn) or None,
    }


def _job(store: Store, job: SigningJob) -> dict[str, object]:
    return {
        "jobId": job.id,
        "source": {"s3": job.source},
        "signedObject": {"s3": job.signed},
        "signingMaterial": _material(job.certificate_arn),
        "createdAt": job.created_at,
        "status": job.status,
        "profileName": job.profile,
        "profileVersion": job.profile_version,
        "platformId": job.platform,
        "platformDisplayName": PLATFORMS[job.platform].name,
        "jobOwner": store.account,
        "jobInvoker": store.account,
    }


def _material(certificate: str) -> dict[str, str] | None:
    return {"certificateArn": certificate} if certificate else None


def _platform(platform: Platform) -> dict[str, object]:
    encryption = {"allowedValues": list(platform.encryption), "defaultValue": platform.encryption[0]}
    hashed = {"allowedValues": [platform.hash], "defaultValue": platform.hash}
    return {
        "platformId": platform.id,
        "displayName": platform.name,
        "partner": platform.partner,
        "target": platform.target,
        "category": platform.category,
        "signingConfiguration": {"encryptionAlgorithmOptions": encryption, "hashAlgorithmOptions": hashed},
        "signingImageFormat": {"supportedFormats": [platform.image_format], "defaultFormat": platform.image_format},
        "maxSizeInMB": platform.max_size_mb,
        "revocationSupported": False,
    }
