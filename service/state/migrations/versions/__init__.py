"""Steps of the state database, oldest first: one file each, never changed once released."""
