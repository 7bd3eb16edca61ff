"""What AWS and the wire say when they fail, in our families of errors.

1. Throttles are never executed, so they may always be sent again; other 5xx and lost answers only where repeating is
   harmless. AWS IoT throttles with HTTP 400 and answers limits with 410.
2. A refusal names the permission that is missing; no message carries a credential or a signed URL.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as WireError,
)

from controller.backends._missing import NotFoundError
from controller.errors import ConflictError, OtactlError, StalledError, TransientError

__all__ = ["NotFoundError", "is_lost", "is_throttle", "translate"]

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
    (
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedException",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "ExpiredToken",
        "ExpiredTokenException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "403",
    )
)
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
    """Whether the service refused to act for now."""
    if not isinstance(error, ClientError):
        return False
    return _code(error) in _THROTTLES or _status(error) == 429


def is_lost(error: Exception) -> bool:
    """Whether the service may or may not have acted."""
    if isinstance(error, ClientError):
        return _status(error) >= 500
    return isinstance(error, WireError | HTTPClientError)


def translate(error: Exception, service: str, operation: str, permission: str, attempts: int) -> OtactlError:
    """Our error for theirs."""
    call = f"{service}:{operation}"
    if isinstance(error, OtactlError):
        return error
    if is_throttle(error):
        said = f" ({_code(error)}: {_one_line(_message(error))})" if isinstance(error, ClientError) else ""
        text = f"{call} is throttled or over a limit after {attempts} attempts{said}"
        return TransientError(text, retry_after=60.0, committed=False)
    if is_lost(error):
        return TransientError(f"{call} got no answer after {attempts} attempts: {_words(error)}", committed=None)
    if isinstance(error, NoCredentialsError | PartialCredentialsError | TokenRetrievalError):
        text = f"{call}: no usable AWS credentials; set a profile, a role, or the AWS_* variables"
        return StalledError("NoCredentials", text)
    if isinstance(error, ProfileNotFound):
        return StalledError("NoCredentials", f"{call}: {error}; set AWS_PROFILE to one that is there, or unset it")
    if isinstance(error, NoRegionError):
        return StalledError("NoRegion", f"{call}: no Region; declare it in the environment's manifest")
    if isinstance(error, ParamValidationError):
        return StalledError("RequestInvalid", f"{call}: {_one_line(str(error))}; this is a defect of otactl")
    if not isinstance(error, ClientError):
        return StalledError("RequestFailed", f"{call}: {_words(error)}")
    code, words = _code(error), _one_line(_message(error))
    if code in _DENIED or _status(error) == 403:
        text = f"{call} was refused ({code}): {words}; grant {permission} to the caller"
        return StalledError("PermissionDenied", text)
    if code in _GONE or _status(error) == 404:
        return NotFoundError(f"{call}: {words or 'not found'}")
    if code in _CONFLICTS or _status(error) in (409, 412):
        return ConflictError(f"{call}: {words or code}")
    return StalledError("RequestRefused", f"{call} was refused ({code}): {words}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def _status(error: ClientError) -> int:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status) if isinstance(status, int) else 0


def _words(error: Exception) -> str:
    """The kind of a wire error and the host; its whole text may carry a signed URL, so it stays out."""
    if isinstance(error, ClientError):
        return f"HTTP {_status(error)} {_code(error)}"
    url = getattr(error, "kwargs", {}).get("endpoint_url")
    if isinstance(url, str):
        return f"{type(error).__name__} at {urlsplit(url).netloc.rpartition('@')[2]}"
    return type(error).__name__


def _one_line(text: str) -> str:
    return " ".join(text.split())
