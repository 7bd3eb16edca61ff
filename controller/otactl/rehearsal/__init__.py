"""A rollout played to its end on a clock that waits for nobody: the loop itself, unchanged, in a simulated world."""
