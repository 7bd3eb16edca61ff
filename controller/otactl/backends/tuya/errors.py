"""Translates failures of Tuya's gateway into otactl's families of errors.

1. A failure is `success: false` with `code` and `errorMessage`, under whatever HTTP status [V fields, U status]. Codes
   are compared without case: `Iot.system.BillIsOverDue` has a capital [V].
2. Throttled: a code with "throttl", "flowcontrol" or "limit" in it, or HTTP 429. Nothing was carried out.
3. Lost: iot.system.SystemException and every 5xx; a bare 503 too, because whatever stands before the gateway answers it
   for a request that may have gone through. A used nonce, too: nonces are new for each request, so the one who used it
   was a copy of this very request.
4. The codes of signature, key, time and nonce are Alibaba's RPC codes, whose twin this gateway is [I]; the families
   iot.system, iot.common and iot.check are Tuya's [V]. OTA codes are unknown [U]: they are reported as they came.
5. The gateway's words on a signature hold the string it signed, perhaps that of an earlier request, so words that speak
   of one are never passed on; from all others the key, the secret, the nonce and the signature are taken out.
6. A write refused for a time that was off is decided again, with the clock of its refusal. One that carried the
   gateway's own time and is refused for it stalls.
7. A write whose answer cannot be read may have been carried out: that is a TransientError with `committed` None and
   never a StalledError, which would be taken for "not done". So is a used nonce on a write.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from otactl.backends.errors import NotFoundError
from otactl.backends.transport.shown_urls import without_credentials
from otactl.errors import ConflictError, OtactlError, StalledError, TransientError

MOST_WORDS = 300
NO_SKEW = timedelta(seconds=60)  # less is no reason for a refusal: the gateway's window is minutes
_THROTTLES = ("throttl", "flowcontrol", "limit")
_COPIED = "signaturenonceused"
_SIGNATURE = ("signaturedoesnotmatch", "incompletesignature", "invalidsignature")
_KEY = ("invalidaccesskeyid", "accesskeynotfound", "accesskeydisabled", "accesskeyidnotfound")
_ACCOUNT = ("billisoverdue", "uidnotfound", "invalidtenant")
_PRODUCT = ("instancenotfound", "productnotfound", "productnotexist", "notexistedproduct", "invalidproductkey")
_SIGNED = ("signature", "accesskey", "string to sign")
_GONE = ("notfound", "notexist", "noexist")
_CONFLICT = ("conflict",)
_NO_DEVICE = ("notargetdevice", "nodevicetoupgrade", "nodeviceupgrade")  # the gateway's own word is unknown [U]


class RefusedError(StalledError):
    """The gateway said no; `code` is its word, as it came."""

    def __init__(self, reason: str, message: str, code: str) -> None:
        super().__init__(reason, message)
        self.code = code


@dataclass(frozen=True)
class Failure:
    """An answer that is not a success; `off` is how far this clock is behind the service's, and `age` how far
    the time in the request was, if it is known."""

    action: str
    status: int
    code: str
    words: str
    off: timedelta | None = None
    writes: bool = False
    age: timedelta | None = None

    @property
    def throttled(self) -> bool:
        """Return whether the gateway refused to act for now (rule 2)."""
        return self.status == 429 or _holds(self.code, _THROTTLES)

    @property
    def lost(self) -> bool:
        """Return whether the gateway may or may not have acted (rule 3)."""
        return not self.throttled and (_holds(self.code, ("systemexception", _COPIED)) or self.status >= 500)

    @property
    def expired(self) -> bool:
        """Return whether the gateway took the request for too old or too new; it was not carried out."""
        return _holds(self.code, ("invalidtimestampexpired", "illegaltimestamp"))

    def error(self, attempts: int) -> OtactlError:
        """Return our error for it."""
        call = f"tuya:{self.action}"
        if self.throttled:
            said = f"{self.code or f'HTTP {self.status}'}: {self.words}".rstrip(": ")
            text = f"{call} is throttled or over a limit after {attempts} attempts ({said})"
            return TransientError(text, retry_after=60.0, committed=False)
        if self.lost and not _holds(self.code, (_COPIED,)):
            said = f"HTTP {self.status} {self.code}".rstrip()
            return TransientError(f"{call} got no answer after {attempts} attempts: {said}", committed=None)
        return self._of_the_request(call) or self._of_the_state(call)

    def _of_the_request(self, call: str) -> OtactlError | None:
        if self.expired and self.writes and self.age is not None and abs(self.age) >= NO_SKEW:
            late = f"its time was {abs(round(self.age.total_seconds()))} s from the gateway's"
            text = f"{call} was not carried out: {late}, which is known now; it is decided again"
            return TransientError(text, committed=False)
        if self.expired:
            return self._refused("ClockSkewed", f"{call}: {_clock(self.off)}")
        if _holds(self.code, (_COPIED,)):
            if self.writes:
                return TransientError(
                    f"{call}: a copy of this request came before it; the next pass checks again", committed=None
                )
            text = f"{call}: the gateway saw this request's nonce before; something on the way sends requests twice"
            return self._refused("NonceUsed", text)
        if _holds(self.code, _SIGNATURE):
            text = f"{call}: the gateway computes another signature; check that the secret belongs to the access key"
            return self._refused("SignatureRefused", text)
        if _holds(self.code, _KEY):
            text = f"{call}: the gateway does not accept the access key ({self.code}); check it, and the endpoint"
            return self._refused("AccessKeyUnknown", text)
        return None

    def _of_the_state(self, call: str) -> OtactlError:
        said = f"({self.code or f'HTTP {self.status}'})" + (f": {self.words}" if self.words else "")
        if _holds(self.code, _ACCOUNT):
            return self._refused("AccountRefused", f"{call}: the account is refused {said}; see to it at Tuya")
        if _holds(self.code, _PRODUCT):
            text = f"{call}: no such product or instance {said}; check productKey and the endpoint"
            return self._refused("ProductUnknown", text)
        if _holds(self.code, _GONE):
            return NotFoundError(f"{call}: not found {said}")
        if _holds(self.code, _CONFLICT):
            return ConflictError(f"{call} {said}")
        if _holds(self.code, _NO_DEVICE):
            text = f"{call}: no device is left to upgrade {said}; devices have the version or never reported one, or"
            return self._refused(
                "NoDeviceLeft", f"{text} srcVersions names none they have; if they have it, take the wave out"
            )
        return self._refused("RequestRefused", f"{call} was refused {said}")

    def _refused(self, reason: str, text: str) -> RefusedError:
        return RefusedError(reason, text, self.code)


class FailedError(Exception):
    """Carries a failure from an exchange to the transport, which makes it one of our errors; goes no further."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.action)
        self.failure = failure


def unreadable(action: str, why: str, *, writes: bool) -> OtactlError:
    """Return an answer that cannot be understood (rule 7)."""
    text = f"tuya:{action}: {why}"
    return TransientError(text, committed=None) if writes else StalledError("AnswerInvalid", text)


def said(words: object, hidden: Iterable[str]) -> str:
    """Return the gateway's words, fit to be shown (rule 5)."""
    text = plain(words, hidden)
    if any(word in text.lower() for word in _SIGNED):
        return "the gateway's words hold what was signed and are not shown"
    return text


def plain(words: object, hidden: Iterable[str]) -> str:
    """Return a text of the gateway on one short line, without what must not be shown."""
    text = without_credentials(" ".join(words.split())) if isinstance(words, str) else ""
    for secret in hidden:
        if secret:
            text = text.replace(secret, "***")
    return text if len(text) <= MOST_WORDS else f"{text[:MOST_WORDS]}…"


def _holds(code: str, words: Iterable[str]) -> bool:
    low = code.lower().replace("_", "")
    plain = low.replace(".", "")
    return any(word in low or word in plain for word in words)


def _clock(off: timedelta | None) -> str:
    if off is None:
        return "the gateway finds the time of the request outside its window; compare this machine's clock (NTP)"
    if abs(off) < NO_SKEW:
        return "the gateway refuses the time of the request, though it is that of its own clock; ask Tuya"
    seconds = round(off.total_seconds())
    way = "behind" if seconds > 0 else "ahead of"
    said = f"this clock is {abs(seconds)} s {way} the gateway's; set it (NTP)"
    return f"the gateway refuses the time of the request; {said}"
