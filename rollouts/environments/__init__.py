"""Environments of the example fleet."""
