"""The names of the kind, its schedule and what it writes. They stand in rows and points, so they never change."""

KIND = "weather"
SCHEDULE = "weather all"
MEASUREMENT = "External Weather Conditions"
