"""Defines the manifests that `otactl init` writes; `validate` names every value that is to be replaced in them."""

from __future__ import annotations

from otactl.model import Value
from otactl.ports import ManifestTemplate

SCHEMAS = ".schemas/otactl/v1"

_ENVIRONMENT = """\
# yaml-language-server: $schema=UP/SCHEMAS/environment.schema.json
# Where rollouts are sent. The fields: otactl explain Environment.spec
apiVersion: otactl.dev/v1
kind: Environment
metadata:
  name: NAME # rollouts name it in spec.environment
spec:
  owner: OWNER # starts the names of all that otactl creates; at most 12 characters
  account: "ACCOUNT" # your AWS account; checked before anything is written
  region: REGION
"""
_REFERRED = """\
  stackOutputs: NAME.outputs.json # from `pulumi stack output --json`
  journal: ${stack:journal} # records what was sent
"""
_PLAIN = """\
  # journal: s3://acme-otactl-journal/prod # records what was sent; without it .otactl/journal.db
  # stackOutputs: NAME.outputs.json # from `pulumi stack output --json`; rollouts may then say ${stack:imageBucket}
"""
_APPROVALS = """\
  # approvalRoles:
  #   - {name: firmware-owners, members: [ada]} # for waves with requires: {approval: firmware-owners}
"""
_ROLLOUT = """\
# yaml-language-server: $schema=UP/SCHEMAS/rollout.schema.json
# One firmware for one fleet. The fields: otactl explain spec
apiVersion: otactl.dev/v1
kind: Rollout
metadata:
  name: NAME # unique in its environment; at most 30 characters
spec:
  environment: ENVIRONMENT
  firmware: # `otactl image push` prints this block
    version: "1.0.0" # what devices report once they run it; always in quotes
    image: s3://BUCKET/NAME/sha256/DIGEST/image.bin
    sha256: "DIGEST"
    sizeBytes: 8192
"""


class Choices(Value, frozen=True, kw_only=True):
    """What the user chose for a repository; "" stands for a value that is to be replaced.

    `folder` holds the manifests, as a POSIX path below the repository's root; `infra` says that a stack's outputs are
    referred to.
    """

    folder: str
    environment: str
    owner: str = ""
    account: str = ""
    region: str
    infra: bool = False

    @property
    def shown_owner(self) -> str:
        """Return the owner, or what stands for it."""
        return self.owner or "your-team"

    @property
    def shown_account(self) -> str:
        """Return the account, or what stands for it."""
        return self.account or "0" * 12


def environment(chosen: Choices, templates: list[ManifestTemplate]) -> str:
    """Write the environment's manifest, with the access that the backends need."""
    text = _ENVIRONMENT + (_REFERRED if chosen.infra else _PLAIN) + _APPROVALS
    text += "".join(dict.fromkeys(template.environment for template in templates))
    words = {"OWNER": chosen.shown_owner, "ACCOUNT": chosen.shown_account, "REGION": chosen.region}
    return _filled(text, chosen, 1, NAME=chosen.environment, **words)


def rollout(chosen: Choices, template: ManifestTemplate, name: str) -> str:
    """Write the rollout's manifest; its image does not exist."""
    role = f"arn:aws:iam::{chosen.shown_account}:role/your-service-role"
    bucket = "your-bucket"
    if chosen.infra:
        role, bucket = f"${{stack:{template.role_output}}}", "${stack:imageBucket}"
    words = {"ENVIRONMENT": chosen.environment, "BUCKET": bucket, "DIGEST": "0" * 64, "ROLE": role}
    return _filled(_ROLLOUT + template.rollout, chosen, 0, NAME=name, **words)


def _filled(text: str, chosen: Choices, below: int, **words: str) -> str:
    depth = len([part for part in chosen.folder.split("/") if part not in ("", ".")]) + below
    for word, value in {"UP/SCHEMAS": f"{'../' * depth}{SCHEMAS}", **words}.items():
        text = text.replace(word, value)
    return text
