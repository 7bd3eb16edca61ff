"""Writes the tables of docs/scale.md."""

from bench.scale.tables import PAGE, replaced

PAGE.write_text(replaced(PAGE.read_text()))
