"""Defines the Pulumi program: image buckets, the roles of services and of otactl, the journal's bucket.

Imports nothing of the controller; what the two share are names written in docs/operating.md.
"""
