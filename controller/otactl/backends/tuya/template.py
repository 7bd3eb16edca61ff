"""Defines what `otactl init` writes for this backend; `validate` names every value that is to be replaced."""

from __future__ import annotations

from otactl.ports import ManifestTemplate

_ROLLOUT = """\
  tuya:
    productKey: REPLACEME # the package for this version must be uploaded and verified at Tuya
    moduleName: default
    timeoutInMinutes: 60
  strategy:
    waves: # one after the other; the next one starts when the gate is passed
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
    endpoint: https://your-instance.tuyacloud.com:8686/ # from the platform, Cloud instance
    accessKeyIdEnv: TUYA_ACCESS_KEY_ID # variables of the process, never the key itself; or secretArn
    accessKeySecretEnv: TUYA_ACCESS_KEY_SECRET
"""

TEMPLATE = ManifestTemplate(name="plug-1-0-0", rollout=_ROLLOUT, environment=_ENVIRONMENT)
