"""Translates failures of AWS and of the network into otactl's families of errors.

1. Throttles are never executed, so they may always be sent again; other 5xx and lost answers only where repeating is
   harmless. AWS IoT throttles with HTTP 400 and answers limits with 410.
2. Who, when and may are three kinds (`aws_access`); only a refusal of the third names a permission to grant. No message
   carries a credential or a signed URL.
3. Every class of the SDK's errors has its family here (a test walks them): what is not of the caller, the wire or the
   service is of this machine's settings, of the SDK, or of otactl.
4. A write whose answer cannot be read may have been carried out: that is a TransientError with `committed` None and
   never a StalledError, which would be taken for "not done".
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from botocore import exceptions as sdk
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as WireError
from botocore.parsers import ResponseParserError

from otactl.aws_sdk import credential_errors
from otactl.backends.aws.operations import WRITES
from otactl.backends.aws.responses import UnreadableError
from otactl.backends.errors import NotFoundError
from otactl.backends.transport.shown_urls import without_credentials
from otactl.errors import ConflictError, OtactlError, StalledError, TransientError

__all__ = ["NotFoundError", "is_lost", "is_throttle", "translate", "unreadable"]

MOST_WORDS = 300
_THROTTLES = frozenset(
    (
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "LimitExceededException",
    )
)
_DENIED = frozenset(
    ("AccessDenied", "AccessDeniedException", "UnauthorizedException", "UnauthorizedOperation", "AuthorizationError")
)
_EXPIRED, _UNKNOWN = "security token included in the request is expired", "security token included in the request is i"
_GONE = frozenset(
    (
        "ResourceNotFoundException",
        "NoSuchKey",
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchEntityException",
        "NoSuchBucketPolicy",
        "NotFound",
        "404",
    )
)
_CONFLICTS = frozenset(("ConflictException", "PreconditionFailed", "ConditionalRequestConflict", "409", "412"))


def is_throttle(error: Exception) -> bool:
    """Return whether the service refused to act for now."""
    if not isinstance(error, ClientError):
        return False
    return _code(error) in _THROTTLES or _status(error) == 429


def is_lost(error: Exception) -> bool:
    """Return whether the service may or may not have acted."""
    if isinstance(error, ClientError):
        return _status(error) >= 500
    return isinstance(error, WireError | HTTPClientError | sdk.IncompleteReadError) and not _distrusted(error)


def translate(
    error: Exception,
    service: str,
    operation: str,
    permission: str,
    attempts: int,
    off: timedelta | None = None,
) -> OtactlError:
    """Return our error for theirs; `off` is how far this clock is behind the service's, if it is known."""
    call = f"{service}:{operation}"
    if isinstance(error, OtactlError):
        return error
    if is_throttle(error) or isinstance(error, sdk.CapacityNotAvailableError):
        said = f" ({_code(error)}: {_shown(error)})" if isinstance(error, ClientError) else ""
        text = f"{call} is throttled or over a limit after {attempts} attempts{said}"
        return TransientError(text, retry_after=60.0, committed=False)
    if is_lost(error):
        return TransientError(f"{call} got no answer after {attempts} attempts: {_words(error)}", committed=None)
    who = credential_errors.of_sdk(error)
    if who:
        return StalledError(credential_errors.WHO, f"{call}: {who}")
    if isinstance(error, ClientError):
        return _answered(error, call, permission, off)
    for kinds, reason, text in () if isinstance(error, ResponseParserError) else _FAMILIES:
        if isinstance(error, kinds):
            return StalledError(reason, f"{call}: {text.format(kind=type(error).__name__, said=_said(error))}")
    return _unreadable(error, call, (service, operation) in WRITES)


def unreadable(service: str, operation: str, why: str) -> OtactlError:
    """Return our error for an answer that cannot be understood; `why` names the member, and quotes nothing of it."""
    return translate(UnreadableError(why), service, operation, "", 1)


def no_credentials(error: Exception, operation: str) -> OtactlError:
    """Return our error for what failed while the SDK looked for credentials.

    Whatever its class, they are not usable.
    """
    found = translate(error, "aws", operation, "", 1)
    if isinstance(found, StalledError) and found.reason == "AnswerInvalid":
        text = f"aws:{operation}: the source of the credentials failed ({type(error).__name__}); run it by hand"
        return StalledError(credential_errors.WHO, f"{text} (a credential_process, a token file), or name another")
    return found


def _answered(error: ClientError, call: str, permission: str, off: timedelta | None) -> OtactlError:
    """Return our error for one that AWS answered with."""
    code, words = _code(error), _shown(error)
    fetch = credential_errors.fetch_of(error)
    if fetch and fetch != call.partition(":")[2]:
        call = f"{call} (getting credentials by {fetch})"
        permission = f"sts:{fetch}" if fetch.startswith("Assume") else "sso:GetRoleCredentials"
    if credential_errors.is_skewed(code, _message(error)):
        return StalledError(credential_errors.WHEN, f"{call}: {credential_errors.clock(off)}")
    low = _message(error).lower()
    code = "ExpiredToken" if _EXPIRED in low else "InvalidClientTokenId" if _UNKNOWN in low else code
    who = credential_errors.of_code(code)
    if not who and fetch == "GetRoleCredentials" and _status(error) == 401:
        who = credential_errors.of_sdk(sdk.UnauthorizedSSOTokenError())
    if who:
        return StalledError(credential_errors.WHO, f"{call}: {who}")
    if code in _DENIED or _status(error) in (401, 403):
        text = f"{call} was refused ({code}): {words}; grant {permission} to the caller"
        return StalledError("PermissionDenied", text)
    if code in _GONE or _status(error) == 404:
        return NotFoundError(f"{call}: {words or 'not found'}")
    if code in _CONFLICTS or _status(error) in (409, 412):
        return ConflictError(f"{call}: {words or code}")
    return StalledError("RequestRefused", f"{call} was refused ({code}): {words}")


def _unreadable(error: Exception, call: str, writes: bool) -> OtactlError:
    """Return an answer that cannot be understood (rule 4); of an error that is not ours only its kind is reported."""
    why = str(error) if isinstance(error, UnreadableError) else type(error).__name__
    text = f"{call}: the answer cannot be read: {why}; check the endpoint and at what is between here and AWS"
    return TransientError(text, committed=None) if writes else StalledError("AnswerInvalid", text)


_SETTINGS = "the AWS settings of this machine cannot be used ({kind}){said}; fix the profile, the file or the variable"
_FAMILIES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    (
        (sdk.SSLError,),
        "EndpointInvalid",
        "the certificate is not trusted here{said}; give the authority's certificate in AWS_CA_BUNDLE",
    ),
    (
        (sdk.NoRegionError, sdk.InvalidRegionError, sdk.UnknownRegionError),
        "NoRegion",
        "no Region that the SDK knows{said}; declare one in the environment's manifest",
    ),
    (
        (
            sdk.ServiceNotInRegionError,
            sdk.BaseEndpointResolverError,
            sdk.EndpointProviderError,
            sdk.InvalidHostLabelError,
            sdk.InvalidDNSNameError,
            sdk.InvalidEndpointConfigurationError,
        ),
        "EndpointInvalid",
        "the service has no endpoint there ({kind}){said}; fix the environment's region or endpoints",
    ),
    (
        (sdk.ChecksumError, sdk.FlexibleChecksumError),
        "AnswerInvalid",
        "the answer does not have the checksum it names; something on the way changed it, check the proxy",
    ),
    (
        (
            sdk.InvalidConfigError,
            sdk.InvalidRetryConfigurationError,
            sdk.InvalidProxiesConfigError,
            sdk.InvalidIMDSEndpointError,
            sdk.InvalidIMDSEndpointModeError,
            sdk.InvalidDefaultsMode,
            sdk.InvalidS3AddressingStyleError,
            sdk.InvalidS3UsEast1RegionalEndpointConfigError,
            sdk.InvalidSTSRegionalEndpointsConfigError,
            sdk.InvalidEndpointDiscoveryConfigurationError,
            sdk.InvalidChecksumConfigError,
            sdk.UnsupportedS3ConfigurationError,
            sdk.UnsupportedS3AccesspointConfigurationError,
            sdk.UnsupportedS3ControlConfigurationError,
        ),
        "SettingsInvalid",
        _SETTINGS,
    ),
    (
        (
            sdk.DataNotFoundError,
            sdk.ApiVersionNotFoundError,
            sdk.MissingDependencyException,
            sdk.MD5UnavailableError,
            sdk.UnsupportedSignatureVersionError,
            sdk.UnknownSignatureVersionError,
            sdk.UnsupportedServiceProtocolsError,
            sdk.UndefinedModelAttributeError,
        ),
        "SdkUnusable",
        "the AWS SDK that is installed cannot do this ({kind}); reinstall otactl with its own versions of it",
    ),
    (
        (
            sdk.ParamValidationError,
            sdk.ValidationError,
            sdk.MissingParametersError,
            sdk.UnknownClientMethodError,
            sdk.UnsupportedS3ArnError,
            sdk.UnsupportedS3ControlArnError,
            sdk.UnsupportedOutpostResourceError,
        ),
        "RequestInvalid",
        "the request is not one of the service{said}; this is a defect of otactl, report it",
    ),
    (
        (sdk.BotoCoreError,),
        "SdkUnusable",
        "the AWS SDK failed ({kind}); this is a defect of otactl or of the SDK that is installed, report it",
    ),
)
"""First match counts."""
_HARMLESS = (sdk.ParamValidationError, sdk.InvalidRegionError, sdk.UnknownServiceError, sdk.ServiceNotInRegionError)


def _said(error: Exception) -> str:
    """Return the SDK's own words, where they hold nothing but names and what was declared."""
    return f": {_cut(str(error))}" if isinstance(error, _HARMLESS) else ""


def _distrusted(error: Exception) -> bool:
    return isinstance(error, sdk.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return without_credentials(str(error.response.get("Error", {}).get("Message", "")))


def _status(error: ClientError) -> int:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status) if isinstance(status, int) else 0


def _words(error: Exception) -> str:
    """Return the kind of a wire error and the host; its whole text may carry a signed URL, so it stays out."""
    if isinstance(error, ClientError):
        return f"HTTP {_status(error)} {_code(error)}"
    details = getattr(error, "kwargs", {})
    kind, url = type(error).__name__, details.get("endpoint_url")
    if isinstance(error, sdk.ProxyConnectionError):
        return f"{kind} at {_host(details.get('proxy_url'))}; check HTTPS_PROXY and NO_PROXY"
    if type(error) is sdk.HTTPClientError:
        return f"{kind}: the request could not be sent; check that HTTPS_PROXY and HTTP_PROXY are addresses"
    if not isinstance(url, str):
        return kind
    unresolved = any(said in str(details.get("error", "")) for said in ("resolve", "Name or service", "nodename"))
    hint = "; the name does not resolve here: check the Region, the endpoint, or set HTTPS_PROXY" if unresolved else ""
    return f"{kind} at {_host(url)}{hint}"


def _host(url: object) -> str:
    text = str(url)
    return urlsplit(text if "//" in text else f"//{text}").netloc.rpartition("@")[2]


def _shown(error: ClientError) -> str:
    return _cut(_message(error))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_WORDS else f"{line[:MOST_WORDS]}…"
