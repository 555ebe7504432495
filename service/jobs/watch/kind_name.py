"""The name of the kind and of its section. They stand in rows, so they never change."""

KIND = "watch"
SECTION = "watches"
