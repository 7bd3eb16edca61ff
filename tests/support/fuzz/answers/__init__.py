"""Feeds damaged answers of the services to whole runs of `reconcile`, on answers that were recorded once."""
