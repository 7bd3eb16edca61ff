"""The manifests `otactl init` writes: valid as they are, with a comment at every value that is to be replaced."""

from __future__ import annotations

from otactl.ports import ManifestTemplate

_ENVIRONMENT = """\
# Where rollouts go. The fields: otactl explain Environment.spec
apiVersion: otactl.dev/v1
kind: Environment
metadata:
  name: prod # rollouts name it in spec.environment
spec:
  owner: acme # starts the names of everything otactl makes; at most 12 characters
  account: "123456789012" # your AWS account; checked before anything is written
  region: eu-west-1
  # journal: s3://acme-otactl-journal/prod # where to remember what was sent; else .otactl/journal.db
  # stackOutputs: prod.outputs.json # from `pulumi stack output --json`; rollouts may then say ${stack:imageBucket}
  # approvalRoles:
  #   - {name: firmware-owners, members: [ada]} # for waves with requires: {approval: firmware-owners}
"""
_ROLLOUT = """\
# One firmware on its way to one fleet. The fields: otactl explain spec
apiVersion: otactl.dev/v1
kind: Rollout
metadata:
  name: NAME # unique in its environment; at most 30 characters
spec:
  environment: prod
  firmware: # `otactl image push` prints this block
    version: "1.0.0" # what devices report once they run it; always in quotes
    image: s3://acme-firmware/DIGEST/image.bin
    sha256: "DIGEST"
    sizeBytes: 8192
"""


def environment(template: ManifestTemplate) -> str:
    """The environment's manifest, with the access that the backend needs."""
    return _ENVIRONMENT + template.environment


def rollout(template: ManifestTemplate) -> str:
    """The rollout's manifest; its image is made up."""
    return _ROLLOUT.replace("NAME", template.name).replace("DIGEST", "0" * 64) + template.rollout
