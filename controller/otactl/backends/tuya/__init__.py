"""Drives Tuya OTA upgrade batches."""
