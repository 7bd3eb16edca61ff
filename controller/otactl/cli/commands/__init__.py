"""Holds the commands of `otactl`, one file each; the file name is the command."""
