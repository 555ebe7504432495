"""InfluxDB 2.x and Cloud over HTTP, in raw bytes."""
