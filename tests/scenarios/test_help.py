"""Help, suggestions, completion and verbosity: alike in every verb."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from otactl.cli import VERBS, cli
from otactl.cli.examples import EXAMPLES
from otactl.cli.suggestions import unknown_verb
from otactl.cli.verbosity import ENDLESS
from tests.support.paths import ROOT


def run(*words: str, folder: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as a process: what a shell sees."""
    command = [sys.executable, "-m", "otactl.cli", *words]
    env = {**os.environ, **environ}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    if isinstance(command, click.Group):
        for each, inner in command.commands.items():
            yield from leaves(inner, f"{name} {each}")
    else:
        yield name, command


def every_command() -> dict[str, click.Command]:
    """All commands of otactl, by their words."""
    context = click.Context(cli)
    found = [(verb, cli.get_command(context, verb)) for verb in VERBS]
    return {name: leaf for verb, command in found if command is not None for name, leaf in leaves(command, verb)}


def options(command: click.Command) -> dict[str, click.Option]:
    """Options of a command by each of their spellings."""
    return {text: p for p in command.params if isinstance(p, click.Option) for text in p.opts}


def test_every_command_has_an_example() -> None:
    assert set(EXAMPLES) == set(every_command())


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_shown_whole_and_is_a_valid_command_line(name: str) -> None:
    command = every_command()[name]
    shown = command.get_help(click.Context(command, info_name=name)).splitlines()

    for example in EXAMPLES[name]:
        words = shlex.split(example)
        assert f"    {example}" in shown
        assert words[: 1 + len(name.split())] == ["otactl", *name.split()]
        command.make_context(name, words[1 + len(name.split()) :])


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - set(ENDLESS)))
def test_every_command_that_ends_has_q_and_v(name: str) -> None:
    assert {"-q", "--quiet", "-v", "--verbose"} <= set(options(every_command()[name]))


@pytest.mark.parametrize(
    ("option", "form"),
    [
        ("--environment", "NAME"),
        ("--plot", "FILE"),
        ("--rollout", "NAME"),
        ("--journal", "URL"),
        ("--manifests", "PATH"),
    ],
)
def test_an_option_takes_the_same_in_every_command(option: str, form: str) -> None:
    found = {name: options(command)[option] for name, command in every_command().items() if option in options(command)}
    forms = {name: each.metavar for name, each in found.items() if name != "init"}

    assert len(found) > 1
    assert set(forms.values()) == {form}, forms


def test_o_is_the_form_of_the_output_in_every_command() -> None:
    found = {name: options(command) for name, command in every_command().items()}
    with_form = {name: each for name, each in found.items() if "-o" in each or "--output" in each}

    assert len(with_form) > 10
    assert [name for name, each in with_form.items() if each.get("-o") is not each.get("--output")] == []
    assert [name for name, each in with_form.items() if not isinstance(each["-o"].type, click.Choice)] == []


@pytest.mark.parametrize(
    ("word", "meant"),
    [("stats", "status"), ("reconsile", "reconcile"), ("Plan", "plan"), ("apply", "reconcile"), ("lint", "validate")],
)
def test_an_unknown_verb_comes_with_the_one_that_was_meant(word: str, meant: str) -> None:
    assert unknown_verb(word, VERBS) == f"No such command '{word}'. Did you mean '{meant}'?"


def test_a_verb_like_no_other_comes_with_where_they_are_listed() -> None:
    assert unknown_verb("xyzzy", VERBS) == "No such command 'xyzzy'. --help lists them."


def test_an_unknown_verb_exits_1_with_the_suggestion() -> None:
    refused = run("stats")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "otactl: No such command 'stats'. Did you mean 'status'?" in refused.stderr


def test_a_shell_completes_verbs() -> None:
    words = {"_OTACTL_COMPLETE": "bash_complete", "COMP_WORDS": "otactl re", "COMP_CWORD": "1"}
    completed = subprocess.run(
        [str(Path(sys.executable).parent / "otactl")],
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        check=True,
    )

    assert {line.split(",")[1] for line in completed.stdout.split()} == {"reconcile", "rehearse", "report", "resume"}


def test_a_quiet_command_prints_nothing_when_all_is_well(tmp_path: Path) -> None:
    quiet = run("validate", "rollouts", "-q")

    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_a_quiet_command_prints_its_report_when_something_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: otactl.dev/v1\nkind: Rollouts\n")
    loud, quiet = run("validate", "a.yaml", folder=tmp_path), run("validate", "a.yaml", "-q", folder=tmp_path)

    assert quiet.returncode == 1
    assert "unknown_kind" in quiet.stdout
    assert (quiet.stdout, quiet.stderr) == (loud.stdout, loud.stderr)


def test_output_has_no_colour_and_no_escape_sequence() -> None:
    assert "\x1b" not in run("plan", "rollouts", "--offline", FORCE_COLOR="1", CLICOLOR_FORCE="1").stdout
