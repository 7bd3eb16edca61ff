"""Decides the next step of a rollout from its record and an observation. Pure.

`assess` is the entry: record + observation -> new record, plan and events. `planner` orders the rules; each other
module is one rule or one group of checks.
"""
