"""Answers kept for a while, and requests that share one."""
