"""Holds the numbered steps that create the tables of the workers."""
