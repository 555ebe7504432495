"""Runtime configuration: what is changed without a restart, in named sections with versions."""
