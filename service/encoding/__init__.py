"""Frames into the bytes of an answer: CSV, JSON, NDJSON, Parquet and Arrow."""
