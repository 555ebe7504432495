"""What must survive a restart, in SQL: API keys, runtime configuration, jobs."""
