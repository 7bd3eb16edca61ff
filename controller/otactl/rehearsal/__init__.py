"""Runs a whole rollout with the unchanged reconcile loop, in a simulated world on a fast clock."""
