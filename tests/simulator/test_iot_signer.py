"""AWS Signer: profiles, jobs and platforms, as far as OTA updates need them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.ota_updates import PARAMETERS, PROFILE, SIGNED, Ota, file
from tests.support.simulator.stage import ACCOUNT, BUCKET, IMAGE, KEY, REGION, SimulatorStage, refusal

PROFILE_ARN = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/{PROFILE}"


@pytest.fixture
def ota(stage: SimulatorStage) -> Ota:
    return Ota(stage)


def start(ota: Ota, request: str = "t", **changes: Any) -> str:
    """A signing job's id."""
    source = {"bucketName": BUCKET, "key": KEY, "version": ota.version, **changes.pop("source", {})}
    target = {"bucketName": SIGNED, "prefix": "signed/", **changes.pop("target", {})}
    given = {"source": {"s3": source}, "destination": {"s3": target}, "profileName": PROFILE, **changes}
    return str(ota.signer.start_signing_job(clientRequestToken=request, **given)["jobId"])


def test_a_profile_reads_back_as_it_was_put(ota: Ota) -> None:
    ota.profile(tags={"team": "soil"})
    profile = ota.signer.get_signing_profile(profileName=PROFILE)

    assert (profile["arn"], profile["status"], profile["platformId"]) == (PROFILE_ARN, "Active", PARAMETERS["platform"])
    assert profile["signingMaterial"] == {"certificateArn": PARAMETERS["certificateArn"]}
    assert profile["signingParameters"] == {"certname": "/cert.pem"}
    assert profile["tags"] == {"team": "soil"}
    assert profile["profileVersionArn"] == f"{PROFILE_ARN}/{profile['profileVersion']}"


def test_putting_a_profile_again_makes_a_new_version(ota: Ota) -> None:
    ota.profile()
    first = ota.signer.get_signing_profile(profileName=PROFILE)["profileVersion"]
    ota.profile()

    assert ota.signer.get_signing_profile(profileName=PROFILE)["profileVersion"] != first


def test_a_profile_needs_a_platform_and_its_material(ota: Ota) -> None:
    put = ota.signer.put_signing_profile
    assert refusal(put, profileName=PROFILE, platformId="Other")[:2] == (400, "ValidationException")
    assert refusal(put, profileName=PROFILE, platformId=PARAMETERS["platform"])[:2] == (400, "ValidationException")
    assert refusal(ota.profile, name="no-dash")[:2] == (400, "ValidationException")


def test_a_canceled_profile_stays_to_be_seen_and_signs_no_more(ota: Ota) -> None:
    ota.profile()
    ota.signer.cancel_signing_profile(profileName=PROFILE)

    assert ota.signer.get_signing_profile(profileName=PROFILE)["status"] == "Canceled"
    assert refusal(start, ota=ota).code == "ValidationException"
    assert refusal(ota.profile).code == "ValidationException"
    assert ota.signer.list_signing_profiles()["profiles"] == []
    assert len(ota.signer.list_signing_profiles(includeCanceled=True)["profiles"]) == 1
    assert len(ota.signer.list_signing_profiles(statuses=["Canceled"])["profiles"]) == 1


def test_an_unknown_profile_is_not_found(ota: Ota) -> None:
    assert refusal(ota.signer.get_signing_profile, profileName="other")[:2] == (404, "ResourceNotFoundException")
    assert refusal(ota.signer.cancel_signing_profile, profileName="other")[:2] == (404, "ResourceNotFoundException")
    assert refusal(start, ota=ota)[:2] == (404, "ResourceNotFoundException")


def test_profiles_are_listed_in_pages(ota: Ota) -> None:
    for name in ("one", "two"):
        ota.profile(name)
    first = ota.signer.list_signing_profiles(maxResults=1)
    rest = ota.signer.list_signing_profiles(maxResults=1, nextToken=first["nextToken"])

    assert [p["profileName"] for p in first["profiles"] + rest["profiles"]] == ["one", "two"]
    assert refusal(ota.signer.list_signing_profiles, nextToken="?")[:2] == (400, "ValidationException")


def test_a_signing_job_writes_a_named_copy_and_tells_where(ota: Ota) -> None:
    ota.profile()
    job = ota.signer.describe_signing_job(jobId=start(ota))
    (key,) = ota.signed_objects()

    assert key.startswith("signed/")
    assert ota.stage.s3.get_object(Bucket=SIGNED, Key=key)["Body"].read() == IMAGE
    assert job["status"] == "Succeeded"
    assert job["signedObject"] == {"s3": {"bucketName": SIGNED, "key": key}}
    assert job["source"] == {"s3": {"bucketName": BUCKET, "key": KEY, "version": ota.version}}
    assert (job["profileName"], job["platformId"]) == (PROFILE, PARAMETERS["platform"])


def test_the_same_token_gives_the_same_job(ota: Ota) -> None:
    ota.profile()

    assert start(ota, "a") == start(ota, "a") != start(ota, "b")
    assert len(ota.signed_objects()) == 2


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"source": {"version": "absent"}}, "ResourceNotFoundException"),
        ({"source": {"bucketName": "absent"}}, "ResourceNotFoundException"),
        ({"target": {"bucketName": "absent"}}, "ResourceNotFoundException"),
        ({"target": {"bucketName": ""}}, "ValidationException"),
        ({"source": {"bucketName": "plain"}}, "ValidationException"),
        ({"target": {"bucketName": "away"}}, "ValidationException"),
    ],
)
def test_a_signing_job_needs_source_and_destination(ota: Ota, wrong: dict[str, Any], code: str) -> None:
    ota.profile()
    ota.stage.s3.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": REGION})
    ota.stage.client("s3", region="us-east-1").create_bucket(Bucket="away")

    assert refusal(start, ota=ota, **wrong).code == code
    assert ota.signer.list_signing_jobs()["jobs"] == []


def test_a_platform_signs_no_more_than_its_size(ota: Ota) -> None:
    ota.profile()
    large = ota.stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=bytes(16_000_001))["VersionId"]

    assert refusal(start, ota=ota, source={"version": large}).code == "ValidationException"


def test_jobs_are_listed_newest_first_and_by_platform(ota: Ota) -> None:
    ota.profile()
    first, second = start(ota, "a"), start(ota, "b")

    assert [job["jobId"] for job in ota.signer.list_signing_jobs()["jobs"]] == [second, first]
    assert ota.signer.list_signing_jobs(platformId="AmazonFreeRTOS-TI-CC3220SF")["jobs"] == []
    assert ota.signer.list_signing_jobs(status="Failed")["jobs"] == []
    assert refusal(ota.signer.describe_signing_job, jobId="other")[:2] == (404, "ResourceNotFoundException")


def test_the_platforms_are_those_of_devices_and_lambdas(ota: Ota) -> None:
    listed = ota.signer.list_signing_platforms()["platforms"]

    assert {platform["platformId"] for platform in listed} == {
        "AWSIoTDeviceManagement-SHA256-ECDSA",
        "AWSLambda-SHA384-ECDSA",
        "AmazonFreeRTOS-Default",
        "AmazonFreeRTOS-TI-CC3220SF",
    }
    assert len(ota.signer.list_signing_platforms(partner="AmazonFreeRTOS")["platforms"]) == 2


def test_the_signature_depends_on_the_content_and_its_member_on_the_platform(ota: Ota) -> None:
    ota.profile(platformId="AmazonFreeRTOS-TI-CC3220SF")
    other = ota.stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"other")["VersionId"]
    jobs = (start(ota, "a"), start(ota, "b", source={"version": other}), start(ota, "c"))
    for number, job in enumerate(jobs):
        ota.made(f"u{number}", files=[file(fileLocation={}, codeSigning={"awsSignerJobId": job})])
    one, two, again = (ota.document(f"u{number}")["files"][0]["sig-sha1-rsa"] for number in range(3))

    assert one == again != two
