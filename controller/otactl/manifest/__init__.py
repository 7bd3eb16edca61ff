"""Reads manifests into values; every error has its file, line, column, JSON pointer and a hint.

1. Text is read strictly (UTF-8, YAML 1.2 core or JSON, no tags, no duplicate keys), and every value keeps its place.
2. A document is checked by its schema, then resolved (`${stack:key}`, CSV files), then checked by the policies.
3. All problems of all files come out of one run; a document with an error yields no value.
"""

from otactl.manifest.loader import Reading, read_paths

__all__ = ["Reading", "read_paths"]
