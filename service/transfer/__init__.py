"""Moving points between any two places: read, write, read back, wait, split, and name what could not be moved."""
