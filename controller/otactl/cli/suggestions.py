"""Suggests the verb that was meant where there is none of a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MEANT = {
    "apply": "reconcile",
    "check": "validate",
    "diff": "plan",
    "get": "status",
    "lint": "validate",
    "list": "status",
    "log": "history",
    "logs": "history",
    "ls": "status",
    "pause": "suspend",
    "push": "image",
    "run": "reconcile",
    "simulate": "rehearse",
    "stop": "suspend",
    "sync": "reconcile",
    "undo": "rollback",
    "upload": "image",
}
"""What other tools call it."""


def unknown_verb(word: str, known: Iterable[str]) -> str:
    """Return the message for a verb that does not exist."""
    names = list(known)
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    meant = _MEANT.get(word.lower()) or (near[0] if near else "")
    hint = f"Did you mean '{meant}'?" if meant else "--help lists them."
    return f"No such command '{word}'. {hint}"
