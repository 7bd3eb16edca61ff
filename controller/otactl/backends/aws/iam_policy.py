"""Evaluates IAM policies offline: may the service assume the role and read the image (yes, no, undecided)?

The update service fails late on a wrong role: only when the session starts, which cannot be undone. So the policies
are checked before. The evaluation is cautious, not complete:

1. The answer is YES, NO or UNDECIDED, with a sentence why. YES and NO are only said when they follow from what is
   written; a condition operator, a key or an element outside this module makes its statement undecided.
2. An explicit Deny wins; then an Allow in the role's policies, or in the bucket's, within the permissions boundary
   (IAM user guide, "Policy evaluation logic"). Role and bucket are taken to be of one account unless stated otherwise.
3. A bucket policy that names only the account grants nothing by itself: the role's own policies decide.
4. Known of the request are TLS, the role's ARN and its account, nothing else: whether the service sends
   aws:SourceAccount or aws:SourceArn is not documented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Decision(Enum):
    """What can be said from the policies as written."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Answer:
    """A verdict and the sentence that supports it."""

    verdict: Decision
    why: str


_YES: Final = Answer(Decision.YES, "")
_NO: Final = Answer(Decision.NO, "")
_RANK = {Decision.NO: 0, Decision.UNDECIDED: 1, Decision.YES: 2}
_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_ACCOUNT = re.compile(r"\d{12}")
_ARN = re.compile(r"arn:[a-z-]+:iam::(\d{12}):(root|role/.+|user/.+)")


@dataclass(frozen=True)
class _Request:
    """What is asked: `kind` is identity, bucket or trust by the policy it is held against."""

    action: str
    resource: str | None
    principal: str
    known: Mapping[str, str]


def trusts(trust_document: object, service_principal: str) -> Answer:
    """Return whether a role's trust policy (parsed JSON) lets a service principal assume the role."""
    asked = _Request("sts:AssumeRole", None, service_principal, {})
    denied, allowed = _sides("the trust policy", trust_document, "trust", asked)
    return _conclude(
        denied,
        allowed,
        yes=f"the trust policy lets {service_principal} assume the role",
        no=f"no statement of the trust policy lets {service_principal} assume the role",
    )


def may_read(
    identity_policies: Sequence[object],
    bucket_policy: object | None,
    bucket_arn: str,
    key: str,
    role_arn: str,
    *,
    boundary: object | None = None,
    bucket_account: str | None = None,
    action: str = "s3:GetObject",
) -> Answer:
    """Return whether a role may read one object over TLS, its latest version or (s3:GetObjectVersion) any.

    Policies are parsed JSON; `bucket_arn` is `arn:<partition>:s3:::<bucket>`; `boundary` is the permissions boundary's
    document, if the role has one; `bucket_account` is the bucket's owner, None for the role's own account.
    """
    parts = _ARN.fullmatch(role_arn)
    if parts is None or not parts[2].startswith("role/"):
        return Answer(Decision.UNDECIDED, f"{role_arn!r} is not the ARN of a role, so its account is not known")
    known = {"aws:securetransport": "true", "aws:principalarn": role_arn, "aws:principalaccount": parts[1]}
    asked = _Request(action, f"{bucket_arn}/{key}", role_arn, known)
    own = [_sides(f"policy {i} of the role", p, "identity", asked) for i, p in enumerate(identity_policies, start=1)]
    limit = (_NO, _YES) if boundary is None else _sides("the permissions boundary", boundary, "identity", asked)
    bucket = (_NO, _NO) if bucket_policy is None else _sides("the bucket policy", bucket_policy, "bucket", asked)
    denied = _any([*(side[0] for side in own), limit[0], bucket[0]])
    by_role = _any(side[1] for side in own)
    if bucket_account is not None and bucket_account != parts[1]:
        delegated = _NO if bucket_policy is None else _sides("the bucket policy", bucket_policy, "delegation", asked)[1]
        allowed = _all([by_role, limit[1], delegated])
    else:
        allowed = _all([_any([by_role, bucket[1]]), limit[1]])
    return _conclude(
        denied,
        allowed,
        yes=f"the role may read {bucket_arn}/{key}",
        no=f"no policy lets the role read {bucket_arn}/{key}; it needs {action} there",
    )


def may_do(
    identity_policies: Sequence[object], action: str, resource: str, role_arn: str, *, boundary: object | None = None
) -> Answer:
    """Return whether a role may do something to a resource that has no policy of its own."""
    parts = _ARN.fullmatch(role_arn)
    if parts is None or not parts[2].startswith("role/"):
        return Answer(Decision.UNDECIDED, f"{role_arn!r} is not the ARN of a role, so its account is not known")
    known = {"aws:securetransport": "true", "aws:principalarn": role_arn, "aws:principalaccount": parts[1]}
    asked = _Request(action, resource, role_arn, known)
    own = [_sides(f"policy {i} of the role", p, "identity", asked) for i, p in enumerate(identity_policies, start=1)]
    limit = (_NO, _YES) if boundary is None else _sides("the permissions boundary", boundary, "identity", asked)
    return _conclude(
        _any([*(side[0] for side in own), limit[0]]),
        _all([_any(side[1] for side in own), limit[1]]),
        yes=f"the role may {action} {resource}",
        no=f"no policy lets the role {action} {resource}",
    )


def _conclude(denied: Answer, allowed: Answer, *, yes: str, no: str) -> Answer:
    if denied.verdict is Decision.YES:
        return Answer(Decision.NO, f"{denied.why} denies it")
    if allowed.verdict is Decision.NO:
        return Answer(Decision.NO, no)
    for side in (denied, allowed):
        if side.verdict is Decision.UNDECIDED:
            return side
    return Answer(Decision.YES, yes)


def _any(answers: Iterable[Answer]) -> Answer:
    """Three-valued OR: the strongest answer, the first of equals."""
    return max(answers, key=lambda answer: _RANK[answer.verdict], default=_NO)


def _all(answers: Iterable[Answer]) -> Answer:
    """Three-valued AND: the weakest answer, the first of equals."""
    return min(answers, key=lambda answer: _RANK[answer.verdict], default=_YES)


def _not(answer: Answer) -> Answer:
    return {Decision.YES: _NO, Decision.NO: _YES}.get(answer.verdict, answer)


def _undecided(why: str) -> Answer:
    return Answer(Decision.UNDECIDED, why)


def _sides(name: str, document: object, kind: str, asked: _Request) -> tuple[Answer, Answer]:
    """Return whether one document denies it, and whether it allows it."""
    if not isinstance(document, Mapping) or document.get("Version", "2008-10-17") not in ("2012-10-17", "2008-10-17"):
        unread = _undecided(f"{name} is not a policy document of a known version")
        return unread, unread
    listed = document.get("Statement")
    denied, allowed = _NO, _NO
    for number, statement in enumerate(listed if isinstance(listed, list) else [listed], start=1):
        where = f"statement {number} of {name}"
        if not isinstance(statement, Mapping) or statement.get("Effect") not in ("Allow", "Deny"):
            unread = _undecided(f"{where} has no Effect of Allow or Deny")
            return unread, unread
        applies = _applies(where, statement, kind, asked)
        if applies.verdict is Decision.YES:
            applies = Answer(Decision.YES, where)
        if statement["Effect"] == "Deny":
            denied = _any([denied, applies])
        else:
            allowed = _any([allowed, applies])
    return denied, allowed


def _applies(where: str, statement: Mapping[str, object], kind: str, asked: _Request) -> Answer:
    unknown = sorted(str(element) for element in set(statement) - _ELEMENTS)
    misplaced = {"Principal", "NotPrincipal"} if kind == "identity" else {"NotPrincipal"}
    misplaced |= {"Resource", "NotResource"} if kind == "trust" else set()
    if unread := unknown or sorted(misplaced & set(statement)):
        return _undecided(f"{where} uses {unread[0]}, which is not evaluated")
    tests = [_listed(where, statement, "Action", asked.action, ignore_case=True)]
    if asked.resource is not None:
        tests.append(_listed(where, statement, "Resource", asked.resource))
    if kind != "identity":
        tests.append(_principal(where, statement, kind, asked.principal))
    tests.append(_condition(where, statement.get("Condition", {}), asked.known))
    return _all(tests)


def _texts(value: object) -> list[str] | None:
    """Read a text or a list of texts; None when it is neither."""
    items = value if isinstance(value, list) else [value]
    texts = [item for item in items if isinstance(item, str)]
    return texts if len(texts) == len(items) else None


def _listed(
    where: str, statement: Mapping[str, object], element: str, value: str, *, ignore_case: bool = False
) -> Answer:
    present = [name for name in (element, f"Not{element}") if name in statement]
    patterns = _texts(statement[present[0]]) if len(present) == 1 else None
    if patterns is None:
        return _undecided(f"{where} has no readable {element}")
    if any("$" in pattern for pattern in patterns):
        return _undecided(f"{where} has a policy variable in {present[0]}, which is not evaluated")
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    found = _YES if any(re.fullmatch(_wildcards(pattern), value, flags) for pattern in patterns) else _NO
    return found if present[0] == element else _not(found)


def _wildcards(pattern: str) -> str:
    """Return a regular expression of a text with `*` and `?` that never tries again.

    The shortest match of each part between two `*` is as good as any, and a policy with many of them ends no run.
    """
    first, *others = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}"


def _principal(where: str, statement: Mapping[str, object], kind: str, principal: str) -> Answer:
    element = statement.get("Principal")
    entries: list[tuple[str, str]] = [("AWS", "*")] if element == "*" else []
    if isinstance(element, Mapping):
        for group, named in element.items():
            texts = _texts(named)
            if texts is None or group not in ("AWS", "Service"):
                return _undecided(f"{where} names a principal of kind {group}, which is not evaluated")
            entries += [(str(group), text) for text in texts]
    if not entries:
        return _undecided(f"{where} has no readable Principal")
    denies = statement["Effect"] == "Deny"
    return _any(_named(where, group, text, kind, principal, denies=denies) for group, text in entries)


def _named(where: str, group: str, text: str, kind: str, principal: str, *, denies: bool) -> Answer:
    """Return whether one entry of a Principal element means the one who asks."""
    if group == "Service":
        if "*" in text or "?" in text:
            return _undecided(f"{where} names services by a wildcard")
        return _YES if text == principal else _NO
    if text == "*":
        # everyone is denied with certainty; that a service counts among everyone is not documented
        return _YES if denies or kind != "trust" else _undecided(f"{where} trusts everyone, not the service by name")
    owner = _ARN.fullmatch(text)
    if (owner is None and not _ACCOUNT.fullmatch(text)) or "*" in text or "?" in text:
        return _undecided(f"{where} names the principal {text!r}, which is not evaluated")
    if kind == "trust":
        return _NO
    if owner is not None and owner[2] != "root":
        return _YES if text == principal else _NO
    of_account = (text if owner is None else owner[1]) == principal.split(":")[4]
    return _YES if of_account and (denies or kind == "delegation") else _NO


def _condition(where: str, condition: object, known: Mapping[str, str]) -> Answer:
    if not isinstance(condition, Mapping):
        return _undecided(f"{where} has a Condition that is not an object")
    tests = []
    for operator, block in condition.items():
        if not isinstance(block, Mapping):
            return _undecided(f"{where} has the condition operator {operator} without an object of keys")
        tests += [_holds(where, str(operator), str(key), wanted, known) for key, wanted in block.items()]
    return _all(tests)


def _holds(where: str, operator: str, key: str, wanted: object, known: Mapping[str, str]) -> Answer:
    base = operator.removesuffix("IfExists")
    if base not in ("Bool", "StringEquals", "StringNotEquals"):
        return _undecided(f"{where} has the condition operator {operator} on {key}, which is not evaluated")
    if key.lower() not in known:
        return _undecided(f"{where} has a condition on {key}, of which it is not known what the service sends")
    value = known[key.lower()]
    texts = _texts([str(item).lower() if isinstance(item, bool) else item for item in _items(wanted)])
    if texts is None or any("$" in text for text in texts):
        return _undecided(f"{where} has a condition value on {key} that is not plain text")
    if base == "Bool":
        if any(text.lower() not in ("true", "false") for text in texts):
            return _undecided(f"{where} compares {key} with neither true nor false")
        texts = [text.lower() for text in texts]
    found = _YES if value in texts else _NO
    return _not(found) if base == "StringNotEquals" else found


def _items(wanted: object) -> list[object]:
    return wanted if isinstance(wanted, list) else [wanted]
