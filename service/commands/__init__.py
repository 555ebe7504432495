"""The subcommands of `fluxgate`, a file each."""
