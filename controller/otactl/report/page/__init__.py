"""Builds the page of a fleet: one HTML file with its own style, script and data, from records alone."""
