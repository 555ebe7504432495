"""The subcommands of `fluxgate`, one file for each group."""
