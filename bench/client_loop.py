"""What people use to copy a bucket: influxdb-client's query, Point and write.

Run as its own process by bench/mirror.py.
"""

import sys

from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS

_BATCH = 5_000

if __name__ == "__main__":
    source_url, source_token, target_url, target_token, org, source, target = sys.argv[1:8]
    with (
        InfluxDBClient(url=source_url, token=source_token, org=org, timeout=600_000) as here,
        InfluxDBClient(url=target_url, token=target_token, org=org, timeout=600_000) as there,
    ):
        writing = there.write_api(write_options=SYNCHRONOUS)
        batch: list[Point] = []
        for record in here.query_api().query_stream(f'from(bucket: "{source}") |> range(start: 0)'):
            point = (
                Point(record.get_measurement()).field(record.get_field(), record.get_value()).time(record.get_time())
            )
            for key in ("host", "region", "rack"):
                point.tag(key, record.values[key])
            batch.append(point)
            if len(batch) == _BATCH:
                writing.write(target, org, batch)
                batch = []
        writing.write(target, org, batch)
