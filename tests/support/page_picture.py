"""Takes the picture of the page that README and docs/how-to/fleet-page.md show.

`python -m tests.support.page_picture` writes docs/pictures/fleet-page.png: the sample fleet, as it looks now.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from otactl.report.page.render import page
from tests.support.browser import browser
from tests.support.fleet_sample import fleet
from tests.support.paths import ROOT

PLACE = ROOT / "docs/pictures/fleet-page.png"
WIDTH, HEIGHT, DEVICES = 1200, 800, 1200


def main() -> None:
    """Write the picture."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with tempfile.TemporaryDirectory() as folder, browser() as shown:
        place = Path(folder) / "fleet.html"
        place.write_text(page(fleet(DEVICES, now=now)).html, encoding="utf-8")
        shown.open(place.as_uri(), width=WIDTH, height=HEIGHT, zone="UTC")
        PLACE.parent.mkdir(exist_ok=True)
        PLACE.write_bytes(shown.picture(whole=False))


if __name__ == "__main__":
    main()
