"""Fuzzes one kind of input by the coverage of the product's code: `… by_coverage_process KIND FOLDER [OPTION …]`.

atheris instruments otactl as it is imported, so this is a process of its own, which `by_coverage` starts. The seeds are
the first block of the kind, and its inputs that once broke a rule. Options are libFuzzer's, which ends the process.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.fuzz.kind import Kind

KEPT = Path(__file__).parents[2] / "fuzz/kept"


def kind_of(name: str, files: Path) -> Kind:
    """Return a kind, with the code of otactl instrumented."""
    import atheris

    with atheris.instrument_imports(include=["otactl"]):
        from tests.support.fuzz.kinds import every
    from tests.support.postgres import PostgresServer

    return every(files, PostgresServer)[name]


def seed(kind: Kind, corpus: Path) -> None:
    """Write the seeds of a kind where libFuzzer looks for them."""
    corpus.mkdir(parents=True)
    for number, data in enumerate(kind.block(0)):
        (corpus / f"seed-{number}").write_bytes(data)
    for path in sorted(KEPT.glob(f"{kind.name}-*")):
        (corpus / path.name).write_bytes(path.read_bytes())


def main(words: list[str]) -> None:
    """Fuzz one kind; an input that fails ends the process with another code than 0."""
    import atheris

    name, folder, *options = words
    with tempfile.TemporaryDirectory(prefix="otactl-fuzz-") as files:
        kind = kind_of(name, Path(files))
        from tests.support.fuzz.run import MOST_SECONDS, alarm

        corpus = Path(folder) / "corpus" / name
        if not corpus.exists():
            seed(kind, corpus)

        def judge(data: bytes) -> None:
            with alarm(MOST_SECONDS):
                kind.judge(data)

        atheris.Setup([sys.argv[0], str(corpus), *options], judge)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
