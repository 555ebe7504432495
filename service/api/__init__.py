"""HTTP: the only place that knows status codes, headers and media types."""
