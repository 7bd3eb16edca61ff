"""Looks up known vulnerabilities of what a lock pins, and says in one line when the service gives no answer.

`python -m tests.support.release.audit LOCK …` ends with 1 for a known vulnerability. A service that cannot be reached
is no reason to fail: then nothing is known, and the line says that.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

SECONDS = 180


class _Vulnerability(msgspec.Struct):
    id: str
    fix_versions: list[str] = []


class _Package(msgspec.Struct):
    name: str
    version: str = ""
    vulns: list[_Vulnerability] = []
    skip_reason: str = ""


class _Answer(msgspec.Struct):
    dependencies: list[_Package]


def audit(lock: Path, url: str = "", ignored: Sequence[str] = ()) -> tuple[int, str]:
    """Return an exit code and what to print about a lock."""
    words = [str(Path(sys.executable).with_name("pip-audit")), "--vulnerability-service", "osv", "--format", "json"]
    words += ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--requirement", str(lock)]
    words += ["--osv-url", url] if url else []
    words += [word for each in ignored for word in ("--ignore-vuln", each)]
    try:
        ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
        found = msgspec.json.decode(ran.stdout, type=_Answer).dependencies
    except (subprocess.TimeoutExpired, msgspec.DecodeError):
        return 0, f"{lock.name}: the vulnerability service gave no answer; nothing was looked up"
    bad = [package for package in found if package.vulns]
    unknown = [package.name for package in found if package.skip_reason]
    lines = [_line(package) for package in bad]
    text = f"{lock.name}: {len(found) - len(unknown)} packages looked up, {len(bad)} with a known vulnerability"
    if unknown:
        text += f"; not known to the service: {', '.join(unknown)}"
    return (1 if bad else 0), "\n".join([*lines, text])


def _line(package: _Package) -> str:
    ids = ", ".join(each.id for each in package.vulns)
    fixed = sorted({version for each in package.vulns for version in each.fix_versions})
    way = f"fixed in {', '.join(fixed)}: run `make lock`" if fixed else "no fixed version is known"
    return f"{package.name} {package.version}: {ids}; {way}"


def main(words: Sequence[str]) -> int:
    """Audit locks."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.release.audit", description=__doc__)
    parser.add_argument("locks", nargs="+", type=Path)
    parser.add_argument("--url", default="", help="a service that answers as api.osv.dev does")
    parser.add_argument("--ignore", action="append", default=[], help="the id of a vulnerability that does not apply")
    given = parser.parse_args(words)
    codes = []
    for lock in given.locks:
        code, text = audit(lock, given.url, given.ignore)
        codes.append(code)
        print(text)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
