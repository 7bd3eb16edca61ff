"""A path that a verb writes by replacing it: never a device, a pipe, a socket or a link into /proc."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from otactl.cli.commands.report import command as report
from otactl.cli.replaced_files import must_be_replaceable

OPTION = click.Option(["--html"])


def checked(file: Path | str) -> str | None:
    return must_be_replaceable(click.Context(report), OPTION, str(file))


def test_a_device_a_pipe_and_a_link_into_proc_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")

    for file in ("/dev/null", tmp_path / "pipe", tmp_path / "stdout"):
        with pytest.raises(click.UsageError, match=f"--html {file} is no regular file"):
            checked(file)


def test_a_file_a_new_name_and_a_link_to_a_file_are_taken(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "page.html")

    for name in ("page.html", "new.html", "link"):
        assert checked(tmp_path / name) == str(tmp_path / name)
    assert must_be_replaceable(click.Context(report), OPTION, None) is None


def test_report_and_reconcile_ask_it() -> None:
    from otactl.cli.commands.reconcile import command as reconcile

    asked = {p.opts[0] for verb in (report, reconcile) for p in verb.params if p.callback is must_be_replaceable}
    assert asked == {"--html", "--metrics"}
