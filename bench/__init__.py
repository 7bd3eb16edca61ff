"""`make bench`: figures as ratios, each pair measured side by side in one run, written to docs/benchmarks.md."""
