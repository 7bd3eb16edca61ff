"""Evaluates cron texts, windows, freezes and the length of a session. Pure; `now` is an argument."""
