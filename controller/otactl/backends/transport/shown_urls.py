"""Takes credentials out of URLs in what a service or a device says, before it is shown or recorded.

A device that cannot load its image may report the presigned URL it was given: who reads that may load the image, too.

1. Of a URL, its query goes and what is before an `@`: signatures, tokens and passwords are there.
2. Everything else of the text stays.
"""

from __future__ import annotations

import re

_URL = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)(?:[^\s/?#]*@)?(?P<place>[^\s?#\"'<>]*)(?P<query>[?#][^\s\"'<>]*)?", re.I
)


def without_credentials(text: str) -> str:
    """Return a text whose URLs have no query and no user: `https://host/path?…`."""
    return _URL.sub(lambda u: f"{u['scheme']}{u['place']}{'?…' if u['query'] else ''}", text)
