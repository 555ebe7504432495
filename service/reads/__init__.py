"""Reads without HTTP: the question, who may read at one time, and the answer as facts and bytes."""
