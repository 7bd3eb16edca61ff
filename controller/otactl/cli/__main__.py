"""Runs `otactl` as `python -m otactl.cli`."""

from otactl.cli import main

main()
