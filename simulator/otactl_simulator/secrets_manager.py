"""Simulates AWS Secrets Manager as otactl needs it: GetSecretValue of secrets from POST /_simulator/fleet.

```
{"secrets": [{"arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tuya-AbCdEf", "text": "…" | "binary": base64,
              "kmsKey"?: "arn:aws:kms:…", "deleted"?: false, "tags"?: {}}]}
```

Rules, from the Secrets Manager API reference and user guide unless said otherwise:

1. Putting a secret again makes another version of it; the last one is AWSCURRENT, the one before it AWSPREVIOUS.
2. SecretId is the ARN, the ARN without hyphen and six characters, or the name. A secret of another Region is not there
   [inferred: the service is Regional].
3. One marked for deletion cannot be read.
4. A caller needs secretsmanager:GetSecretValue on the secret's ARN, and kms:Decrypt on its key if that is a customer's:
   through Secrets Manager, with the secret's ARN as encryption context. Policies of secrets and keys are not checked,
   so another account's secret is refused once callers are judged.
5. No state shows a value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from otactl_simulator.clock import Clock
from otactl_simulator.fleet_document import objects, only_keys
from otactl_simulator.iam.patterns import ContextValue
from otactl_simulator.iam.required_permissions import Need
from otactl_simulator.service import Handler, ModelledError, Request, Still

_ARN = re.compile(
    r"(?P<stem>arn:aws[a-z-]*:secretsmanager:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):secret:"
    r"(?P<name>[A-Za-z0-9/_+=.@-]{1,512}))-[A-Za-z0-9]{6}"
)
_KNOWN = frozenset(("arn", "text", "binary", "kmsKey", "deleted", "tags"))
_MOST_BYTES = 65_536
_STAGES = ("AWSCURRENT", "AWSPREVIOUS")


@dataclass(frozen=True, repr=False)
class _Version:
    """One version; its value is in no repr."""

    id: str
    value: str | bytes
    made_at: datetime


@dataclass
class _Secret:
    arn: str
    stem: str
    name: str
    account: str
    region: str
    kms_key: str = ""
    deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    versions: list[_Version] = field(default_factory=list, repr=False)

    def stages(self) -> dict[str, _Version]:
        """Return the versions that can be asked for, by staging label (rule 1)."""
        return dict(zip(_STAGES, reversed(self.versions[-2:]), strict=False))


class SecretsManager(Still):
    """The service, for every account and Region."""

    name = "secretsmanager"

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock, self._seed = clock, seed
        self._secrets: dict[str, _Secret] = {}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {"GetSecretValue": self.get_value}

    def get_value(self, request: Request) -> dict[str, object]:
        """GetSecretValue (rules 1 to 3)."""
        wanted = request.parameters
        secret = self._find(request.account, request.region, str(wanted["SecretId"]))
        if secret is None:
            raise ModelledError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        if secret.deleted:
            text = "You can't perform this operation on the secret because it was marked for deletion."
            raise ModelledError("InvalidRequestException", text)
        stages = secret.stages()
        number, label = wanted.get("VersionId"), wanted.get("VersionStage")
        labels = [s for s, v in stages.items() if number in (None, v.id) and label in (None, s)]
        if not labels:
            asked = f"VersionId: {number}" if number is not None else f"staging label: {label}"
            text = f"Secrets Manager can't find the specified secret value for {asked}"
            raise ModelledError("ResourceNotFoundException", text)
        version = stages[labels[0]]
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version.id,
            "SecretString" if isinstance(version.value, str) else "SecretBinary": version.value,
            "VersionStages": [labels[0]],
            "CreatedDate": version.made_at,
        }

    def needs(self, operation: str, parameters: Mapping[str, object], account: str, region: str) -> list[Need]:
        """Return what a call needs of IAM (rule 4); a secret that is not there is asked for by what it was called."""
        action, given = f"secretsmanager:{operation}", parameters.get("SecretId")
        if not isinstance(given, str):
            return [Need(action, "*")]
        secret = self._find(account, region, given)
        if secret is None:
            named = given if given.startswith("arn:") else f"arn:aws:secretsmanager:{region}:{account}:secret:{given}"
            return [Need(action, named, {"secretsmanager:SecretId": given})]
        context: dict[str, ContextValue] = {f"aws:ResourceTag/{k}": v for k, v in secret.tags.items()}
        found = [Need(action, secret.arn, {"secretsmanager:SecretId": given, **context})]
        if secret.kms_key and operation == "GetSecretValue":
            through: dict[str, ContextValue] = {
                "kms:ViaService": f"secretsmanager.{region}.amazonaws.com",
                "kms:EncryptionContext:SecretARN": secret.arn,
            }
            # The service's words name neither key nor action [inferred: as users quote them].
            found.append(Need("kms:Decrypt", secret.kms_key, through, words="Access to KMS is not allowed"))
        return found

    def load_fleet(self, fleet: Mapping[str, object]) -> None:
        """Add secrets, all or none; ValueError says what is wrong with them and never a value."""
        for secret, value in [_read(entry) for entry in objects(fleet, "secrets")]:
            known = self._secrets.get(secret.arn)
            secret.versions = known.versions if known is not None else []
            seed = f"{self._seed}/{secret.arn}/{len(secret.versions)}"
            number = uuid.UUID(hashlib.sha256(seed.encode()).hexdigest()[:32])
            secret.versions.append(_Version(str(number), value, self._clock.now()))
            self._secrets[secret.arn] = secret

    def tags(self, account: str, region: str, arn: str) -> dict[str, str]:
        """Return the tags of a secret, none when it is not there."""
        secret = self._find(account, region, arn)
        return dict(secret.tags) if secret is not None else {}

    def snapshot(self) -> dict[str, object]:
        """State as JSON, by ARN, without values (rule 5)."""
        return {
            s.arn: {
                "name": s.name,
                "versions": [v.id for v in s.versions],
                "kmsKey": s.kms_key or None,
                "deleted": s.deleted,
                "tags": s.tags,
            }
            for s in self._secrets.values()
        }

    def _find(self, account: str, region: str, given: str) -> _Secret | None:
        """Return the version of a secret that a request names (rule 2)."""
        for secret in self._secrets.values():
            ours = secret.account == account and given == secret.name
            if secret.region == region and (given in (secret.arn, secret.stem) or ours):
                return secret
        return None


def _read(given: Mapping[str, object]) -> tuple[_Secret, str | bytes]:
    arn = given.get("arn")
    found = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        raise ValueError(
            f"a secret needs its whole arn, such as arn:aws:secretsmanager:…:secret:tuya-AbCdEf, not {arn!r}"
        )
    only_keys("secret", given, _KNOWN)
    key, deleted, tags = given.get("kmsKey", ""), given.get("deleted", False), given.get("tags", {})
    if not isinstance(key, str) or not isinstance(deleted, bool):
        raise ValueError(f"kmsKey of {arn} must be an ARN, deleted true or false")  # noqa: TRY004 - answered with HTTP 400
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise ValueError(f"tags of {arn} must be an object of texts")
    secret = _Secret(
        str(arn), found["stem"], found["name"], found["account"], found["region"], key, deleted, dict(tags)
    )
    return secret, _value(given, secret.arn)


def _value(given: Mapping[str, object], arn: str) -> str | bytes:
    text, binary = given.get("text"), given.get("binary")
    value: str | bytes | None = text if isinstance(text, str) and binary is None else None
    if isinstance(binary, str) and text is None:
        try:
            value = base64.b64decode(binary, validate=True)
        except binascii.Error:
            value = None
    if value is None or not 0 < len(value) <= _MOST_BYTES:
        raise ValueError(f"{arn} needs either text or binary (base64), of 1 to {_MOST_BYTES} bytes")
    return value
