"""The names of the kinds of job around backups, as jobs, schedules and routes have them."""

BACKUP = "backup"
PLAN = "backup_plan"
VERIFY = "backup_verify"
DRILL = "backup_drill"
PRUNE = "backup_prune"
ADOPT = "backup_adopt"
RESTORE = "restore"
USING_BACKUPS = (BACKUP, VERIFY, DRILL, RESTORE)
"""Kinds that read or write one backup, which their checkpoint or their parameters name."""
