"""Delivers points to an upstream API over HTTP: payloads, posts, what counts as accepted, and dead letters."""
