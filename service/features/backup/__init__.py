"""Backups: their routes, commands, and how their jobs are made of the settings."""
