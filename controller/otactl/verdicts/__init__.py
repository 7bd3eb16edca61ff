"""Judges waves: device results -> gate -> verdict, retry, and confirmation by version. Pure."""
