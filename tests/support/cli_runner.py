"""One verb of the command, run in this process as a user runs it: what it prints, and what it exits with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from otactl.cli import main
from otactl.manifest.schema import failures


class CliResult:
    """What came of one run; `json` is what `-o json` prints, which its published schema must take."""

    def __init__(self, verb: str, code: int, out: str, err: str) -> None:
        self._verb, self.code, self.out, self.err = verb, code, out, err

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert failures(self._verb, found) == []
        assert isinstance(found, dict)
        return found


Run = Callable[[str], CliResult]


def run_of(verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """What runs a verb with the words behind it, divided at the spaces."""

    def run(words: str) -> CliResult:
        monkeypatch.setattr("sys.argv", ["otactl", verb, *words.split()])
        with pytest.raises(SystemExit) as left:
            main()
        reported = capsys.readouterr()
        return CliResult(verb, left.value.code if isinstance(left.value.code, int) else 0, reported.out, reported.err)

    return run
