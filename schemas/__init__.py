"""JSON Schemas of the manifests and of the JSON outputs, shipped as package data, one folder per apiVersion."""
