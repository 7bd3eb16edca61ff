"""Simulates AWS IoT Core: things, groups, jobs, OTA updates, streams, shadows, fleet indexing, and AWS Signer."""
