"""Classifies errors of the AWS SDK and of AWS about the caller, and says what to do for each.

1. Three kinds are distinguished: who (credentials that are missing, expired or unknown), when (a clock that is off) and
   may (a permission that is missing). Only the last is fixed by a grant.
2. A message has no text of a credential process, of a file or of a URL in it: those may hold secrets.
"""

from __future__ import annotations

from datetime import timedelta

from botocore import exceptions as sdk

WHO = "NoCredentials"
WHEN = "ClockSkewed"
_LOGIN = "sign in again: `aws sso login`, with --profile for a profile of yours"
_ALL = "set a profile, a role, or the AWS_* variables"

_CREDENTIALS: tuple[tuple[type[Exception], str, str], ...] = (
    (sdk.PartialCredentialsError, "the credentials are incomplete: a key without its other half", "set both halves"),
    (sdk.NoCredentialsError, "no usable AWS credentials", _ALL),
    (sdk.NoAuthTokenError, "no usable AWS credentials", _ALL),
    (sdk.ProfileNotFound, "the profile {profile} is not there", "set AWS_PROFILE to one that is there, or unset it"),
    (sdk.UnauthorizedSSOTokenError, "the sign-in of this profile has expired or is not valid", _LOGIN),
    (sdk.SSOTokenLoadError, "this profile signs in by SSO, and no one has signed in", _LOGIN),
    (sdk.SSOError, "the sign-in of this profile failed", _LOGIN),
    (sdk.TokenRetrievalError, "the sign-in of this profile cannot be renewed", _LOGIN),
    (sdk.LoginError, "the sign-in of this profile has expired or is not valid", "sign in again: `aws login`"),
    (
        sdk.UnknownTokenProviderError,
        "the profile names a token provider that the SDK does not have",
        "fix the profile",
    ),
    (sdk.RefreshWithMFAUnsupportedError, "the profile's role wants a code for each renewal (MFA)", "use session keys"),
    (sdk.InfiniteLoopConfigError, "the profile's roles lead back to themselves", "fix source_profile"),
    (
        sdk.UnknownCredentialError,
        "the profile names a credential source that the SDK does not have",
        "fix the profile",
    ),
    (sdk.MetadataRetrievalError, "the machine's own credentials (IMDS, container) cannot be read", "give it a role"),
    (
        sdk.CredentialRetrievalError,
        "the credentials' source ({provider}) failed",
        "run its command or check its role by hand; credentials of a process come from credential_process",
    ),
    (sdk.ConfigNotFound, "the AWS config file is not there", "fix AWS_CONFIG_FILE"),
    (sdk.ConfigParseError, "the AWS config or credentials file cannot be read", "fix the file's syntax"),
)
"""First match counts: subclasses come before their base."""

_UNKNOWN = "make sure that key and secret belong together, were copied whole, and are still active"
_CODES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "ExpiredIdentityToken"),
        (
            "the credentials have expired",
            "renew them (`aws sso login`, assume the role again, a new web identity token)",
        ),
    ),
    **dict.fromkeys(
        ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken", "AuthFailure"),
        ("AWS does not know the credentials", f"{_UNKNOWN}; in another partition (China, GovCloud) use its own"),
    ),
    **dict.fromkeys(
        ("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException"),
        ("AWS computes another signature than the secret gives", _UNKNOWN),
    ),
    **dict.fromkeys(
        ("MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidIdentityToken"),
        ("the request carries no credentials that AWS can read", _ALL),
    ),
    "IDPCommunicationError": ("the identity provider did not answer AWS", "check whether it is up"),
    "OptInRequired": ("the account is not signed up for the service or Region", "enable it in the account"),
}
_SKEWED = ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidTimestamp")
_TIMES = ("signature expired", "signature not yet current", "is now earlier than", "is now later than", "too skewed")
_FETCHES = ("AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetRoleCredentials", "CreateToken")


def of_sdk(error: Exception) -> str:
    """Return what is wrong and what to do, for an SDK's error about credentials; empty for other errors."""
    for kind, what, advice in _CREDENTIALS:
        if isinstance(error, kind):
            return f"{what.format(provider=_named(error, 'provider'), profile=_named(error, 'profile'))}; {advice}"
    return ""


def of_code(code: str) -> str:
    """Return what to tell of an error code that refuses the credentials themselves; empty if it is none."""
    what, advice = _CODES.get(code, ("", ""))
    return f"{what} ({code}); {advice}" if what else ""


def is_skewed(code: str, words: str) -> bool:
    """Return whether AWS refuses the time of a request: by its code, or by what it says about a signature."""
    low = words.lower()
    return code in _SKEWED or (code in _CODES and any(said in low for said in _TIMES))


def clock(off: timedelta | None) -> str:
    """Return how far this machine's clock is from the service's, and what to do; `off` is how far behind, if known."""
    if off is None:
        return "the service refuses the time of the request; set this machine's clock (NTP)"
    seconds = round(off.total_seconds())
    way = "behind" if seconds > 0 else "ahead of"
    text = f"this machine's clock is {abs(seconds)} s {way} the service's; set it (NTP)"
    return f"the service refuses the time of the request; {text}"


def fetch_of(error: Exception) -> str:
    """Return the operation by which the SDK itself asked for credentials, if it is that one which failed.

    Else empty.
    """
    name = str(getattr(error, "operation_name", ""))
    return name if name in _FETCHES else ""


def _named(error: Exception, word: str) -> str:
    known = getattr(error, "kwargs", {}).get(word)
    return " ".join(str(known).split())[:40] if known else "unknown"
