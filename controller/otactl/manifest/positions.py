"""Records the place of every value of a document, so that an error can point at it.

Lines and columns count from 1 and characters, not bytes. A path is the keys and indices from the document's root.
"""

from __future__ import annotations

from otactl.errors import Problem
from otactl.manifest.phrases import LONGEST, quoted

Path = tuple[str | int, ...]
Position = tuple[int, int]

MAX_BYTES = 1024 * 1024
"""A manifest larger than this is refused; long device lists belong into CSV files."""
MAX_DEPTH = 40
MAX_NODES = 100_000
"""Values a document may have once its aliases are expanded: a few lines of nested anchors can mean billions."""
MAX_DOCUMENTS = 1000
"""Most documents in a file: each is checked and reported separately, and a megabyte holds a hundred thousand."""


class Place:
    """Position of one value, and of what is in it. `text` is what a bare (unquoted) scalar says in the file.

    Only a `Block` takes members: nearly all places are scalars, of which a repository has millions.
    """

    __slots__ = ("column", "line", "text")

    members: dict[str, Place]
    items: list[Place]
    keys: dict[str, Position]

    def __init__(self, line: int, column: int, text: str | None = None) -> None:
        self.line = line
        self.column = column
        self.text = text

    def step(self, part: str | int) -> Place | None:
        """Return the place one key or index down; None if there is nothing."""
        if isinstance(part, str):
            return self.members.get(part)
        return self.items[part] if 0 <= part < len(self.items) else None

    def at(self, path: Path) -> Place | None:
        """Find the place of the value at a path."""
        here: Place | None = self
        for part in path:
            if here is None:
                return None
            here = here.step(part)
        return here

    def position(self, path: Path, key: bool = False) -> Position:
        """Return where to point for a path: at its key if asked or if the value is a block, else at the value.

        A path that leads to nothing (a missing field) points at the nearest thing that is there.
        """
        here = self
        found = (self.line, self.column)
        for depth, part in enumerate(path):
            below = here.step(part)
            key_at = here.keys.get(part) if isinstance(part, str) else None
            if below is None:
                return key_at or found
            last = depth + 1 == len(path)
            block = bool(below.members or below.items)
            found = key_at if key_at is not None and ((last and key) or block) else (below.line, below.column)
            here = below
        return found


Place.members, Place.items, Place.keys = {}, [], {}


class Block(Place):
    """Position of a mapping or a list, and of what is in it."""

    __slots__ = ("items", "keys", "members")

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.members, self.items, self.keys = {}, [], {}


def pointer(path: Path) -> str:
    """Write a path as an RFC 6901 JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def parse_pointer(text: str, root: Place) -> Path:
    """Read a JSON pointer back into a path; a number is an index where the document has a list."""
    parts: list[str | int] = []
    here: Place | None = root
    for raw in text.split("/")[1:]:
        part: str | int = raw.replace("~1", "/").replace("~0", "~")
        if here is not None and not here.members and raw.isdigit() and (here.items or not here.keys):
            part = int(raw)
        parts.append(part)
        here = here.step(part) if here is not None else None
    return tuple(parts)


def shown_key(key: str) -> str:
    """Show a key of a mapping in a message; an empty one, or one with spaces or control characters, in quotes."""
    return key if key.isprintable() and key and " " not in key and len(key) <= LONGEST else quoted(key)


def dotted(path: Path) -> str:
    """Write a path as people say it: `spec.strategy.waves[0].name`; on one line whatever a key holds."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{shown_key(part)}" if text else shown_key(part)
    return text or "the document"


def at_field(path: Path, message: str) -> str:
    """Return a message that names the field it is about: as it is if it does, else with the field before it."""
    field = dotted(path)
    return message if not path or field in message else f"{field}: {message}"


def problem(file: str, at: Position, path: Path, code: str, message: str, hint: str = "") -> Problem:
    """Return a problem at a position."""
    return Problem(file=file, line=at[0], column=at[1], pointer=pointer(path), code=code, message=message, hint=hint)
