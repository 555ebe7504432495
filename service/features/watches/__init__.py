"""The feature `watches`: its routes, its commands, and the function that makes the kind from the settings."""

SUMMARY = "Series that went silent, and who is told."
"""Of its commands, in `fluxgate --help`."""
