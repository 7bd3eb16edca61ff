"""Connects the services behind one port. Each service is one folder; `registry.BACKENDS` lists them.

Folders of services do not import each other. `aws` and `transport` hold what they share.
"""
