"""Finds and records differences between the declared and the observed state. Pure."""
