"""Fails `make check` for each skipped test and shows its reason."""

from __future__ import annotations

import os

import pytest

NO_SKIP = "OTACTL_TEST_NO_SKIP"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name every skipped test that `make check` does not allow."""
    if os.environ.get(NO_SKIP):
        for report in terminalreporter.stats.get("skipped", []):
            terminalreporter.write_line(f"skipped, which `make check` does not allow: {report.nodeid}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a green run with skips red under `make check`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if os.environ.get(NO_SKIP) and skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
