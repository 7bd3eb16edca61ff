"""Drives AWS IoT Wireless FUOTA tasks (LoRaWAN)."""
