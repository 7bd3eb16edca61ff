"""Writes docs/simulator.md from the tables of the simulator: `python -m tests.support.simulator_page`."""

from __future__ import annotations

import re

from otactl_simulator.control import PREFIX, ROUTES, SWITCHES
from otactl_simulator.faults import EFFECTS, TUYA_EFFECTS
from otactl_simulator.fleet_document import KEYS

HEAD = """# The simulator

`make docs` writes this page from the tables of the simulator; a test compares the two.

`otactl simulator` serves stand-ins of AWS IoT Wireless, AWS IoT Core (jobs, OTA updates, shadows, fleet indexing), S3,
IAM, STS, Secrets Manager and Tuya's gateway on one port of loopback. It starts empty and forgets everything at its end.
Its clock runs, and you can move it forward. Use it to try manifests and to test your own programs.

```sh
pip install 'otactl[simulator]'
otactl simulator --port 4566 --example     # a bucket, a role and two multicast groups
otactl simulator --port 4566 --fleet fleet.json
```

Point any AWS SDK at it with `AWS_ENDPOINT_URL=http://127.0.0.1:4566` and any credentials. The same `--seed` gives the
same ids and the same radio losses.

## The control API

Requests to the control API are answered on loopback only. A wrong one gets status 400 and `{"error": "…"}` with one
sentence.

```sh
curl http://127.0.0.1:4566/_simulator/
curl --data '{"advanceSeconds": 3600}' http://127.0.0.1:4566/_simulator/clock
```
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD, "| Request | What it does | Body, for example |", "|---|---|---|"]
    lines += [f"| `{r.method} {PREFIX}{r.name}` | {r.does} | {f'`{r.body}`' if r.body else ''} |" for r in ROUTES]
    lines += ["", "## Faults", ""]
    lines.append(f"The effects are {', '.join(f'`{e}`' for e in EFFECTS)}, and for Tuya `{TUYA_EFFECTS[-1]}`.")
    lines.append(
        "A rule may name `service`, `operation` (`*` for any), `nth`, `probability` with `seed`, `count` and `seconds`."
    )
    lines += ["", "## Fleets", "", f"A fleet may have the parts {', '.join(f'`{k}`' for k in sorted(KEYS))}."]
    lines.append("An unknown key is refused, with the keys that there are.")
    lines += [
        "",
        "## Settings",
        "",
        "Each setting is a point that a service does not document: try your program with each of its answers.",
    ]
    lines += ["", "| Setting | Default | Answers | What it is about |", "|---|---|---|---|"]
    for name, switch in SWITCHES.items():
        answers = (
            ", ".join(f"`{_word(c)}`" for c in switch.choices) if isinstance(switch.choices, tuple) else "a number"
        )
        about = re.sub(r" ?\[[^\]]*\]", "", switch.about)
        lines.append(f"| `{name}` | `{_word(switch.default)}` | {answers} | {about} |")
    return "\n".join(lines) + "\n"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    print(page(), end="")
