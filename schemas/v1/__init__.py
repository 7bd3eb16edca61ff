"""Schemas of `otactl.dev/v1` and of the JSON that the commands print."""
