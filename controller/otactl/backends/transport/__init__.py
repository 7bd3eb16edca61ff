"""Holds what every client of a service obeys: rate limit, call budget, allowed hosts, usage."""
