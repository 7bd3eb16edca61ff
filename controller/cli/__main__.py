"""`python -m controller.cli` is `otactl`."""

from controller.cli import main

main()
