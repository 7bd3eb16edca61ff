"""Simulates Tuya's OTA gateway: products, packages, batches and the tasks of devices."""
