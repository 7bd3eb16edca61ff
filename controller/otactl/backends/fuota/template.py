"""Defines what `otactl init` writes for this backend; `validate` names every value that is to be replaced."""

from __future__ import annotations

from otactl.ports import ManifestTemplate

_ROLLOUT = """\
  fuota:
    rfRegion: EU868 # the LoRaWAN region of the devices
    role: ROLE # AWS IoT Wireless reads the image with it
    dataRate: 3 # what the plan reckons with on air
    fragmentSizeBytes: 112 # at most the payload of the data rate, less 3
    fragmentIntervalMs: 9000 # as fast as the gateway's duty cycle allows
    redundancyPercent: 20 # what devices rebuild lost fragments from
  strategy:
    waves: # one after the other; the next one starts when the gate is passed
      - name: canary
        targets:
          multicastGroups: [your-canary-group-id]
      - name: fleet
        targets:
          multicastGroups: [your-fleet-group-id]
    gate: {minSuccessPercent: 95}
"""

TEMPLATE = ManifestTemplate(name="probe-1-0-0", role_output="firmwareUpdateRoleArn", rollout=_ROLLOUT)
