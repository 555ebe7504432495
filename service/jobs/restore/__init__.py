"""The kind of job `restore`, and the drill, which restores a backup to see whether it can be."""
