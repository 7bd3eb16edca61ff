"""`python -m otactl.cli` is `otactl`."""

from otactl.cli import main

main()
