"""Models where otactl meets its limits: calls and seconds of passes, and a fleet of workers on a fast clock."""
