"""Backups where they lie: their files in a folder or in object storage, their manifest, and their rules."""
