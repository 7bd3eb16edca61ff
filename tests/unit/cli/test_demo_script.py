"""The demo's page: what of a command's output is on it, and how wide it is."""

from __future__ import annotations

import pytest

from otactl.cli.demo_script import WIDTH, DemoScript

OUTPUT = "a: first\n    sent: one\n    hold: is_busy: a device is busy\nb: second\nthe rest\n"


def test_a_command_is_shown_with_the_lines_that_matter(capsys: pytest.CaptureFixture[str]) -> None:
    script = DemoScript(verbose=False)

    script.command(["status"], OUTPUT, [r"^[ab]: \w+"], join=r"sent: \w+|hold: \w+")

    assert capsys.readouterr().out == "  $ otactl status\n    a: first; sent: one; hold: is_busy\n    b: second\n"
    assert script.holds == {"is_busy": "a device is busy"}


def test_a_command_without_a_choice_is_only_in_the_long_form(capsys: pytest.CaptureFixture[str]) -> None:
    DemoScript(verbose=False).command(["status"], OUTPUT, None)
    assert capsys.readouterr().out == ""

    DemoScript(verbose=True).command(["status"], OUTPUT, None)
    assert capsys.readouterr().out.splitlines() == ["$ otactl status", *(f"  {line}" for line in OUTPUT.splitlines())]


def test_nothing_is_wider_than_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    script = DemoScript(verbose=False)

    script.step("word " * 50)
    script.command(["x" * 200], "y" * 200, ["y+"])

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == WIDTH
    assert lines[-1].endswith("…")


def test_acts_are_apart_and_the_step_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    script = DemoScript(verbose=False)

    script.act("1. One")
    script.step("first")
    script.act("2. Two")

    assert capsys.readouterr().out == "1. One\n- first\n\n2. Two\n"
    assert script.place == "step 1 (first)"
