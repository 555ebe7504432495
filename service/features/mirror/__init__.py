"""The feature `mirror`: its routes, its commands, and the function that makes the kind from the settings."""

SUMMARY = "Mirrors."
"""Of its commands, in `fluxgate --help`."""
