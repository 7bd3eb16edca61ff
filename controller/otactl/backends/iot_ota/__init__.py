"""Drives AWS IoT OTA updates and the jobs behind them."""
