"""Line protocol, in and out, exactly as InfluxDB 2.9.1 reads it."""
