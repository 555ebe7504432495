"""The embedded store: InfluxDB's rules on one DuckDB file, for a gateway that runs without any server."""
