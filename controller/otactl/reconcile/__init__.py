"""Runs passes over an environment: observe, assess, send, record. The only caller of `Backend.send`."""
