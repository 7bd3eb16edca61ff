"""Computes LoRaWAN firmware updates: fragments, regions, time on air, sessions. Pure, cheap to import."""
