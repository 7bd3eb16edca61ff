"""Which hosts a manifest may name: the vendor's own, this machine, and those the operator allows."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from otactl.backends.aws.client import AwsClient
from otactl.backends.transport.allowed_hosts import is_aws, must_be_aws, must_be_tuyas
from otactl.errors import StalledError
from tests.support.fuota_stage import environment

TUYA = {
    "https://si-0123456789abcdef0123.tuyacloud.com:8686/": True,
    "https://SI-0.TuyaCloud.com./": True,
    "https://openapi.tuyaeu.com/": True,
    "http://127.0.0.1:9/": True,
    "http://[::1]:9/": True,
    "http://localhost:9/": True,
    "https://gateway.example/": False,
    "https://tuyacloud.com.evil.example/": False,
    "https://eviltuyacloud.com/": False,
    "https://169.254.169.254/": False,
    "https://127.0.0.1.evil.example/": False,
}
AWS = {
    ("iotwireless", "api.iotwireless.eu-west-1.amazonaws.com"): True,
    ("iotwireless", "vpce-1-a.api.iotwireless.eu-west-1.vpce.amazonaws.com"): True,
    ("iot", "iot.eu-west-2.amazonaws.com"): True,
    ("iot", "iot.cn-north-1.amazonaws.com.cn"): True,
    ("iot", "iot-fips.us-gov-west-1.amazonaws.com"): True,
    ("iot-data", "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com"): True,
    ("sts", "sts.amazonaws.com"): True,
    ("sts", "sts.eu-west-1.api.aws"): True,
    ("s3", "s3.dualstack.eu-west-1.amazonaws.com"): True,
    ("s3", "s3-eu-west-1.amazonaws.com"): True,
    ("s3", "bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com"): True,
    ("s3", "evil.s3.eu-west-1.amazonaws.com"): False,
    ("iot", "evil.execute-api.eu-west-1.amazonaws.com"): False,
    ("iot", "evil.eu-west-1.elb.amazonaws.com"): False,
    ("sts", "iot.eu-west-1.amazonaws.com"): False,
    ("sts", "sts.eu-west-1.amazonaws.com.evil.example"): False,
    ("iot", "iot.eu-west-1.amazonaws.com\n.evil.example"): False,
}


@pytest.mark.parametrize(("endpoint", "allowed"), TUYA.items())
def test_a_gateway_is_tuyas_or_this_machine(endpoint: str, allowed: bool) -> None:
    if allowed:
        must_be_tuyas(urlsplit(endpoint), {})
        return
    with pytest.raises(StalledError, match="set OTACTL_ALLOWED_HOSTS=") as caught:
        must_be_tuyas(urlsplit(endpoint), {})
    assert caught.value.reason == "HostNotAllowed"


@pytest.mark.parametrize(("where", "own"), AWS.items())
def test_an_endpoint_is_one_of_the_services_own(where: tuple[str, str], own: bool) -> None:
    assert is_aws(*where) is own


@pytest.mark.parametrize("named", ["gateway.example", "a.example, Gateway.Example:8443", "gateway.example."])
def test_the_operator_may_allow_a_host(named: str) -> None:
    must_be_tuyas(urlsplit("https://gateway.example:8443/"), {"OTACTL_ALLOWED_HOSTS": named})
    must_be_aws("iot", "http://gateway.example:8443", {"OTACTL_ALLOWED_HOSTS": named})


def test_a_host_that_is_allowed_allows_no_other_port_or_name() -> None:
    environ = {"OTACTL_ALLOWED_HOSTS": "gateway.example:1,"}
    for endpoint in ("https://gateway.example:2/", "https://x.gateway.example:1/", "https:///"):
        with pytest.raises(StalledError):
            must_be_tuyas(urlsplit(endpoint), environ)


@pytest.mark.parametrize(
    "endpoint", ["https://iot.eu-west-1.amazonaws.com:99999", "https://[::1", "http://127.0.0.1:0"]
)
def test_what_is_no_address_is_an_error_that_names_its_field(endpoint: str) -> None:
    with pytest.raises(StalledError, match=r"spec\.endpoints\.iot: .* is no address; write https://HOST") as caught:
        must_be_aws("iot", endpoint, {})
    assert caught.value.reason == "EndpointInvalid"


def test_nothing_is_sent_to_a_foreign_endpoint_of_aws_nor_its_role_assumed_there() -> None:
    for endpoints in ({"sts": "https://evil.example"}, {"sts": "http://sts.eu-west-1.amazonaws.com"}):
        role = "arn:aws:iam::123456789012:role/r"
        declared = environment(endpoints={"iot": "http://127.0.0.1:1", **endpoints}, assumed_role=role)
        transport = AwsClient(declared, sleep=lambda _: None, environ={})
        with pytest.raises(StalledError) as caught:
            transport.call("iot", "ListOTAUpdates", {}, repeatable=True)
        assert caught.value.reason == "HostNotAllowed"
