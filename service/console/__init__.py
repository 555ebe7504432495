"""Shared by commands that use a running gateway: the connection to it, and following a job to its end."""
