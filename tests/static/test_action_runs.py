"""Runs each script of the action and of the workflows, with stand-ins for `gh` and for what they would download."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.report_formats import junit_suite, sarif_run
from tests.support.workflow_steps import Ran, Runner, Step, every_script_step

STEPS = {(step.file, step.name): step for step in every_script_step()}
INPUTS = {
    "ACTION": str(ROOT),
    "COMMAND": "plan",
    "JOURNAL": "manifest",
    "OFFLINE": "false",
    "REHEARSE": "false",
    "COMMENT": "true",
    "KEY": "plan",
}
PLAN = {
    "OTACTL": "otactl",
    "PATHS": "rollouts",
    "ONLY": "",
    "JOURNAL": "manifest",
    "OFFLINE": "true",
    "CHANGED": "",
    "REHEARSE": "false",
    "REPORT": "report",
}
COMMENT = {
    "GH_TOKEN": "t",
    "KEY": "plan",
    "NUMBER": "7",
    "REPOSITORY": "acme/firmware",
    "RUN": "the run",
    "REPORT": ".",
}
RECONCILE = {"OTACTL": "otactl", "PATHS": "rollouts", "ONLY": "", "JOURNAL": "manifest"}
MARKER = "<!-- otactl-plan -->"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def manifests(runner: Runner) -> Path:
    """The example manifests in the workspace."""
    shutil.copytree(ROOT / "rollouts", runner.workspace / "rollouts")
    return runner.workspace / "rollouts"


def step(name: str, file: str = "action.yml") -> Step:
    return STEPS[file, name]


def run(runner: Runner, name: str, env: Mapping[str, str], file: str = "action.yml") -> Ran:
    return runner.run(step(name, file), env)


def test_inputs_choose_the_lock_and_a_cache_of_their_own(runner: Runner) -> None:
    plain = run(runner, "Check the inputs", {**INPUTS, "COMMAND": "reconcile"})
    planning = run(runner, "Check the inputs", INPUTS)
    rehearsing = run(runner, "Check the inputs", {**INPUTS, "REHEARSE": "true"})

    assert (plain.code, planning.code, rehearsing.code) == (0, 0, 0)
    assert planning.outputs["lock"] == str(ROOT / "requirements-plan.lock")
    assert plain.outputs["lock"] == str(ROOT / "requirements-core.lock")
    assert rehearsing.outputs["lock"] == str(ROOT / "requirements-simulator.lock")
    assert plain.outputs["digest"] != rehearsing.outputs["digest"]
    assert plain.outputs["venv"] == f"{runner.folder}/home/.cache/otactl/{plain.outputs['digest']}"
    assert run(runner, "Check the inputs", INPUTS).outputs == planning.outputs


@pytest.mark.parametrize(
    ("wrong", "reported"),
    [
        ({"JOURNAL": ""}, "the input journal is empty; set the variable that it is taken from (OTACTL_JOURNAL)"),
        ({"COMMAND": "apply"}, "the input command is 'apply'; write validate, plan or reconcile"),
        ({"OFFLINE": "yes"}, "an input of offline, rehearse and comment is 'yes'; write true or false"),
        ({"KEY": "-->"}, "the input comment-key is '-->'; use lower-case letters, digits and -"),
    ],
)
def test_a_wrong_input_ends_the_run_with_what_to_write(runner: Runner, wrong: dict[str, str], reported: str) -> None:
    ran = run(runner, "Check the inputs", INPUTS | wrong)

    assert ran.code == 1
    assert f"::error title=otactl::{reported}" in ran.printed


@pytest.mark.parametrize("without", [{"COMMAND": "validate"}, {"OFFLINE": "true"}])
def test_what_reads_no_journal_needs_none(runner: Runner, without: dict[str, str]) -> None:
    assert run(runner, "Check the inputs", {**INPUTS, "JOURNAL": "", **without}).code == 0


def test_a_first_run_installs_the_locked_packages_and_a_second_one_nothing(runner: Runner) -> None:
    # `python -m pip` and `python -m venv` are recorded; the packages of the tests stand for those of the lock.
    here = Path(sys.executable).parent
    runner.program(
        "python",
        "#!/bin/sh\n"
        'echo "$*" >>"$STAND_IN/python.log"\n'
        f'if [ "$2" = venv ]; then exec {sys.executable} "$@"; fi\n'
        f'case "$*" in *--no-build-isolation*) ln -s {here}/otactl "$HOME/venv/bin/otactl" ;; esac\n',
    )
    env = {"ACTION": str(ROOT), "LOCK": "the.lock", "VENV": f"{runner.folder}/home/venv"}
    name = "Install otactl, if the cache does not hold it"

    first = run(runner, name, env)
    words = (runner.folder / "python.log").read_text().splitlines()
    second = run(runner, name, env)

    assert (first.code, second.code) == (0, 0), first.printed + second.printed
    assert [line.split()[1] for line in words] == ["venv", "pip", "pip"]
    assert words[1].endswith("--require-hashes --requirement the.lock")
    assert words[2].endswith(f"--no-deps --no-build-isolation {ROOT}")
    assert (runner.folder / "python.log").read_text().splitlines() == words
    assert "otactl" in second.printed


def test_validate_annotates_and_writes_both_reports(runner: Runner, manifests: Path) -> None:
    place = manifests / "soil-probe-2-4-1.yaml"
    place.write_text(place.read_text().replace("dataRate: 3", "dataRate: 99"))

    ran = run(runner, "Validate", {"OTACTL": "otactl", "PATHS": "rollouts", "REPORT": "report"})

    assert (ran.code, ran.outputs) == (1, {"exit-code": "1"})
    assert "::error file=rollouts/soil-probe-2-4-1.yaml,line=" in ran.printed
    assert json.loads((runner.workspace / "report/validate.sarif").read_text())["runs"][0]["results"]
    assert 'failures="1"' in (runner.workspace / "report/validate.xml").read_text()


def test_a_plan_goes_into_the_summary_and_calls_that_are_next_are_no_error(runner: Runner, manifests: Path) -> None:
    ran = run(runner, "Plan", PLAN)

    assert (ran.code, ran.outputs) == (0, {"exit-code": "0"})
    assert "CreateFuotaTask" in ran.summary
    assert (runner.workspace / "report/whole-plan.md").read_text() == ran.summary
    assert (runner.workspace / "report/plan.md").read_text().startswith(MARKER)
    assert sarif_run((runner.workspace / "report/plan.sarif").read_text())["results"] == []
    assert junit_suite((runner.workspace / "report/plan.xml").read_text()).failures == 0


def test_a_plan_with_an_error_is_shown_with_it(runner: Runner, manifests: Path) -> None:
    place = manifests / "soil-probe-2-4-1.yaml"
    place.write_text(place.read_text().replace("dataRate: 3", "dataRate: 99"))

    ran = run(runner, "Plan", PLAN)

    assert (ran.code, ran.outputs) == (0, {"exit-code": "1"})
    for text in (ran.summary, (runner.workspace / "report/plan.md").read_text()):
        assert "rollouts/soil-probe-2-4-1.yaml:" in text
        assert "gateway-3-2-0" in text
    assert sarif_run((runner.workspace / "report/plan.sarif").read_text())["results"]
    suite = junit_suite((runner.workspace / "report/plan.xml").read_text())
    assert [case.name for case in suite if case.result] == ["prod-eu/soil-probe-2-4-1"]


def test_a_plan_that_could_not_be_printed_is_a_comment_too(runner: Runner) -> None:
    runner.program("otactl", '#!/bin/sh\necho "otactl: No such option" >&2\nexit 1\n')

    ran = run(runner, "Plan", PLAN)

    assert (ran.code, ran.outputs) == (0, {"exit-code": "1"})
    assert ran.summary.endswith("**Nothing could be planned** (exit code 1):\n\n    otactl: No such option\n")
    assert (runner.workspace / "report/plan.md").read_text() == ran.summary


def test_a_plan_reads_the_journal_that_is_named_and_only_the_environment_named(runner: Runner) -> None:
    runner.program("otactl", '#!/bin/sh\necho "$OTACTL_JOURNAL $*"\n')
    named = {"JOURNAL": "s3://b/j", "ONLY": "prod", "PATHS": "a b", "CHANGED": "origin/main"}

    ran = run(runner, "Plan", {**PLAN, "OFFLINE": "false", "REHEARSE": "true", **named})

    files = "--whole report/whole-plan.md --sarif report/plan.sarif --junit report/plan.xml"
    options = f"--exit-code 0 {files} --environment prod --changed-since origin/main"
    assert ran.summary.splitlines() == [
        f"s3://b/j plan a b --output markdown {options}",
        "s3://b/j rehearse a b --output markdown",
    ]


def comment(runner: Runner, text: str = "the plan\n") -> list[dict[str, object]]:
    (runner.workspace / "plan.md").write_text(text)
    ran = run(runner, "Comment the plan", COMMENT)
    assert ran.code == 0, ran.printed
    return runner.calls()


def test_the_marker_of_a_plan_is_there_once(runner: Runner) -> None:
    _, written = comment(runner, f"{MARKER}\nthe plan\n")

    assert json.loads(str(written["input"])) == {"body": f"{MARKER}\nthe plan\n"}


def test_the_first_plan_is_a_new_comment(runner: Runner) -> None:
    theirs = {"id": 1, "user": {"type": "Bot"}, "body": "the preview of another bot"}
    runner.comments([theirs])

    _, written = comment(runner)

    assert written["words"] == ["api", "--method", "POST", "repos/acme/firmware/issues/7/comments", "--input", "-"]
    assert json.loads(str(written["input"])) == {"body": f"{MARKER}\nthe plan\n"}


def test_a_later_plan_replaces_the_comment_with_the_marker_wherever_it_is(runner: Runner) -> None:
    others = [
        {"id": 1, "user": {"type": "Bot"}, "body": f"a bot that quotes {MARKER}"},
        {"id": 2, "user": {"type": "User"}, "body": f"{MARKER} by a person"},
        {"id": 3, "user": {"type": "Bot"}, "body": "<!-- otactl-plan-dev -->\nof another environment"},
    ]
    runner.comments(others, [{"id": 4, "user": {"type": "Bot"}, "body": f"{MARKER}\nold"}])

    _, written = comment(runner)

    assert written["words"] == ["api", "--method", "PATCH", "repos/acme/firmware/issues/comments/4", "--input", "-"]


def test_a_plan_that_github_would_not_take_is_cut_and_says_where_the_rest_is(runner: Runner) -> None:
    _, written = comment(runner, "0123456789\n" * 7000)

    body = json.loads(str(written["input"]))["body"]
    assert len(body) < 65_536
    assert body.endswith("*Cut here: the whole plan is in [the summary of the run](the run).*\n")


@pytest.mark.parametrize("code", ["0", "1"])
def test_the_check_is_red_for_a_plan_with_errors_alone(runner: Runner, code: str) -> None:
    assert run(runner, "Say whether the plan has errors", {"CODE": code}).code == int(code)


def test_reconcile_ends_with_the_exit_code_of_otactl_and_shows_the_state(runner: Runner) -> None:
    runner.program("otactl", '#!/bin/sh\necho "$OTACTL_JOURNAL $*"\ncase "$1" in reconcile) exit 1;; esac\n')

    ran = run(runner, "Reconcile", {**RECONCILE, "JOURNAL": "s3://b/j", "PATHS": "a b", "ONLY": "prod"})

    assert (ran.code, ran.outputs) == (1, {"exit-code": "1"})
    assert "s3://b/j reconcile a b --environment prod" in ran.printed
    assert ran.summary == "s3://b/j status --manifests a --manifests b --output markdown\n"


def test_reconcile_without_a_journal_sends_nothing_and_names_the_command_that_creates_one(
    runner: Runner, manifests: Path
) -> None:
    ran = run(runner, "Reconcile", RECONCILE)

    assert ran.code == 1
    assert "otactl journal init" in ran.printed


def test_the_outputs_of_a_stack_that_changed_come_by_a_pull_request(runner: Runner) -> None:
    far, file = runner.folder / "far.git", "rollouts/environments/prod-eu.outputs.json"
    subprocess.run(["git", "init", "--quiet", "--bare", str(far)], check=True)
    subprocess.run(["git", "clone", "--quiet", str(far), str(runner.workspace)], check=True, stderr=subprocess.DEVNULL)
    (runner.workspace / "rollouts/environments").mkdir(parents=True)
    runner.program("pulumi", '#!/bin/sh\necho "{\\"args\\": \\"$*\\"}"\n')
    env = {"STACK": "prod-eu", "PULUMI_BACKEND_URL": "", "GH_TOKEN": "t", "PULUMI_CONFIG_PASSPHRASE": ""}
    env = {name: value for name, value in env.items() if name in step("Refresh the stack outputs", DEPLOY).env}

    first = run(runner, "Refresh the stack outputs", env, DEPLOY)
    second = run(runner, "Refresh the stack outputs", env, DEPLOY)

    assert (first.code, second.code) == (0, 0), first.printed + second.printed
    show = ["git", "-C", str(far), "show", f"outputs/prod-eu:{file}"]
    shown = subprocess.run(show, check=True, capture_output=True, text=True)
    assert json.loads(shown.stdout) == {"args": "stack output --json --stack prod-eu"}
    assert [call["words"] for call in runner.calls()] == [
        ["auth", "setup-git"],
        ["pr", "create", "--fill", "--head", "outputs/prod-eu"],
    ]


DEPLOY = ".github/workflows/deploy.yml"
THE_PROJECTS_OWN = {"make setup", ".ci/run"}  # they are what continuous integration itself runs


def test_every_script_is_run_by_a_test_of_this_file() -> None:
    own = Path(__file__).read_text()
    names = [name for (_, name), each in STEPS.items() if each.script.strip() not in THE_PROJECTS_OWN]

    assert [name for name in names if f'"{name}"' not in own] == []
