"""Writes logs as JSON, one object a line on stderr, each with the id of the run that it is about."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from otactl.report.sanitize import safe_json

FIELDS = ("worker", "run", "environment", "revision", "outcome", "seconds", "waited", "calls", "writes", "problem")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LEVELS = tuple(_LEVELS)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; `always` is in each."""

    def __init__(self, **always: str) -> None:
        super().__init__()
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        said: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._always,
        }
        said |= {name: vars(record)[name] for name in FIELDS if vars(record).get(name) not in (None, "")}
        if record.exc_info and record.exc_info[1] is not None:
            said["error"] = type(record.exc_info[1]).__name__  # its text may hold a secret
        return safe_json(json.dumps(said, ensure_ascii=False, default=str))


def set_up(level: str, **always: str) -> None:
    """Let this process log on stderr: ours at a level, and warnings of others."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(**always))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("otactl").setLevel(_LEVELS[level])
    logging.getLogger("otactl.calls").setLevel(logging.INFO if level == "debug" else logging.WARNING)
