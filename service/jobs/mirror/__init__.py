"""Mirrors: buckets of one store copied to another one, and kept equal."""
