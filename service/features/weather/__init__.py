"""The feature `weather`: its routes, its commands, and the function that makes the kind from the settings."""

SUMMARY = "The weather of configured places."
"""Of its commands, in `fluxgate --help`."""
