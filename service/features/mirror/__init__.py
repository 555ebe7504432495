"""The kind `mirror` as people see it: its routes, its commands, and how it is made of the settings."""

SUMMARY = "Mirrors."
"""Of its commands, in `fluxgate --help`."""
