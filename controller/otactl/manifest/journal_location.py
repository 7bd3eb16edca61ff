"""Resolves `spec.journal` to a URL that means the same from every folder.

1. A path counts from the repository's root; without a repository from the manifest's folder (of `environments/`: from
   the folder that holds it). The working folder plays no part.
2. It stays inside, also after links: a manifest of a pull request must not choose any file of the machine.
3. An `s3://` address is taken as it is: what may be reached there is a matter of permissions. A `postgresql://` one is
   read here only for its form; which host it may name is for the machine to say that connects.
"""

from __future__ import annotations

from pathlib import Path

from otactl.journal.postgres.address import address_of, is_on_postgres
from otactl.manifest.repository import real, refusal, root_of

_SQLITE = "sqlite:///"


def journal_url(declared: str, manifest: Path) -> str | None:
    """Return the URL of a declared journal for the manifest at this real path; None if it lies outside.

    Raises: UsageError for an address of PostgreSQL that is not of the form, or holds a secret.
    """
    if is_on_postgres(declared):
        address_of(declared)
        return declared
    if declared.startswith("s3://"):
        return declared
    folder = manifest.parent
    base = root_of(folder) or (folder.parent if folder.name == "environments" else folder)
    place = real(base / declared.removeprefix(_SQLITE))
    return None if refusal(place, base) or place == base else f"{_SQLITE}{place}"
