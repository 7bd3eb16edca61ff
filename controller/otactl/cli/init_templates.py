"""The manifests `otactl init` writes: valid as they are, with a comment at every value that is to be replaced."""

from __future__ import annotations

NAMES = {"fuota": "probe-1-0-0", "otaUpdate": "gateway-1-0-0", "tuya": "plug-1-0-0"}
"""Name of the example rollout, by its backend."""

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
_GATEWAY = """\
  tuya:
    endpoint: https://si-0123456789abcdef0123.tuyacloud.com:8686/ # your instance
    accessKeyIdEnv: TUYA_ACCESS_KEY_ID # variables of the process, never the key itself; or secretArn
    accessKeySecretEnv: TUYA_ACCESS_KEY_SECRET
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
_BLOCKS = {
    "fuota": """\
  fuota:
    rfRegion: EU868 # the LoRaWAN region of the devices
    role: arn:aws:iam::123456789012:role/firmware-update # AWS IoT Wireless reads the image with it
    dataRate: 3 # what the plan reckons with on air
    fragmentSizeBytes: 112 # at most the payload of the data rate, less 3
    fragmentIntervalMs: 9000 # as fast as the gateway's duty cycle allows
    redundancyPercent: 20 # what devices rebuild lost fragments from
  strategy:
    waves: # one after the other; the next one begins when the gate is passed
      - name: canary
        targets:
          multicastGroups: [your-canary-group-id]
      - name: fleet
        targets:
          multicastGroups: [your-fleet-group-id]
    gate: {minSuccessPercent: 95}
""",
    "otaUpdate": """\
  otaUpdate:
    role: arn:aws:iam::123456789012:role/ota-service # makes the stream and the job, and reads the image
    protocols: [MQTT]
    files:
      - fileName: /update # where the device puts it; without fileLocation it is the firmware above
        codeSigning:
          customCodeSigning:
            signature: {inlineDocument: MEUCIQDx} # base64, over the image
            certificateChain: {certificateName: /certs/firmware.pem}
            hashAlgorithm: SHA256
            signatureAlgorithm: ECDSA
    awsJobExecutionsRolloutConfig: {maximumPerMinute: 10}
    awsJobTimeoutConfig: {inProgressTimeoutInMinutes: 60}
  strategy:
    waves: # one after the other; the next one begins when the gate is passed
      - name: canary
        targets:
          things: [your-lab-gateway]
      - name: fleet
        targets:
          thingGroups: [your-gateways]
    gate: {minSuccessPercent: 95}
    confirm: {version: {shadow: reported.firmware.version}, within: 24h} # success is what devices report
""",
    "tuya": """\
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
""",
}


def environment(backend: str) -> str:
    """The environment's manifest; with Tuya's gateway where it is needed."""
    return _ENVIRONMENT + (_GATEWAY if backend == "tuya" else "")


def rollout(backend: str) -> str:
    """The rollout's manifest; its image is made up."""
    return _ROLLOUT.replace("NAME", NAMES[backend]).replace("DIGEST", "0" * 64) + _BLOCKS[backend]
