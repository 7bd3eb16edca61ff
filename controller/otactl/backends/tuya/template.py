"""What `otactl init` writes for this backend: valid as it is, with a comment at every value that is to be replaced."""

from __future__ import annotations

from otactl.ports import ManifestTemplate

_ROLLOUT = """\
  tuya:
    productKey: a1b2c3d4e5 # the package for this version must be uploaded and verified at Tuya
    moduleName: default
    timeoutInMinutes: 60
  strategy:
    waves: # one after the other; the next one begins when the gate is passed
      - name: canary
        targets:
          devices: [your-lab-plug]
      - name: fleet
        targets:
          devices: [your-plug-1, your-plug-2] # or {file: devices.csv}, with a column id
    gate: {minSuccessPercent: 95}
    confirm: {version: {module: default}, within: 24h} # success is what devices report
"""
_ENVIRONMENT = """\
  tuya:
    endpoint: https://si-0123456789abcdef0123.tuyacloud.com:8686/ # your instance
    accessKeyIdEnv: TUYA_ACCESS_KEY_ID # variables of the process, never the key itself; or secretArn
    accessKeySecretEnv: TUYA_ACCESS_KEY_SECRET
"""

TEMPLATE = ManifestTemplate(name="plug-1-0-0", rollout=_ROLLOUT, environment=_ENVIRONMENT)
