"""Renders results as text, Markdown, JSON and SVG. Decides nothing."""
