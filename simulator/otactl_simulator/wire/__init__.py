"""Implements AWS rest-json on the wire with botocore's own models: route, parse, validate, serialise."""
