"""Firmware images of the example fleet: sha256 chains of a label, made once, not runnable on any device."""
