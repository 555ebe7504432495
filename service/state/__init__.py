"""What survives a restart, in SQL: API keys, runtime configuration, jobs and schedules."""
