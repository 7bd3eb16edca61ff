"""Resolves `spec.journal` to a URL that means the same from every folder.

1. A path counts from the repository's root; without a repository from the manifest's folder (of `environments/`: from
   the folder that holds it). The working folder plays no part.
2. It stays inside, also after links: a manifest of a pull request must not choose any file of the machine.
3. An `s3://` address is taken as it is: what may be reached there is a matter of permissions.
"""

from __future__ import annotations

from pathlib import Path

from otactl.manifest.repository import real, refusal, root_of

_SQLITE = "sqlite:///"


def journal_url(declared: str, manifest: Path) -> str | None:
    """Return the URL of a declared journal for the manifest at this real path; None if it lies outside."""
    if declared.startswith("s3://"):
        return declared
    folder = manifest.parent
    base = root_of(folder) or (folder.parent if folder.name == "environments" else folder)
    place = real(base / declared.removeprefix(_SQLITE))
    return None if refusal(place, base) or place == base else f"{_SQLITE}{place}"
