"""The kind of job `forward`: it sends points to an upstream API, window by window, and keeps how far that is."""
