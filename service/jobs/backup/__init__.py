"""Backups: taken, verified, test-restored, restored, and removed when their time is over."""
