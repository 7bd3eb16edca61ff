"""Collects manifests that could not be read; what they may declare is left alone.

1. A manifest that gives its name affects that rollout alone, and the one that it renames. A file whose documents cannot
   be separated, or do not give a name, may declare any rollout; one whose `renamedFrom` is wrong may rename any.
2. A rollout that was last read from the file counts as still declared in it, whatever name the file gives now.
"""

from __future__ import annotations

from otactl.model import Value


class UnreadableManifest(Value, frozen=True, kw_only=True):
    """One manifest with an error: its file, the name it gives (empty if it cannot be read), and what is wrong.

    `renamed_from` is the name that the rollout had before; empty if it gives none. `may_rename`: what it
    says of that is wrong.
    """

    file: str
    name: str
    text: str
    renamed_from: str = ""
    may_rename: bool = False

    @property
    def given(self) -> tuple[str, ...]:
        """Return the names of the rollouts that it is about; none if it may be about any."""
        named = bool(self.name) and not self.may_rename
        return tuple(each for each in (self.name, self.renamed_from) if each) if named else ()

    def is_about(self, name: str, source: str) -> bool:
        """Return whether it surely is about a rollout that was last read from a file (empty if from none)."""
        return name in (self.name, *self.given) or bool(source and self.file == source)


class UnreadableManifests(Value, frozen=True, kw_only=True):
    """Every manifest with an error that may be about one environment."""

    manifests: tuple[UnreadableManifest, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the rollouts that are surely meant, each once."""
        return tuple(dict.fromkeys(m.name for m in self.manifests if m.name))

    @property
    def text(self) -> str:
        """Return what is wrong, in one line; empty when nothing is."""
        lines = tuple(dict.fromkeys(m.text for m in self.manifests))
        more = f" (and {len(lines) - 1} more manifests)" if len(lines) > 1 else ""
        return f"{lines[0]}{more}" if lines else ""

    def may_declare(self, name: str) -> bool:
        """Return whether one of them may declare a rollout of that name (rule 1)."""
        return any(not m.given or name in m.given for m in self.manifests)

    def may_keep(self, name: str, source: str) -> bool:
        """Return whether a rollout that was last read from that file may be declared still (rules 1 and 2)."""
        return self.may_declare(name) or any(m.file == source for m in self.manifests if source)

    def may_have_made(self, unit: str, prefix: str) -> bool:
        """Return whether a unit may be of a rollout that one of them declares."""
        mine = unit.startswith(prefix)
        return mine and any(
            not m.given or any(unit.startswith(f"{prefix}{name}-") for name in m.given) for m in self.manifests
        )

    def about(self, name: str, source: str) -> str:
        """Return what is wrong with the manifest of a rollout, by its name or by the file it was last read from."""
        return next((m.text for m in self.manifests if m.is_about(name, source)), "")


NOTHING_UNREAD = UnreadableManifests()
"""Every manifest could be read."""
