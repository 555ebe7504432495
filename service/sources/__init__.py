"""Where a connector reads: the buckets of a store, a SQL database, or a Python class of the operator."""
