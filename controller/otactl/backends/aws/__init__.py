"""Calls AWS for every backend: client, errors, secrets, the checks of image and role, versions of devices."""
