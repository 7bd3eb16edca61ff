"""One browser for each module of these tests, on pages in files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import browser as browsers
from tests.support.browser import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; where there is none the tests are skipped, which `make check` does not allow."""
    if missing := browsers.missing():
        pytest.skip(missing)
    with browsers.browser() as started:
        yield started
