"""What the SDK and AWS say when they fail: each class and code in its family, with what to do, and nothing secret."""

from __future__ import annotations

import inspect
from datetime import timedelta
from string import Formatter
from typing import Any

import pytest
from botocore import exceptions as sdk
from botocore.exceptions import ClientError

from otactl.backends.aws.errors import no_credentials, translate
from otactl.errors import OtactlError, StalledError, TransientError

SECRET = "hunter2"
CLASSES = [
    kind
    for _, kind in sorted(inspect.getmembers(sdk, inspect.isclass))
    if issubclass(kind, Exception) and not issubclass(kind, Warning) and kind.__module__ == sdk.__name__
]
STEPS = (
    "check the proxy",
    "set ",
    "fix ",
    "fix ",
    "sign in",
    "give ",
    "declare ",
    "install ",
    "report it",
    "look at",
    "use ",
    "run ",
    "name one",
    "renew",
    "after 4 attempts",
)
WHO = {
    "ConfigNotFound",
    "ConfigParseError",
    "CredentialRetrievalError",
    "InfiniteLoopConfigError",
    "LoginError",
    "LoginAuthorizationCodeError",
    "LoginInsufficientPermissions",
    "LoginRefreshRequired",
    "LoginTokenLoadError",
    "MetadataRetrievalError",
    "NoAuthTokenError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "RefreshWithMFAUnsupportedError",
    "SSOError",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
    "UnknownCredentialError",
    "UnknownTokenProviderError",
}


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, ClientError):
        return refused("Odd", "odd")
    words = {name for _, name, _, _ in Formatter().parse(getattr(kind, "fmt", "")) if name}
    for given in ({*words, "error"}, {"name", "reason", "last_response"}):
        try:
            return kind(**dict.fromkeys(given, SECRET))
        except TypeError:
            continue
    return kind(SECRET)


def refused(code: str, words: str, status: int = 400, operation: str = "ListFuotaTasks") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": words}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


def reported(error: Exception, off: timedelta | None = None) -> OtactlError:
    return translate(error, "iotwireless", "ListFuotaTasks", "iotwireless:ListFuotaTasks", 4, off)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_of_the_sdk_has_its_family_and_a_next_step(kind: type[Exception]) -> None:
    found = reported(made(kind))
    if issubclass(kind, ClientError):
        assert str(found).startswith("iotwireless:ListFuotaTasks was refused (Odd): odd")
        return
    assert isinstance(found, StalledError | TransientError)
    assert any(step in str(found) for step in STEPS), str(found)
    if isinstance(found, StalledError):
        assert found.reason not in ("RequestFailed", "RequestRefused", "PermissionDenied")
        assert (found.reason == "NoCredentials") is (kind.__name__ in WHO)


@pytest.mark.parametrize("kind", [sdk.CredentialRetrievalError, sdk.SSOTokenLoadError, sdk.ConnectTimeoutError])
def test_what_a_credential_process_or_a_url_says_is_not_reported(kind: type[Exception]) -> None:
    error = kind(provider="custom-process", error_msg=SECRET, endpoint_url=f"https://x/?X-Amz-Signature={SECRET}")
    assert SECRET not in str(reported(error))


def test_a_proxy_that_refuses_is_named_without_its_password() -> None:
    found = reported(sdk.ProxyConnectionError(proxy_url=f"http://ada:{SECRET}@proxy:3128", error=SECRET))
    assert "ProxyConnectionError at proxy:3128; check HTTPS_PROXY and NO_PROXY" in str(found)
    assert SECRET not in str(found)


def test_a_proxy_whose_address_cannot_be_read_is_looked_for_in_its_variables() -> None:
    found = reported(sdk.HTTPClientError(error=SECRET))
    assert "check that HTTPS_PROXY and HTTP_PROXY are addresses" in str(found)
    assert SECRET not in str(found)


def test_a_certificate_that_is_not_trusted_is_not_waited_for() -> None:
    found = reported(sdk.SSLError(endpoint_url="https://x", error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"))
    assert isinstance(found, StalledError)
    assert (found.reason, "AWS_CA_BUNDLE" in str(found)) == ("EndpointInvalid", True)


REFUSALS = [
    ("ExpiredToken", "The security token included in the request is expired", "NoCredentials", "renew them"),
    ("ExpiredTokenException", "x", "NoCredentials", "renew them"),
    ("AccessDeniedException", "The security token included in the request is expired", "NoCredentials", "renew them"),
    (
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        "NoCredentials",
        "key and secret",
    ),
    ("UnrecognizedClientException", "x", "NoCredentials", "key and secret"),
    ("InvalidAccessKeyId", "x", "NoCredentials", "still active"),
    ("SignatureDoesNotMatch", "The request signature we calculated does not match", "NoCredentials", "key and secret"),
    ("MissingAuthenticationToken", "x", "NoCredentials", "set a profile"),
    (
        "SignatureDoesNotMatch",
        "Signature expired: 20261130T07Z is now earlier than 2026",
        "ClockSkewed",
        "set it (NTP)",
    ),
    ("InvalidSignatureException", "Signature not yet current: 2026 is still later", "ClockSkewed", "set it (NTP)"),
    ("RequestTimeTooSkewed", "x", "ClockSkewed", "set it (NTP)"),
    ("AccessDeniedException", "User x is not authorized", "PermissionDenied", "grant iotwireless:ListFuotaTasks"),
    ("UnauthorizedException", "x", "PermissionDenied", "grant iotwireless:ListFuotaTasks"),
    ("Whatever", "x", "PermissionDenied", "grant iotwireless:ListFuotaTasks"),
]


@pytest.mark.parametrize(("code", "words", "reason", "step"), REFUSALS)
def test_who_when_and_may_are_three_kinds(code: str, words: str, reason: str, step: str) -> None:
    found = reported(refused(code, words, 403), timedelta(seconds=-900))
    assert isinstance(found, StalledError)
    assert (found.reason, step in str(found)) == (reason, True), str(found)
    assert ("grant" in str(found)) is (reason == "PermissionDenied")
    assert ("900 s ahead of the service's" in str(found)) is (reason == "ClockSkewed")


def test_a_role_that_may_not_be_assumed_names_that_permission_and_not_the_calls() -> None:
    found = reported(refused("AccessDenied", "not authorized to perform: sts:AssumeRole", 403, "AssumeRole"))
    assert "grant sts:AssumeRole to the caller" in str(found)
    assert "grant iotwireless" not in str(found)


def test_a_page_in_an_error_is_reported_in_one_short_line() -> None:
    found = str(reported(refused("Odd", "<html>\n" + "x" * 5000)))
    assert "\n" not in found
    assert len(found) < 500


@pytest.mark.parametrize("error", [FileNotFoundError(SECRET), ValueError(SECRET), RuntimeError(SECRET)])
def test_a_source_of_credentials_that_fails_in_its_own_way_is_no_credentials(error: Exception) -> None:
    found = no_credentials(error, "credentials")
    assert isinstance(found, StalledError)
    assert (found.reason, SECRET in str(found)) == ("NoCredentials", False)
