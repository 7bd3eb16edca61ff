"""Defines what `otactl init` writes for this backend; `validate` names every value that is to be replaced."""

from __future__ import annotations

from otactl.ports import ManifestTemplate

_ROLLOUT = """\
  otaUpdate:
    role: ROLE # creates the stream and the job, and reads the image
    protocols: [MQTT]
    files:
      - fileName: /update # where the device puts it; without fileLocation it is the firmware above
        codeSigning:
          customCodeSigning:
            signature: {inlineDocument: eW91ci1zaWduYXR1cmU=} # base64, over the image
            certificateChain: {certificateName: /certs/firmware.pem}
            hashAlgorithm: SHA256
            signatureAlgorithm: ECDSA
    awsJobExecutionsRolloutConfig: {maximumPerMinute: 10}
    awsJobTimeoutConfig: {inProgressTimeoutInMinutes: 60}
  strategy:
    waves: # one after the other; the next one starts when the gate is passed
      - name: canary
        targets:
          things: [your-lab-gateway]
      - name: fleet
        targets:
          thingGroups: [your-gateways]
    gate: {minSuccessPercent: 95}
    confirm: {version: {shadow: reported.firmware.version}, within: 24h} # success is what devices report
"""

TEMPLATE = ManifestTemplate(
    name="gateway-1-0-0", role_output="otaServiceRoleArn", stack_option="iotOta: true", rollout=_ROLLOUT
)
