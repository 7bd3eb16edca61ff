"""Fails `make check` for each skipped test and shows its reason; leaves expensive cases to `make check`."""

from __future__ import annotations

import os

import pytest

from tests.support.sampling import FULL, left_out

NO_SKIP = "OTACTL_TEST_NO_SKIP"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases that only `make check` runs."""
    out = left_out(items)
    if out:
        config.hook.pytest_deselected(items=out)
        without = set(out)
        items[:] = [item for item in items if item not in without]


def pytest_report_header() -> str:
    """Say which cases run, and how to run all of them."""
    if os.environ.get(FULL):
        return f"{FULL} is set: every case runs"
    return (
        f"tests marked sampled or thorough run a part of their cases, and a run of the whole suite takes every second "
        f"test of a file that is no unit test; {FULL}=1 runs all of them, as `make check` does"
    )


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
