"""AWS rest-json on the wire, driven by botocore's own models: route, parse, validate, serialise."""
