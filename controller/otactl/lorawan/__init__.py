"""LoRaWAN firmware updates over the air, computed: fragments, regions, time on air, sessions. Pure, cheap to import."""
