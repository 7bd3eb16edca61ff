"""Runs the passes of many environments on several machines, from a queue in PostgreSQL (Procrastinate).

1. A pass of a worker is a run of `otactl reconcile` for one environment, in a process of its own.
2. At most one job of an environment waits: a queueing lock. Nothing locks its execution: the lease in the journal makes
   a pass exclusive, so the job of a dead worker costs one tick and blocks nothing.
3. Nothing else in otactl imports this package but the command line, and it needs the extra `workers`.
"""
